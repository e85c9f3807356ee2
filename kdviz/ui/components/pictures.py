"""Images as PNG: enlarged without smoothing, so that an image of 8x8 pixels shows its pixels."""

from __future__ import annotations

import base64
import io
from functools import lru_cache

import numpy as np


def png(pixels: np.ndarray, side: int = 0) -> bytes:
    """Return a PNG of one image, (height, width, channels) uint8, each pixel enlarged by a whole factor up to about `side`."""
    from PIL import Image

    factor = _factor(pixels, side)
    large = np.repeat(np.repeat(np.asarray(pixels), factor, axis=0), factor, axis=1)
    picture = Image.fromarray(large[:, :, 0] if large.shape[2] == 1 else large)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def width(pixels: np.ndarray, side: int) -> int:
    """Return how wide `png` makes an image: shown at another width, its pixels would be smoothed."""
    return int(pixels.shape[1]) * _factor(pixels, side)


def _factor(pixels: np.ndarray, side: int) -> int:
    return max(1, side // int(max(pixels.shape[:2])))


def data_uri(pixels: np.ndarray) -> str:
    """Return one image, (height, width, channels) uint8, as a data URI of a PNG in its own size."""
    return _data_uri(np.ascontiguousarray(pixels).tobytes(), pixels.shape)


@lru_cache(maxsize=4096)
def _data_uri(content: bytes, shape: tuple[int, ...]) -> str:
    image = np.frombuffer(content, dtype=np.uint8).reshape(shape)
    return "data:image/png;base64," + base64.b64encode(png(image)).decode("ascii")
