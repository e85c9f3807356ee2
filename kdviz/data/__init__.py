"""Datasets by name: prepared once into memory-mapped arrays, read from then on without torch or scikit-learn.

A prepared dataset is a folder of three files: pixels.npy (n, height, width, channels) uint8, labels.npy (n,) int64, and
meta.json. The images lie in the order train, validation, test, so that each split is a slice of one file. Folders are
looked for in assets/datasets (shipped with kdviz) and then in KDVIZ_DATA/prepared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from kdviz import settings
from kdviz.errors import DataUnavailable, UnknownName, quoted
from kdviz.i18n import N_

Split = Literal["train", "validation", "test", "training"]


@dataclass(frozen=True)
class Source:
    """What is known of a dataset before it is prepared. shape: (height, width, channels)."""

    name: str
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    megabytes: int  # to download, 0 where it ships with a package


TEN_DIGITS = tuple("0123456789")
SOURCES = {
    source.name: source
    for source in (
        Source("digits", (8, 8, 1), TEN_DIGITS, 0),
        Source("mnist", (28, 28, 1), TEN_DIGITS, 12),
    )
}


def source(name: object) -> Source:
    """Return what is known of a dataset. Raises UnknownName, listing the known ones."""
    if not isinstance(name, str) or name not in SOURCES:
        raise UnknownName(N_("unknown dataset {name}; known: {known}"), name=quoted(name, 80), known=list(SOURCES))
    return SOURCES[str(name)]


@dataclass(frozen=True)
class Images:
    """One split. pixels: (n, height, width, channels) uint8, 0 black; labels: (n,) int64, indices into class_names."""

    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset. counts: images in train, validation, test; mean, std: of the training pixels by channel, in 0..1."""

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    counts: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str

    def slice(self, split: Split) -> slice:
        """Return where a split lies in the arrays; `training` is train and validation together."""
        train, validation, test = self.counts
        return {
            "train": slice(0, train),
            "validation": slice(train, train + validation),
            "training": slice(0, train + validation),
            "test": slice(train + validation, train + validation + test),
        }[split]

    def split(self, split: Split) -> Images:
        where = self.slice(split)
        return Images(self.pixels[where], self.labels[where], self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.pixels.shape[1:]
        return int(height), int(width), int(channels)


def prepared_folder(name: str) -> Path | None:
    """Return where a dataset lies prepared, or None where it does not."""
    for root in (settings.ASSETS / "datasets", settings.data_folder() / "prepared"):
        if (root / name / "meta.json").is_file():
            return root / name
    return None


def load(name: object) -> Dataset:
    """Open a prepared dataset, memory-mapped. Raises UnknownName, or DataUnavailable with the command that prepares it."""
    known = source(name)
    folder = prepared_folder(known.name)
    if folder is None:
        raise DataUnavailable(
            N_("{dataset} is not prepared on this machine yet: run `python -m kdviz data {dataset}`"), dataset=known.name
        )
    return _open(folder, (folder / "meta.json").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _open(folder: Path, _modified: int) -> Dataset:
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy", mmap_mode="r")
        counts = tuple(meta["counts"])
        if not len(pixels) == len(labels) == sum(counts):
            raise ValueError(f"{len(pixels)} images, {len(labels)} labels, {sum(counts)} expected")
        return Dataset(
            meta["name"], pixels, labels, tuple(meta["class_names"]), counts,
            tuple(meta["mean"]), tuple(meta["std"]), meta["sha256"],
        )  # fmt: skip
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataUnavailable(
            N_(
                "the prepared data in {folder} is damaged ({reason}): delete that folder and prepare it again "
                "with `python -m kdviz data {dataset}`"
            ),
            folder=quoted(folder),
            reason=str(error),
            dataset=folder.name,
        ) from None
