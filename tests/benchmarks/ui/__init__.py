"""What a person's hand and eye would measure of kdviz, in a real Chromium and with many viewers: `python -m tests.benchmarks.ui`.

Each measure is a module with its method in its docstring and `measure(chromium) -> list[Row]`. They measure and print; nothing
fails for being slow. Everything listens on the loopback, is bounded in number and time, and ends what it starts.
"""
