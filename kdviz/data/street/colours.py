"""Colours of the street pictures, mixed or drawn by chance, and the two draws that everything in the pictures is made of.

Knows nothing of what is painted with them.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Colour = tuple[int, int, int]
T = TypeVar("T")


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number from a range, each alike likely."""
    return low + (high - low) * rng.random()


def one_of(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Return one of several things, each alike likely."""
    return options[int(rng.random() * len(options))]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour on the way from one to another: share 0..1."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker (factor below 1) or lighter."""
    return (min(int(colour[0] * factor), 255), min(int(colour[1] * factor), 255), min(int(colour[2] * factor), 255))


def jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    """Return a colour in a light that is drawn."""
    return shade(colour, between(rng, 0.8, 1.15))


def grey(rng: np.random.Generator, low: float, high: float) -> Colour:
    """Return a grey from a range of levels, 0..255, a little warm or cold."""
    level = between(rng, low, high)
    return (int(level), int(level), int(min(level * between(rng, 0.95, 1.08), 255)))


def paint(rng: np.random.Generator) -> Colour:
    """Return any colour that cars and clothes come in: one in three is grey, black or white."""
    if rng.random() < 0.33:
        return grey(rng, 25, 245)
    r, g, b = colorsys.hsv_to_rgb(rng.random(), between(rng, 0.4, 0.85), between(rng, 0.35, 0.9))
    return (int(255 * r), int(255 * g), int(255 * b))


def against(
    rng: np.random.Generator,
    behind: list[Colour],
    draw: Callable[[np.random.Generator], Colour],
    clear: bool,
    mixed_with: Colour | None = None,
) -> Colour:
    """Return the first colour drawn to stand out from those behind it, also half mixed with another; the best of six at least."""

    def distance(colour: Colour) -> float:
        shown = [colour] if mixed_with is None else [colour, mix(colour, mixed_with, 0.5)]
        return min(math.dist(one, other) for one in shown for other in behind)

    candidates: list[Colour] = []
    while len(candidates) < 6:
        candidates.append(draw(rng))
        if distance(candidates[-1]) > (90 if clear else 60):
            return candidates[-1]
    return max(candidates, key=distance)
