"""A pedestrian, from the front or from the side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kdviz.data.street.colours import Colour, against, between, grey, mix, one_of, paint, shade
from kdviz.data.street.pen import Pen, Point


@dataclass(frozen=True)
class Pedestrian:
    """A person: colours, build and pose.

    side: 0 seen from the front, 1 from the side; stride, swing: angles of legs and arms in radians; bend: of knee and elbow.
    """

    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    bag: Colour | None
    skirt: bool
    long_hair: bool
    hat: bool
    build: float
    side: float
    stride: float
    swing: float
    bend: float

    SIZES = (80.0, 112.0)  # the height
    EXTENT = (0.44, 1.0)

    @classmethod
    def random(cls, rng: np.random.Generator, behind: list[Colour], clear: bool) -> Pedestrian:
        side = float(rng.random() < 0.6)
        return cls(
            skin=mix((245, 205, 175), (95, 60, 40), rng.random()),
            hair=one_of(rng, ((35, 25, 20), (20, 20, 22), (95, 60, 30), (200, 165, 95), (150, 150, 150), (130, 55, 25))),
            top=against(rng, behind, paint, clear),
            trousers=against(rng, behind, lambda rng: mix(paint(rng), (35, 40, 60), 0.6), clear),
            shoes=grey(rng, 15, 90),
            bag=paint(rng) if rng.random() < 0.3 else None,
            skirt=rng.random() < 0.25,
            long_hair=rng.random() < 0.35,
            hat=rng.random() < 0.2,
            build=between(rng, 0.9, 1.2),
            side=side,
            stride=between(rng, 0.25, 0.55) if side else between(rng, 0.08, 0.18),
            swing=between(rng, 0.2, 0.7) if side else between(rng, 0.12, 0.4),
            bend=between(rng, 0.1, 0.6),
        )

    def draw(self, pen: Pen, s: float) -> None:
        wide = self.build * (1 - 0.3 * self.side)
        hips, shoulders = 0.05 * (1 - self.side), 0.115 * wide * (1 - self.side)
        # From the front both arms and legs are spread outwards; from the side one of each goes back, its knee bent.
        back_knee = self.bend * self.side
        hip = 0.245 * max(math.cos(self.stride) * 2, math.cos(self.stride) + math.cos(self.stride + back_knee)) + 0.03
        far = 0.75 if self.side else 1.0
        leg = self.skin if self.skirt else self.trousers
        self._leg(pen, (-hips, hip), -self.stride, back_knee, shade(leg, far))
        self._arm(pen, (-shoulders, 0.775), self.swing if self.side else -self.swing, shade(self.top, 0.8))
        if self.bag and self.side:
            pen.limb([(-0.11 * wide, 0.74), (-0.12 * wide, 0.58)], 0.12, self.bag)
        self._leg(pen, (hips, hip), self.stride, 0.0, leg)
        if self.skirt:
            pen.polygon([(-0.09 * wide, 0.56), (0.09 * wide, 0.56), (0.15 * wide, 0.30), (-0.15 * wide, 0.30)], self.trousers)
        pen.limb([(0, 0.80), (0, 0.88)], 0.07, shade(self.skin, 0.85))
        side_of_torso = ((0.10 * wide, hip), (0.12 * wide, 0.76), (0.07 * wide, 0.82))
        pen.polygon([*side_of_torso, *((-x, y) for x, y in reversed(side_of_torso))], self.top)
        self._arm(pen, (shoulders, 0.775), -self.swing if self.side else self.swing, shade(self.top, 0.8))
        if self.long_hair:
            for x in (-0.06, -0.03) if self.side else (-0.06, 0.06):
                pen.limb([(x, 0.92), (x * 1.2, 0.82)], 0.06, self.hair)
        pen.disc(-0.012 * self.side, 0.925, 0.075, self.hair)
        pen.disc(0.02 * self.side, 0.905, 0.06, self.skin)
        if self.hat:
            pen.polygon(
                [(-0.08, 0.94), (-0.06, 1.0), (0.06, 1.0), (0.08, 0.955), (0.08 + 0.05 * self.side, 0.94)], self.bag or self.top
            )

    def _leg(self, pen: Pen, hip: Point, angle: float, knee: float, colour: Colour) -> None:
        middle = _along(hip, angle, 0.245)
        foot = _along(middle, angle - knee, 0.235)
        toe = (foot[0] + (0.05 if self.side else 0.015 * math.copysign(1, angle)), foot[1] - 0.01)
        pen.limb([hip, middle], 0.10 * self.build, colour)
        pen.limb([middle, foot], 0.075 * self.build, colour)
        pen.limb([foot, toe], 0.06, self.shoes)

    def _arm(self, pen: Pen, shoulder: Point, angle: float, colour: Colour) -> None:
        elbow = _along(shoulder, angle, 0.16)
        hand = _along(elbow, angle + self.bend * (1 if self.side else -0.3 * math.copysign(1, angle)), 0.15)
        pen.limb([shoulder, elbow, hand], 0.062 * self.build, colour)
        pen.disc(*hand, 0.036, self.skin)


def _along(start: Point, angle: float, length: float) -> Point:
    """Return the end of a limb that hangs from a point, turned forward by an angle in radians."""
    return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)
