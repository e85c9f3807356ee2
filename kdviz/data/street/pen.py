"""The canvas that a street picture is drawn on, and the pen that draws a figure there: what a figure knows of where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PIL import ImageDraw

from kdviz.data.street.colours import Colour

SIDE = 128  # of the canvas: four times the picture's, so that each pixel is the mean of sixteen

Point = tuple[float, float]


class Pen:
    """Draws in a figure's own coordinates: x forward, y up, (0, 0) between its feet, in units of its size."""

    def __init__(self, draw: ImageDraw.ImageDraw, feet: Point, size: float, facing: int, tilt: float) -> None:
        self.draw, self.feet, self.size = draw, feet, size
        self.along = (size * facing * math.cos(tilt), size * math.sin(tilt))
        self.up = (size * facing * math.sin(tilt), -size * math.cos(tilt))

    def at(self, x: float, y: float) -> Point:
        """Return where on the canvas a point lies."""
        return (
            self.feet[0] + x * self.along[0] + y * self.up[0],
            self.feet[1] + x * self.along[1] + y * self.up[1],
        )

    def polygon(self, points: Iterable[Sequence[float]], colour: Colour) -> None:
        self.draw.polygon([self.at(x, y) for x, y in points], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        (cx, cy), r = self.at(x, y), radius * self.size
        self.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=colour)

    def limb(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a thick line with round joints and ends."""
        self.draw.line([self.at(x, y) for x, y in points], fill=colour, width=max(round(width * self.size), 1))
        for x, y in points:
            self.disc(x, y, width / 2, colour)
