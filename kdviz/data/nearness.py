"""How far a picture lies from the images a network learned from, so that a page can warn of one unlike all of them.

The principal components of training images fall into ranges, from the strongest to what is left beyond the last. An image
has an energy in each: the mean square of its coordinates there, in units of their spread. Images of a dataset share out
their energies alike; noise has too much in the weak components, a blank picture too little in all. The distance is
Mahalanobis' between the logarithms of a picture's energies and those of training images. A picture counts as far where it
lies beyond all but FAR of held-out images, by the rule of conformal prediction: of new images of the dataset, at most that
share is called far in the mean (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005).

It sees pixels, not meaning: an unknown animal photographed like the known ones is near. Knows numpy alone, no network.
"""

from __future__ import annotations

import math
import uuid
import zipfile
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from kdviz.errors import DataUnavailable, quoted
from kdviz.i18n import N_

FAR = 0.005
SAMPLE = 5000
"""Images of each kind that are looked at, where there are more."""
COMPONENT_SAMPLE = 2000
"""Those among them that give the components; the others give the energies, which would come out too small on the same."""
EDGES = (4, 16, 64, 256)
"""Where the ranges of components end, the last at three quarters of the pixels at most: beyond, some never vary.

Measured on digits, MNIST and CIFAR-10: finer ranges tell noise no better.
"""
BATCH = 500
PIXEL_FLOOR = 0.3 / 255
"""What is left beyond the components counts as at least this much per pixel: rounding to 8 bits leaves about as much."""


@dataclass(frozen=True)
class Nearness:
    """What `fit` learned. An image counts as its p = height * width * channels pixels, each in 0..1; k: number of components.

    mean: (height, width, channels); components: (p, k), float32 with the digits of half precision, so that `save` loses none;
    spread: (k,), their standard deviations; energy_mean: (ranges,) and energy_inverse: (ranges, ranges), of the logarithms of
    the energies; held_out: distances of held-out images, ascending.
    """

    mean: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    energy_mean: np.ndarray
    energy_inverse: np.ndarray
    held_out: np.ndarray

    @property
    def limit(self) -> float:
        """The distance beyond which a picture is far; with fewer than 199 held-out images, that of the farthest of them."""
        rank = math.ceil((len(self.held_out) + 1) * (1 - FAR))
        return float(self.held_out[min(rank, len(self.held_out)) - 1])


def fit(images: np.ndarray, held_out: np.ndarray, seed: int = 0) -> Nearness:
    """Learn what a dataset's images look like, from a sample of them drawn by the seed.

    images: those a network learned from, at least 20; held_out: others. Both uint8 (n, height, width, channels).
    """
    generator = np.random.default_rng(seed)
    sample, others = _sample(images, generator), _sample(held_out, generator)
    learned_from = min(COMPONENT_SAMPLE, len(sample) * 3 // 4)
    mean, components, spread = _principal_components(sample[:learned_from])
    energies = _log_energies(sample[learned_from:], mean, components, spread)
    # What is added keeps the inverse finite where all training images are alike.
    inverse = np.linalg.inv(np.cov(energies, rowvar=False) + 1e-3 * np.eye(energies.shape[1]))
    nearness = Nearness(mean, components, spread, energies.mean(axis=0), inverse, np.empty(0))
    distances = np.sort(distance(nearness, others))
    typical = np.median(distances)
    return replace(nearness, energy_inverse=inverse / typical**2, held_out=distances / typical)


def distance(nearness: Nearness, pixels: np.ndarray) -> np.ndarray:
    """Return how far pictures lie from the training images; half of the held-out images lie within 1.

    pixels: uint8 (n, height, width, channels) -> (n,).
    """
    gap = _log_energies(pixels, nearness.mean, nearness.components, nearness.spread) - nearness.energy_mean
    return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", gap, nearness.energy_inverse, gap)))


def share_farther(nearness: Nearness, pixels: np.ndarray) -> np.ndarray:
    """Return the share, 0..1, of held-out images that lie at least as far as a picture: (n, height, width, channels) -> (n,)."""
    nearer = np.searchsorted(nearness.held_out, distance(nearness, pixels))
    return np.asarray(1 - nearer / len(nearness.held_out))


def is_far(nearness: Nearness, pixels: np.ndarray) -> np.ndarray:
    """Return which pictures are unlike the training images: uint8 (n, height, width, channels) -> bool (n,)."""
    return np.asarray(distance(nearness, pixels) > nearness.limit)


def save(nearness: Nearness, path: Path) -> None:
    """Write a Nearness as one .npz of at most 2 MB, not seen before it is whole. Raises DataUnavailable where it cannot."""
    arrays = {field.name: getattr(nearness, field.name).astype(np.float32) for field in fields(nearness)}
    arrays["components"] = arrays["components"].astype(np.float16)
    scratch = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez(file, **arrays)
        scratch.replace(path)
    except OSError as error:
        raise DataUnavailable(
            N_("{file} cannot be written ({reason}): free some space or set KDVIZ_DATA"), file=quoted(path), reason=error.strerror
        ) from None


def load(path: Path) -> Nearness:
    """Read what `save` wrote. Raises DataUnavailable where the file is absent or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Nearness(**{field.name: arrays[field.name].astype(np.float32) for field in fields(Nearness)})
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise DataUnavailable(N_("{file} is absent or damaged: delete it, and it is made anew"), file=quoted(path)) from None


def _sample(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return at most SAMPLE of the images, in random order."""
    return images[generator.permutation(len(images))[:SAMPLE]]


def _principal_components(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, components and spread, as Nearness has them, of images (n, height, width, channels)."""
    flat = images.reshape(len(images), -1) / np.float32(255)
    mean = flat.mean(axis=0)
    centred = flat - mean
    kept = min(EDGES[-1], flat.shape[1] * 3 // 4, len(flat) // 4)
    # The images' products with each other have the same eigenvalues as those of the pixels, which may be more.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    lengths = np.sqrt(np.maximum(values[::-1][:kept], 1e-6))
    components = (centred.T @ vectors[:, ::-1][:, :kept]) / lengths
    return mean.reshape(images.shape[1:]), components.astype(np.float16).astype(np.float32), lengths / math.sqrt(len(flat))


def _log_energies(images: np.ndarray, mean: np.ndarray, components: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the logarithm of the energy in every range of components, and of what they leave over: (n, ...) -> (n, ranges).

    A thousandth of the usual energy is added, and PIXEL_FLOOR, so that a picture without any has a logarithm.
    """
    edges = [0, *(edge for edge in EDGES if edge < len(spread)), len(spread)]
    energies = np.empty((len(images), len(edges)))
    for start in range(0, len(images), BATCH):
        batch = slice(start, start + BATCH)
        centred = (images[batch] / np.float32(255) - mean).reshape(-1, mean.size)
        coordinates = centred @ components
        left_over = centred - coordinates @ components.T
        for number, (first, last) in enumerate(pairwise(edges)):
            energies[batch, number] = 1e-3 + np.mean((coordinates[:, first:last] / spread[first:last]) ** 2, axis=1)
        energies[batch, -1] = PIXEL_FLOOR**2 + np.mean(left_over**2, axis=1)
    return np.log(energies)
