"""kdviz shows what a neural network knows beyond its answer: soft targets, and students distilled from them."""

__version__ = "0.1.0"
