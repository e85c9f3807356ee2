"""What is around a figure of any class: sky, setting and ground behind it, what hides a part of it, and the light.

Knows no class and no figure, only where one stands and how large it is.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import ImageDraw

from kdviz.data.street.colours import Colour, between, grey, jitter, mix, one_of, paint, shade
from kdviz.data.street.pen import SIDE, Point


def background(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float, clear: bool) -> tuple[list[Colour], Colour]:
    """Draw sky, setting and ground; return the colours a figure must stand out from, and that of the ground."""
    top, low = one_of(rng, (
        ((90, 150, 220), (190, 215, 235)), ((120, 170, 225), (215, 225, 230)), ((165, 175, 185), (205, 210, 212)),
        ((235, 170, 120), (250, 215, 160)), ((70, 85, 130), (180, 140, 150)), ((215, 220, 225), (235, 238, 240)),
    ))  # fmt: skip
    for band in range(0, int(horizon) + 8, 8):
        draw.rectangle((0, band, SIDE, band + 8), fill=mix(top, low, min(band / horizon, 1.0)))
    if rng.random() < 0.4:
        for _ in range(3):
            x, y, w = SIDE * rng.random(), horizon * 0.7 * rng.random(), between(rng, 10, 28)
            draw.ellipse((x - w, y - w * 0.3, x + w, y + w * 0.3), fill=mix(top, (255, 255, 255), 0.6))
    setting = one_of(rng, (_city, _park, _wall, _hills, _houses))
    behind = [low, setting(rng, draw, horizon)]
    ground = jitter(rng, one_of(rng, (
        (105, 105, 110), (130, 128, 125), (165, 160, 150), (95, 135, 65), (120, 150, 85), (190, 170, 130), (225, 228, 232),
    )))  # fmt: skip
    draw.rectangle((0, horizon, SIDE, SIDE), fill=ground)
    kerb = horizon + between(rng, 6, 22)
    if rng.random() < 0.6:
        other = jitter(rng, grey(rng, 80, 190))
        draw.rectangle((0, horizon, SIDE, kerb), fill=other)
        draw.rectangle((0, kerb, SIDE, kerb + 2), fill=shade(other, 1.25))
    if rng.random() < 0.35:
        y, x = between(rng, 100, 122), -20 * rng.random()
        while x < SIDE:
            draw.rectangle((x, y, x + 18, y + 3), fill=shade(ground, 1.4))
            x += 36
    for _ in range(6):
        x, y, w = SIDE * rng.random(), between(rng, horizon, SIDE), between(rng, 4, 22)
        draw.ellipse((x - w, y - w * 0.15, x + w, y + w * 0.15), fill=shade(ground, between(rng, 0.85, 1.12)))
    if not clear and rng.random() < 0.4:
        _lamp(rng, draw, horizon)
    return [*behind, ground], ground


def _city(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> Colour:
    x, wall = -30 * rng.random(), (0, 0, 0)
    while x < SIDE:
        width, roof = between(rng, 28, 60), horizon * between(rng, -0.3, 0.5)
        wall = _building(rng)
        draw.rectangle((x, roof, x + width, horizon + 4), fill=wall)
        pane = mix(wall, one_of(rng, ((40, 50, 70), (250, 230, 160), (190, 215, 235))), 0.6)
        step = between(rng, 11, 17)
        y = roof + 5
        while y < horizon - 8:
            column = x + 5
            while column < x + width - 6:
                draw.rectangle((column, y, column + step * 0.45, y + step * 0.5), fill=pane)
                column += step
            y += step
        x += width
    return wall


def _park(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> Colour:
    leaf = jitter(rng, one_of(rng, ((60, 110, 50), (85, 130, 60), (45, 85, 50), (170, 120, 50), (150, 155, 70))))
    for _ in range(7):
        x, r = SIDE * rng.random(), between(rng, 10, 24)
        draw.ellipse((x - r, horizon - r, x + r, horizon + r), fill=shade(leaf, between(rng, 0.6, 0.9)))
    for _ in range(int(3 * rng.random())):
        x, r = SIDE * rng.random(), between(rng, 13, 24)
        draw.rectangle((x - 3, horizon - 30, x + 3, horizon + 6), fill=(85, 62, 45))
        for dx, dy in ((-0.6, 0.2), (0.6, 0.1), (0.0, -0.4)):
            draw.ellipse((x + r * (dx - 1), horizon - 30 + r * (dy - 1.2), x + r * (dx + 1), horizon - 30 + r * (dy + 0.6)),
                         fill=shade(leaf, between(rng, 0.85, 1.15)))  # fmt: skip
    return shade(leaf, 0.75)


def _wall(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> Colour:
    wall, top = _building(rng), between(rng, -60, 30)
    draw.rectangle((0, top, SIDE, horizon), fill=wall)
    if rng.random() < 0.6:
        course, y = between(rng, 5, 10), top
        while y < horizon:
            draw.rectangle((0, y, SIDE, y + 1), fill=shade(wall, 0.85))
            y += course
    for _ in range(int(3 * rng.random())):
        x, y, w = SIDE * rng.random(), horizon * between(rng, 0.0, 0.5), between(rng, 12, 30)
        draw.rectangle((x, y, x + w, horizon if rng.random() < 0.4 else y + w), fill=mix(wall, paint(rng), 0.6))
    return wall


def _hills(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> Colour:
    hill = jitter(rng, one_of(rng, ((110, 140, 90), (120, 130, 145), (150, 130, 100), (80, 120, 90), (70, 120, 160))))
    for factor in (1.2, 1.0):
        x, r = SIDE * rng.random(), between(rng, 50, 110)
        draw.ellipse((x - r, horizon - r * 0.35, x + r, horizon + r * 0.35), fill=shade(hill, factor))
    return hill


def _houses(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> Colour:
    x, wall = -30 * rng.random(), (0, 0, 0)
    while x < SIDE:
        w, eaves = between(rng, 34, 54), horizon - between(rng, 18, 30)
        wall, roof = _building(rng), one_of(rng, ((140, 70, 55), (90, 80, 80), (110, 60, 45), (70, 80, 95)))
        draw.rectangle((x, eaves, x + w, horizon), fill=wall)
        draw.polygon([(x - 3, eaves), (x + w / 2, eaves - 20), (x + w + 3, eaves)], fill=roof)
        for share in (0.2, 0.65):
            draw.rectangle((x + w * share, eaves + 5, x + w * share + 7, eaves + 13), fill=(60, 70, 90))
        x += w + between(rng, 4, 30)
    hedge = jitter(rng, (70, 115, 55))
    if rng.random() < 0.5:
        draw.rectangle((0, horizon - 10, SIDE, horizon), fill=hedge)
    return wall


def _building(rng: np.random.Generator) -> Colour:
    return jitter(rng, one_of(rng, (
        (165, 90, 70), (190, 175, 150), (150, 150, 155), (210, 195, 160), (120, 110, 105), (175, 135, 105), (140, 160, 170),
    )))  # fmt: skip


def _lamp(rng: np.random.Generator, draw: ImageDraw.ImageDraw, horizon: float) -> None:
    x, colour = SIDE * rng.random(), grey(rng, 30, 120)
    draw.rectangle((x, horizon - 60, x + 3, horizon + 10), fill=colour)
    draw.rectangle((x - 5, horizon - 64, x + 8, horizon - 58), fill=colour)


def occluders(rng: np.random.Generator, x: float, y: float, width: float, height: float) -> list[tuple[list[Point], Colour]]:
    """Return what stands before the figure: thin or low, so that it hides neither the outline nor the proportions."""
    kind = rng.random()
    if kind < 0.4:  # a post
        left, w = x + width * between(rng, -0.45, 0.45), between(rng, 4, 8)
        return [(_rectangle(left, between(rng, -10, 60), left + w, SIDE), grey(rng, 30, 200))]
    if kind < 0.7:  # a shrub at one foot
        cx, r = x + width * between(rng, -0.5, 0.5), between(rng, 0.12, 0.2) * max(width, height)
        leaf = jitter(rng, one_of(rng, ((60, 105, 50), (90, 130, 60), (50, 80, 45))))
        turns = [(i * math.pi / 8, r * (1.12 if i % 2 else 0.95)) for i in range(-3, 12)]
        return [([(cx + out * math.cos(turn), y + 2 - out * math.sin(turn)) for turn, out in turns], leaf)]
    colour, top, gap = grey(rng, 60, 230), y - height * between(rng, 0.1, 0.22), between(rng, 14, 24)
    bars = [(_rectangle(i * gap, top, i * gap + 3, y + 6), colour) for i in range(int(SIDE / gap) + 1)]
    return [*bars, (_rectangle(0, top + 2, SIDE, top + 4), colour)]  # a low fence


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def light(rng: np.random.Generator, shape: tuple[int, int, int], clear: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return what multiplies each pixel and what is added: exposure, tint, a slope of brightness, haze and noise.

    shape: of a square picture, (side, side, 3), and of both arrays, float32.
    """
    exposure = between(rng, 0.95, 1.08) if clear else between(rng, 0.65, 1.2)
    haze = 0.0 if clear else 0.3 * max(rng.random() - 0.5, 0.0)
    noise = 2.0 if clear else between(rng, 2, 9) * exposure
    tint = 1 + (0.03 if clear else 0.1) * (2 * rng.random(3, dtype=np.float32) - 1)
    slope = (0.1 if clear else 0.5) * (rng.random(2) - 0.5)
    ramp = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)
    gain = (1 - haze) * exposure * tint * (1 + slope[0] * ramp[:, None, None] + slope[1] * ramp[None, :, None])
    added = rng.standard_normal(shape, dtype=np.float32) * np.float32(noise) + np.float32(haze * 190 * exposure)
    return gain.astype(np.float32), added
