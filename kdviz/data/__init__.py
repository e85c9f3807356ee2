"""Datasets by name: prepared once into memory-mapped arrays, read from then on without torch or scikit-learn.

A prepared dataset is a folder of three files: pixels.npy (n, height, width, channels) uint8, labels.npy (n,) int64, and
meta.json. The images lie in the order train, validation, test, so that each split is a slice of one file. Folders are
looked for in assets/datasets (shipped with kdviz) and then in KDVIZ_DATA/prepared.
"""

from __future__ import annotations

import json
import re
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


OWN = re.compile("own-[a-z0-9-]{1,40}")
"""The name of a dataset made of somebody's folder of images; no more is known of it than its prepared arrays say."""
TEN_DIGITS = tuple("0123456789")
STREET = (N_("pedestrian"), N_("dog"), N_("car"), N_("truck"))
CLOTHES = (
    N_("T-shirt"), N_("trousers"), N_("pullover"), N_("dress"), N_("coat"),
    N_("sandal"), N_("shirt"), N_("sneaker"), N_("bag"), N_("ankle boot"),
)  # fmt: skip
THINGS = (
    N_("airplane"), N_("automobile"), N_("bird"), N_("cat"), N_("deer"),
    N_("dog"), N_("frog"), N_("horse"), N_("ship"), N_("truck"),
)  # fmt: skip
SOURCES = {
    source.name: source
    for source in (
        Source("digits", (8, 8, 1), TEN_DIGITS, 0),
        Source("street", (32, 32, 3), STREET, 0),
        Source("mnist", (28, 28, 1), TEN_DIGITS, 12),
        Source("fashion-mnist", (28, 28, 1), CLOTHES, 31),
        Source("cifar10", (32, 32, 3), THINGS, 171),
    )
}


def source(name: object) -> Source:
    """Return what is known of a dataset. Raises UnknownName, listing the known ones."""
    if isinstance(name, str):
        if name in SOURCES:
            return SOURCES[name]
        if OWN.fullmatch(name) and (folder := prepared_folder(name)) is not None:
            opened = _open(folder, (folder / "meta.json").stat().st_mtime_ns)
            return Source(name, opened.shape, opened.class_names, 0)
    raise UnknownName(N_("unknown dataset {name}; known: {known}"), name=quoted(name, 80), known=names())


def names() -> list[str]:
    """Return the names of all datasets: kdviz's own, then those made of folders on this machine."""
    prepared = settings.data_folder() / "prepared"
    folders = sorted(prepared.glob("own-*/meta.json")) if prepared.is_dir() else []
    return [*SOURCES, *(file.parent.name for file in folders if OWN.fullmatch(file.parent.name))]


def title(name: str) -> str:
    """Return what a reader calls a dataset: its name, without the mark of a folder of their own."""
    return name.removeprefix("own-")


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
    copy: str = ""  # which copy of a published dataset this is, where there are several
    shapes: np.ndarray | None = None  # of street: (n,) float32, see kdviz.data.street

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
            tuple(meta["mean"]), tuple(meta["std"]), meta["sha256"], meta.get("copy", ""),
            np.load(folder / "shapes.npy", mmap_mode="r") if (folder / "shapes.npy").is_file() else None,
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
