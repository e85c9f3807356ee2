"""Turns a stranger's picture, the bytes of an upload or a drawing, into what a network sees: an array of a dataset's shape.

Whatever the bytes are, the answer is a picture or one sentence. Knows Pillow and numpy, no network and no page.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from itertools import product
from typing import IO

import numpy as np
from PIL import (
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageFilter,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from kdviz.errors import InvalidValue
from kdviz.i18n import N_

Shape = tuple[int, int, int]  # height, width, channels

MAX_BYTES = 20_000_000
DECODER_BYTES = 196_000_000
"""Memory that decoding a picture may take: 3500 x 3500 pixels of WebP, 7000 x 7000 of PNG, more of most photographs.

A picture's header says how many pixels come, so one that would take more is refused undecoded.
"""
KEPT_PIXELS = 4_000_000
"""A picture of more pixels is shrunk to fewer: no network here looks at more than a few thousand."""

_OPENERS: dict[bytes, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.jpeg_factory,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
}
_MOST_BYTES_PER_PIXEL = 16


def read(content: bytes) -> Image.Image:
    """Return the picture in a file's bytes: RGB of 8 bits, upright, on white where it is transparent, the first of its frames.

    content: a PNG, JPEG, WebP or GIF. Raises InvalidValue where it is none of these, is cut short or damaged, has more than
    MAX_BYTES, or would take more than DECODER_BYTES to decode.
    """
    if not content:
        raise InvalidValue(N_("the file is empty: choose a PNG, JPEG, WebP or GIF picture"))
    if len(content) > MAX_BYTES:
        raise InvalidValue(
            N_("the file has {megabytes:.1f} MB, at most {most} MB can be read: make the picture smaller and try again"),
            megabytes=math.ceil(len(content) / 100_000) / 10,
            most=MAX_BYTES // 1_000_000,
        )
    opener = next((opener for signature, opener in _OPENERS.items() if content.startswith(signature)), None)
    if opener is None:
        raise InvalidValue(N_("the file is no PNG, JPEG, WebP or GIF picture: save it as one of these and try again"))
    try:
        # Image.open would warn of a large picture on the terminal before its size could be looked at.
        image = opener(io.BytesIO(content))
        cost = _bytes_per_pixel(image)
        if image.width * image.height * cost > DECODER_BYTES:
            raise Image.DecompressionBombError
        image.draft("RGB", (1024, 1024))  # a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, while that is still larger
        picture = _on_white(image)
        picture.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
        return ImageOps.exif_transpose(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidValue(
            N_("the picture has too many pixels to be read here: make it smaller, such as {side} x {side}, and try again"),
            side=math.isqrt(DECODER_BYTES // _MOST_BYTES_PER_PIXEL),
        ) from None
    except Exception:  # decoders say in many ways that bytes are not what they expect: OSError, SyntaxError, struct.error ...
        raise InvalidValue(N_("the picture is damaged or cut short: choose it again, or save it anew as PNG or JPEG")) from None


def _bytes_per_pixel(image: Image.Image) -> int:
    """Return what decoding takes at its peak, as measured with Pillow 13, rounded up."""
    if image.format in ("PNG", "GIF"):
        return 4
    if image.format == "WEBP":
        return _MOST_BYTES_PER_PIXEL
    return 8 if "progressive" in image.info else 2  # of a progressive JPEG all coefficients are kept


def _on_white(image: Image.Image) -> Image.Image:
    """Return the picture in RGB with at most KEPT_PIXELS, converted tile by tile so that it is never in memory twice."""
    factor = math.ceil(math.sqrt(image.width * image.height / KEPT_PIXELS))
    side = 256 * factor
    whole = Image.new("RGB", (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    for top, left in product(range(0, image.height, side), range(0, image.width, side)):
        tile = image.crop((left, top, min(left + side, image.width), min(top + side, image.height)))
        if tile.mode.startswith("I"):  # 16 bits, which Pillow's own conversion clips
            tile = Image.fromarray((np.asarray(tile) // 257).astype(np.uint8))
        if tile.has_transparency_data:
            tile = Image.alpha_composite(Image.new("RGBA", tile.size, "white"), tile.convert("RGBA"))
        whole.paste(tile.convert("RGB").reduce(factor), (left // factor, top // factor))
    return whole


def fitted(image: Image.Image, shape: Shape) -> np.ndarray:
    """Return the middle of a picture at a dataset's shape: uint8 (height, width, channels), grey by ITU-R 601 for one channel.

    The largest part of the shape's proportions is cut out of the middle and resized with Lanczos' filter.
    """
    height, width, channels = shape
    coloured = image.convert("L" if channels == 1 else "RGB")
    return np.array(ImageOps.fit(coloured, (width, height), Image.Resampling.LANCZOS)).reshape(shape)


def as_digit(ink: np.ndarray, shape: Shape) -> np.ndarray:
    """Return a drawn digit as the images of a dataset of digits were made: uint8 of that shape, (28, 28, 1) or (8, 8, 1).

    ink: (height, width) uint8, bright strokes on black. Raises InvalidValue where nothing is drawn.
    """
    strokes = ink > ink.max(initial=0) / 2
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    if len(rows) == 0:
        raise InvalidValue(N_("there is no digit to see: draw one, or choose a picture of one"))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _as_mnist(box) if shape == (28, 28, 1) else _as_digits(box)


def _as_mnist(box: np.ndarray) -> np.ndarray:
    """Return what MNIST's makers made of a digit's bounding box: (height, width) -> (28, 28, 1).

    The longer side becomes 20 pixels, anti-aliased; the centre of mass lies in the middle of the field, to the pixel (LeCun,
    Cortes and Burges, "The MNIST database of handwritten digits"). Its images put it at row and column 14.0 on average and
    all reach 254, so thin strokes are brightened.
    """
    height, width = np.maximum(1, np.round(20 * np.array(box.shape) / max(box.shape)).astype(int))
    small = _resized(box, height, width)
    small *= 255 / small.max()
    rows, columns = small.sum(axis=1), small.sum(axis=0)
    top = np.clip(round(14 - rows @ np.arange(height) / rows.sum()), 0, 28 - height)
    left = np.clip(round(14 - columns @ np.arange(width) / columns.sum()), 0, 28 - width)
    field = np.zeros((28, 28, 1), np.uint8)
    field[top : top + height, left : left + width, 0] = np.round(small)
    return field


def _as_digits(box: np.ndarray) -> np.ndarray:
    """Return what the makers of scikit-learn's digits made of a digit's bounding box: (height, width) -> (8, 8, 1).

    Black or white, 20 wide and 32 high whatever its proportions; strokes thickened below 256 pixels of ink, thinned above
    412 (98.5 % of the training images lie between); sheared until the leftmost ink near the top stands above that near the
    bottom; then counted in blocks of 4 x 4. After NIST's norm_2nd_gen and shear_char (Garris and others, NISTIR 5469, 1994).
    """
    small = _resized(box, 32, 20)
    field = np.zeros((32, 32), bool)
    field[:, 6:26] = small > small.max() / 2
    ink = field.sum()
    for limit in (256, 108):
        if ink < limit:
            field = np.logical_or.reduce(_with_neighbours(field, beyond=False))
    for limit in (412, 560):
        if ink > limit:
            field = np.logical_and.reduce(_with_neighbours(field, beyond=True))
    upper, lower = np.flatnonzero(field[2]), np.flatnonzero(field[29])
    if len(upper) and len(lower):
        slope = (upper[0] - lower[0]) / 27
        field = np.stack([_shifted(row, round((number - 16) * slope)) for number, row in enumerate(field)])
    counts = field.reshape(8, 4, 8, 4).sum(axis=(1, 3))
    digit: np.ndarray = np.round(counts * (255 / 16)).astype(np.uint8)[..., None]
    return digit


def _resized(box: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the means over the areas that the new pixels cover, unrounded, so that the finest line leaves something."""
    return np.array(Image.fromarray(box.astype(np.float32)).resize((width, height), Image.Resampling.BOX), np.float64)


def _with_neighbours(field: np.ndarray, beyond: bool) -> list[np.ndarray]:
    """Return a field and, at every place, its four neighbours; beyond: what lies outside its edges."""
    padded = np.pad(field, 1, constant_values=beyond)
    return [field, padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


def _shifted(row: np.ndarray, by: int) -> np.ndarray:
    """Return a row moved to the right, or to the left for a negative number, with nothing moving in."""
    moved = np.zeros_like(row)
    moved[max(by, 0) : len(row) + min(by, 0)] = row[max(-by, 0) : len(row) - max(by, 0)]
    return moved


def digit_from_photo(image: Image.Image) -> np.ndarray:
    """Return the ink of a photographed, scanned or painted digit: (height, width) uint8, bright strokes on black.

    What lies at the border is taken for ground, so ink may be dark or light. Unequal light on the ground is taken away.
    """
    grey = image.convert("L")
    grey.thumbnail((280, 280), Image.Resampling.BOX)
    pixels = np.array(grey)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if np.median(border) > _otsu(pixels):
        grey = ImageOps.invert(grey)
    # The ground is what a blur wider than any stroke leaves over.
    ground = grey.filter(ImageFilter.GaussianBlur(max(grey.size) / 8))
    raised = np.maximum(np.array(grey, np.float64) - np.array(ground), 0)
    threshold = _otsu(raised.astype(np.uint8))
    if not (raised > threshold).any():
        return np.zeros(raised.shape, np.uint8)
    low, high = threshold / 2, np.median(raised[raised > threshold])
    ink: np.ndarray = (np.clip((raised - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return ink


def _otsu(pixels: np.ndarray) -> int:
    """Return the level above which the brighter of two classes lies: the one that parts them best (Otsu, 1979)."""
    levels = np.arange(256)
    counts = np.bincount(pixels.ravel(), minlength=256)
    darker, sums = np.cumsum(counts), np.cumsum(counts * levels)
    brighter = darker[-1] - darker
    means = sums / np.maximum(darker, 1), (sums[-1] - sums) / np.maximum(brighter, 1)
    return int(np.argmax(darker * brighter * (means[1] - means[0]) ** 2.0))
