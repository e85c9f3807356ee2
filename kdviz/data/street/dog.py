"""A dog, seen from the side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kdviz.data.street.colours import Colour, against, between, grey, jitter, mix, one_of, paint, shade
from kdviz.data.street.pen import Pen, Point


@dataclass(frozen=True)
class Dog:
    """A dog seen from the side: colours, build and pose. leg: their length; neck: its angle above the horizontal, radians."""

    coat: Colour
    ears: Colour
    saddle: Colour | None
    white: Colour | None
    collar: Colour
    leg: float
    trunk: float
    snout: float
    neck: float
    pointed_ears: bool
    tail: list[Point]
    step: float

    SIZES = (54.0, 80.0)  # the trunk's length
    EXTENT = (1.4, 1.1)

    @classmethod
    def random(cls, rng: np.random.Generator, behind: list[Colour], clear: bool) -> Dog:
        coat = against(rng, behind, _fur, clear)
        tails: tuple[list[Point], ...] = (
            [(-0.08, 0.12), (-0.14, 0.26), (-0.13, 0.38)],
            [(-0.10, 0.14), (-0.06, 0.26), (0.03, 0.25)],
            [(-0.12, 0.06), (-0.22, 0.14), (-0.28, 0.26)],
            [(-0.08, -0.04), (-0.14, -0.16), (-0.17, -0.26)],
        )
        return cls(
            coat=coat,
            ears=shade(coat, between(rng, 0.45, 0.7)) if sum(coat) > 150 else mix(coat, (120, 90, 60), 0.5),
            saddle=shade(coat, 0.5) if rng.random() < 0.3 else None,
            white=grey(rng, 215, 250) if rng.random() < 0.35 else None,
            collar=paint(rng),
            leg=between(rng, 0.32, 0.46),
            trunk=between(rng, 0.27, 0.34),
            snout=between(rng, 0.20, 0.27),
            neck=between(rng, 0.5, 1.0) if clear else between(rng, -0.2, 1.0),
            pointed_ears=rng.random() < 0.4,
            tail=one_of(rng, tails[:3] if clear else tails),
            step=between(rng, -0.12, 0.12),
        )

    def draw(self, pen: Pen, s: float) -> None:
        half = self.trunk * 0.5
        back = self.leg + half  # the height of the trunk's axis
        self._legs(pen, back, -self.step, 0.08, shade(self.coat, 0.7))
        tail: list[Point] = [(-0.46, back + 0.06), *((-0.46 + x, back + 0.06 + y) for x, y in self.tail)]
        pen.limb(tail, 0.065, self.coat)
        pen.disc(-0.40, back, half * 0.95, self.coat)
        pen.disc(0.13, back - 0.02, half * 1.2, self.coat)
        pen.polygon(
            [(-0.42, back + half * 0.9), (0.14, back + half), (0.14, back - half * 1.25), (-0.30, back - half * 0.45)], self.coat
        )
        if self.saddle:
            pen.polygon([(-0.45, back + half * 0.9), (0.12, back + half), (0.06, back + 0.02), (-0.40, back + 0.02)], self.saddle)
        if self.white:
            pen.disc(0.20, back - half * 0.5, half * 0.7, self.white)
        self._legs(pen, back, self.step, 0.0, self.coat)
        self._head(pen, back)

    def _legs(self, pen: Pen, back: float, step: float, offset: float, colour: Colour) -> None:
        fore, hind = 0.17 - offset, -0.40 + offset
        paw = self.white or shade(colour, 0.9)
        pen.limb([(fore, back - 0.06), (fore - 0.02 + step * 0.4, back * 0.5), (fore + step, 0.035)], 0.095, colour)
        knee = (hind + 0.06 - step * 0.3, back * 0.55)
        pen.limb([(hind, back - 0.03), knee], 0.17, colour)
        pen.limb([knee, (hind - 0.07 - step, back * 0.33), (hind - 0.03 - step, 0.035)], 0.08, colour)
        for x in (fore + step, hind - 0.03 - step):
            pen.limb([(x, 0.035), (x + 0.045, 0.03)], 0.07, paw)

    def _head(self, pen: Pen, back: float) -> None:
        forward, up = math.cos(self.neck), math.sin(self.neck)
        x, y = 0.18 + 0.24 * forward, back + 0.10 + 0.26 * up
        pen.limb([(0.12, back + 0.03), (x - 0.03, y - 0.02)], 0.22, self.coat)
        middle = (0.155 + 0.10 * forward, back + 0.05 + 0.10 * up)
        pen.limb(
            [(middle[0] - 0.10 * up, middle[1] + 0.10 * forward), (middle[0] + 0.10 * up, middle[1] - 0.10 * forward)],
            0.05,
            self.collar,
        )
        nose = (x + self.snout, y - (0.05 if self.neck > 0.3 else 0.12))
        pen.limb([(x + 0.03, y - 0.04), nose], 0.125, self.white or self.coat)
        pen.disc(x, y, 0.155, self.coat)
        pen.disc(nose[0] + 0.035, nose[1] + 0.03, 0.045, (20, 18, 18))
        if self.pointed_ears:
            pen.polygon([(x - 0.14, y + 0.05), (x - 0.09, y + 0.29), (x + 0.05, y + 0.12)], self.ears)
        else:
            pen.limb([(x - 0.07, y + 0.09), (x - 0.12, y - 0.03), (x - 0.11, y - 0.12)], 0.12, self.ears)
        pen.disc(x + 0.065, y + 0.04, 0.03, (15, 12, 10) if sum(self.coat) > 150 else (175, 160, 135))


def _fur(rng: np.random.Generator) -> Colour:
    return jitter(rng, one_of(rng, (
        (35, 30, 30), (95, 65, 40), (150, 105, 60), (205, 165, 105), (235, 225, 205), (130, 125, 120), (150, 85, 50),
    )))  # fmt: skip
