"""street: pictures of pedestrians, dogs, cars and trucks drawn by the program, with the true posterior of each.

The example of Hinton, Vinyals and Dean (2015, arXiv:1503.02531) is a BMW that is far likelier to be taken for a garbage
truck than for a carrot. Here that is a known number. Every vehicle has one body, continuous in a shape s from 0 (a car) to
1 (a lorry); the class decides the density s is drawn from, Beta(2, 5) for cars and Beta(5, 2) for trucks, and nothing else
of the picture. With equal priors the posterior of one who reads s off the picture is therefore

    P(truck | s, vehicle) = s^3 / (s^3 + (1 - s)^3),

and no network does better than `bayes_accuracy`. Pedestrians and dogs overlap with nothing, by construction: each has a
body of its own, so their true posterior is one-hot. Background, light, noise and what hides a figure follow the same rules
for all.

Owns the truth and how a picture comes together; `vehicle`, `pedestrian` and `dog` are the figures, `surroundings` the rest of a
scene. Knows nothing of files, splits, networks or pages; draws with numpy and Pillow alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from kdviz.data.street import surroundings
from kdviz.data.street.colours import Colour, between, shade
from kdviz.data.street.dog import Dog
from kdviz.data.street.pedestrian import Pedestrian
from kdviz.data.street.pen import SIDE, Pen, Point
from kdviz.data.street.vehicle import Vehicle
from kdviz.errors import UnknownName, quoted
from kdviz.i18n import N_

CLASS_NAMES = ("pedestrian", "dog", "car", "truck")
SHAPE = (32, 32, 3)
CAR, TRUCK = 2, 3
BETA = {CAR: (2, 5), TRUCK: (5, 2)}
"""The parameters of the density of s, by class."""


def density(label: int | str, s: np.ndarray) -> np.ndarray:
    """Return the density of the shape s for cars or for trucks: s (...), 0..1 -> (...). Raises UnknownName for other classes."""
    a, b = BETA[_index(label, tuple(BETA))]
    normalizer = math.gamma(a + b) / (math.gamma(a) * math.gamma(b))
    return np.asarray(normalizer * np.power(s, a - 1) * np.power(1 - np.asarray(s), b - 1))


def posterior(labels: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return the true posterior of each image, which for vehicles depends on s alone and not on the label they were drawn as.

    labels: (n,) integers; s: (n,), 0..1 for vehicles, not read for pedestrians and dogs -> (n, 4), rows summing to 1.
    """
    labels, s = np.asarray(labels), np.asarray(s, dtype=np.float64)
    rows: np.ndarray = np.eye(len(CLASS_NAMES))[labels]
    vehicle = (labels == CAR) | (labels == TRUCK)
    odds = s[vehicle] ** 3, (1 - s[vehicle]) ** 3
    rows[vehicle, TRUCK] = odds[0] / (odds[0] + odds[1])
    rows[vehicle, CAR] = 1 - rows[vehicle, TRUCK]
    return rows


def bayes_accuracy() -> float:
    """Return the accuracy of the true posterior, all four classes alike often: what no network can exceed but by luck."""
    from scipy.special import betainc

    # A car is taken for a car where s < 1/2; trucks mirror cars.
    return float(0.5 + 0.5 * betainc(*BETA[CAR], 0.5))


def draw_truth(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw what n pictures are to show: every class alike often (to within one) in random order, each vehicle with its shape.

    Returns labels (n,) int64, and shapes (n,) float32, 0..1, nan for pedestrians and dogs.
    """
    labels = rng.permutation(np.arange(n, dtype=np.int64) % len(CLASS_NAMES))
    shapes = np.full(n, np.nan, np.float32)
    for vehicle, parameters in BETA.items():
        shapes[labels == vehicle] = rng.beta(*parameters, size=int((labels == vehicle).sum()))
    return labels, shapes


def generate(
    n: int, seed: int, progress: Callable[[float], None] = lambda share: None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw n pictures with their labels and shapes, as `draw_truth` has them. The same seed gives the same bytes.

    progress: called with the share that is drawn, 0..1. Returns pixels (n, 32, 32, 3) uint8, labels (n,), shapes (n,).
    """
    rng = np.random.default_rng(seed)
    labels, shapes = draw_truth(n, rng)
    pixels = np.empty((n, *SHAPE), np.uint8)
    for i in range(n):
        pixels[i] = render(scene(rng, int(labels[i])), float(shapes[i]))
        if i % 500 == 0:
            progress(i / n)
    progress(1.0)
    return pixels, labels, shapes


def clear(label: int | str, seed: int) -> np.ndarray:
    """Draw one clear picture of a class: large, nothing before it, in good light; a vehicle far from the overlap. (32, 32, 3)"""
    rng = np.random.default_rng(seed)
    index = _index(label)
    one = scene(rng, index, clear=True)
    return render(one, {CAR: 0.1, TRUCK: 0.9}.get(index, math.nan) + 0.06 * between(rng, -1, 1))


def morph(seed: int, shapes: Iterable[float]) -> np.ndarray:
    """Draw one clear vehicle in every given shape, all else equal to the last pixel's noise: k shapes, 0..1 -> (k, 32, 32, 3)."""
    one = scene(np.random.default_rng(seed), CAR, clear=True)
    return np.stack([render(one, s) for s in shapes])


def _index(label: int | str, among: Sequence[int] = range(len(CLASS_NAMES))) -> int:
    for index in among:
        if label in (index, CLASS_NAMES[index]):
            return index
    raise UnknownName(
        N_("unknown class {name}; known: {known}"), name=quoted(label, 80), known=[CLASS_NAMES[index] for index in among]
    )


# A scene, and its picture


@dataclass(frozen=True)
class Scene:
    """Everything of a picture but the shape of its vehicle.

    background: the canvas before the figure stands on it; feet: where on the canvas the middle of its feet is; size: of its
    unit, in canvas pixels; facing: -1 left, 1 right; tilt: its slope; occluders: polygons before it, each with its colour;
    gain, haze: (32, 32, 3) float32, what the light multiplies each pixel with and what it adds, the noise included.
    """

    background: Image.Image
    figure: Pedestrian | Dog | Vehicle
    feet: Point
    size: float
    facing: int
    tilt: float
    occluders: list[tuple[list[Point], Colour]]
    gain: np.ndarray
    haze: np.ndarray


def scene(rng: np.random.Generator, label: int | str, clear: bool = False) -> Scene:
    """Draw all that is random about a picture but the vehicle's shape: a car's and a truck's scene are drawn alike.

    clear: large, in the middle, in good light, with nothing before it. Raises UnknownName.
    """
    index = _index(label)
    kind: type[Pedestrian | Dog | Vehicle] = (Pedestrian, Dog, Vehicle, Vehicle)[index]
    horizon = between(rng, 56, 76) if clear else between(rng, 36, 88)
    image = Image.new("RGB", (SIDE, SIDE))
    behind, ground = surroundings.background(rng, ImageDraw.Draw(image), horizon, clear)
    size = between(rng, *((kind.SIZES[1] * 0.9, kind.SIZES[1]) if clear else kind.SIZES))
    width, height = (size * extent for extent in kind.EXTENT)
    highest = max(108, height + 4) if clear else max(horizon + 8, height + 2)
    y = between(rng, min(highest, 118), 118 if clear else 122)
    play = 0.4 if clear else 1.0
    x = SIDE / 2 + play * between(rng, -1, 1) * max(SIDE - width, 8) / 2
    figure = kind.random(rng, behind, clear)
    facing = 1 if rng.random() < 0.5 else -1
    tilt = math.radians(between(rng, -1, 1) * (1 if clear else 4))
    shadow = shade(ground, 0.6)
    ImageDraw.Draw(image).ellipse((x - width * 0.5, y - 4, x + width * 0.5, y + 4), fill=shadow)
    occluders = [] if clear or rng.random() < 0.5 else surroundings.occluders(rng, x, y, width, height)
    gain, haze = surroundings.light(rng, SHAPE, clear)
    return Scene(image, figure, (x, y), size, facing, tilt, occluders, gain, haze)


def render(scene: Scene, s: float = math.nan) -> np.ndarray:
    """Draw a scene: its picture, (32, 32, 3) uint8. s: the shape of its vehicle, 0..1; not read where there is none.

    Raises InvalidValue for a vehicle whose shape is not within 0..1.
    """
    canvas = scene.background.copy()
    draw = ImageDraw.Draw(canvas)
    scene.figure.draw(Pen(draw, scene.feet, scene.size, scene.facing, scene.tilt), s)
    for points, colour in scene.occluders:
        draw.polygon(points, fill=colour)
    pixels = np.asarray(canvas.reduce(SIDE // SHAPE[0]), dtype=np.float32)
    lit: np.ndarray = np.clip(pixels * scene.gain + scene.haze + 0.5, 0, 255).astype(np.uint8)
    return lit
