"""The one body that cars and trucks share: its outline at every shape s from 0 (a car) to 1 (a lorry), and its colours.

Knows no class: of a vehicle's class nothing enters but s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdviz.data.street.colours import Colour, against, between, grey, mix, paint, shade
from kdviz.data.street.pen import Pen
from kdviz.errors import InvalidValue, quoted
from kdviz.i18n import N_

# The outlines of the body, evenly spaced from s = 0 to s = 1 and point for point; what lies between two is the straight line
# from one to the next. In units of the vehicle's length, so that the proportions and not the size tell the shape.
OUTLINES: dict[str, np.ndarray] = {
    name: np.array(keys)
    for name, *keys in (
        (  # a saloon's boot, an estate's rear, a van's, a box
            "box",
            [(0.01, 0.12), (0.02, 0.19), (0.04, 0.205), (0.24, 0.21), (0.25, 0.20), (0.25, 0.12)],
            [(0.00, 0.12), (0.015, 0.21), (0.07, 0.33), (0.44, 0.35), (0.45, 0.33), (0.45, 0.12)],
            [(0.00, 0.12), (0.005, 0.36), (0.02, 0.38), (0.56, 0.385), (0.57, 0.37), (0.57, 0.12)],
            [(0.00, 0.13), (0.00, 0.455), (0.01, 0.465), (0.64, 0.465), (0.65, 0.455), (0.65, 0.13)],
            [(0.00, 0.14), (0.00, 0.53), (0.01, 0.54), (0.715, 0.54), (0.725, 0.53), (0.725, 0.14)],
        ),
        (
            "quarter window",
            [(0.24, 0.20), (0.28, 0.24), (0.40, 0.25), (0.40, 0.20)],
            [(0.08, 0.215), (0.115, 0.305), (0.37, 0.315), (0.37, 0.215)],
            [(0.50, 0.24), (0.50, 0.34), (0.50, 0.34), (0.50, 0.24)],
            [(0.70, 0.26), (0.70, 0.36), (0.70, 0.36), (0.70, 0.26)],
            [(0.80, 0.27), (0.80, 0.38), (0.80, 0.38), (0.80, 0.27)],
        ),
        (
            "stripe",
            [(0.05, 0.14), (0.05, 0.17), (0.17, 0.17), (0.17, 0.14)],
            [(0.03, 0.22), (0.03, 0.31), (0.40, 0.31), (0.40, 0.22)],
            [(0.06, 0.27), (0.06, 0.42), (0.66, 0.42), (0.66, 0.27)],
        ),
        (
            "cabin",
            [(0.16, 0.19), (0.18, 0.21), (0.30, 0.32), (0.34, 0.335), (0.52, 0.335), (0.56, 0.325), (0.74, 0.21), (0.76, 0.18)],
            [(0.47, 0.15), (0.48, 0.21), (0.53, 0.36), (0.55, 0.375), (0.69, 0.375), (0.73, 0.36), (0.87, 0.22), (0.88, 0.18)],
            [(0.77, 0.10), (0.77, 0.21), (0.77, 0.40), (0.79, 0.42), (0.92, 0.42), (0.94, 0.41), (0.985, 0.22), (0.99, 0.18)],
        ),
        (
            "body",
            [(0.0, 0.06), (0.0, 0.17), (0.03, 0.205), (0.2, 0.215), (0.72, 0.215), (0.92, 0.19), (0.98, 0.16), (1.0, 0.12),
             (1.0, 0.06), (0.6, 0.06), (0.5, 0.06)],
            [(0.0, 0.10), (0.0, 0.14), (0.03, 0.145), (0.2, 0.145), (0.77, 0.16), (0.97, 0.23), (0.99, 0.22), (1.0, 0.17),
             (1.0, 0.06), (0.77, 0.06), (0.76, 0.10)],
        ),
        (
            "flank",
            [(0.0, 0.06), (0.0, 0.12), (0.5, 0.115), (1.0, 0.11), (1.0, 0.06)],
            [(0.77, 0.06), (0.77, 0.14), (0.88, 0.14), (1.0, 0.13), (1.0, 0.06)],
        ),
        (
            "chassis",
            [(0.0, 0.055), (0.0, 0.075), (0.9, 0.075), (1.0, 0.075), (1.0, 0.055)],
            [(0.0, 0.085), (0.0, 0.145), (0.7, 0.145), (0.79, 0.12), (0.79, 0.075)],
        ),
        (
            "rear window",
            [(0.225, 0.22), (0.32, 0.305), (0.42, 0.31), (0.42, 0.22)],
            [(0.55, 0.24), (0.57, 0.34), (0.62, 0.345), (0.62, 0.24)],
            [(0.80, 0.27), (0.80, 0.38), (0.80, 0.38), (0.80, 0.27)],
        ),
        (
            "front window",
            [(0.45, 0.22), (0.45, 0.31), (0.54, 0.31), (0.69, 0.22)],
            [(0.65, 0.24), (0.65, 0.345), (0.71, 0.345), (0.82, 0.24)],
            [(0.83, 0.26), (0.83, 0.385), (0.935, 0.385), (0.975, 0.26)],
        ),
        (
            "headlight",
            [(0.95, 0.13), (0.95, 0.165), (0.985, 0.15), (1.0, 0.12)],
            [(0.95, 0.105), (0.95, 0.145), (1.0, 0.145), (1.0, 0.105)],
        ),
        (
            "tail light",
            [(0.0, 0.135), (0.0, 0.18), (0.035, 0.18), (0.035, 0.135)],
            [(0.0, 0.095), (0.0, 0.14), (0.03, 0.14), (0.03, 0.095)],
        ),
    )
}  # fmt: skip
WHEELS = np.array([[0.19, 0.19, 0.81], [0.18, 0.19, 0.84], [0.155, 0.33, 0.875]])
"""Where the axles are, keyed alike: the second rear axle comes out from behind the first."""
WHEEL_RADIUS = np.array([0.082, 0.078])


def _between_keys(keys: np.ndarray, s: float) -> np.ndarray:
    """Return what lies at s on the broken line through evenly spaced keys: keys (k, ...), s 0..1 -> (...)."""
    at = s * (len(keys) - 1)
    first = min(int(at), len(keys) - 2)
    return np.asarray(keys[first] + (at - first) * (keys[first + 1] - keys[first]))


@dataclass(frozen=True)
class Vehicle:
    """A car, a truck, or what lies between: its colours, and how large its wheels are against the usual."""

    body: Colour
    box: Colour
    stripe: Colour
    glass: Colour
    hub: Colour
    wheels: float

    SIZES = (92.0, 118.0)  # canvas pixels to a unit, here the length
    EXTENT = (1.0, 0.54)  # width and height in units, at most

    @classmethod
    def random(cls, rng: np.random.Generator, behind: list[Colour], clear: bool) -> Vehicle:
        body = against(rng, behind, paint, clear)
        box = against(rng, behind, lambda rng: grey(rng, 150, 250) if rng.random() < 0.6 else paint(rng), clear, body)
        glass = mix((30, 40, 55), (150, 185, 205), rng.random() * (0.3 if sum(body) > 330 else 1.0))
        return cls(body, box, paint(rng), glass, grey(rng, 120, 230), between(rng, 0.93, 1.07))

    def draw(self, pen: Pen, s: float) -> None:
        if not 0 <= s <= 1:
            raise InvalidValue(N_("shape must be a number from 0 (a car) to 1 (a truck), got {value}"), value=quoted(s, 40))
        dark = (28, 28, 32)
        # The box takes its own colour late, so that the colours alone do not settle the middle.
        box = mix(self.body, self.box, s * s)
        for part, colour in (
            ("box", box),
            ("stripe", mix(box, self.stripe, 0.7 * s * s)),
            ("quarter window", self.glass),
            ("cabin", self.body),
            ("body", self.body),
            ("flank", shade(self.body, 0.75)),
            ("chassis", dark),
            ("rear window", self.glass),
            ("front window", self.glass),
            ("headlight", (255, 245, 190)),
            ("tail light", (215, 30, 25)),
        ):
            outline = _between_keys(OUTLINES[part], s)
            pen.polygon([(x - 0.5, y) for x, y in outline.tolist()], colour)
        radius = self.wheels * float(_between_keys(WHEEL_RADIUS, s))
        for x in _between_keys(WHEELS, s).tolist():
            pen.disc(x - 0.5, radius, radius * 1.1, dark)
            pen.disc(x - 0.5, radius, radius * 0.5, self.hub)
