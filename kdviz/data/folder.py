"""Any folder of images in ImageFolder layout as a dataset: what is in it, and its images as arrays.

A class is a folder of images and has that folder's name. Two layouts are known:

- FOLDER/{train,test}/<class>/*: `val` stands for `test` where that is missing, and is the validation split where it is not.
- FOLDER/<class>/*: a fifth of each class is held out for test.

What comes here was made by somebody else and may be anything: no more of a file is read than a picture needs. Needs Pillow
and numpy alone. Knows nothing of where prepared datasets lie (prepare), of zips (archive), nor of how one picture is read and
fitted (picture).
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kdviz.data import picture
from kdviz.errors import DataUnavailable, InvalidValue, UserError, quoted
from kdviz.i18n import N_

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_CLASSES = 1000
MAX_IMAGES = 200_000
SIDES = (8, 32)  # the smallest and the largest side of a prepared picture, in pixels
TEST_SHARE, VALIDATION_SHARE = 1 / 5, 1 / 6  # of each class's images, where the folder has no such split
SPLIT_SEED = 2015

Progress = Callable[[float], None]
"""Called with the share that is done, 0..1; what it raises ends the work."""


class Stopped(Exception):
    """Raised where somebody asked to stop."""


class ClassCount(NamedTuple):
    """A class and its images: those to learn from (train and validation together), and those of the test."""

    name: str
    train: int
    test: int


@dataclass(frozen=True)
class Report:
    """What a folder holds, of the images that can be used.

    counts: images in train, validation, test; smallest, median, largest: (width, height) in pixels, smallest and largest by
    area; shorter_side: the median of the shorter sides; grey, colour: images with one channel, and with more; faults: what is
    left out or lacking, a sentence each; bytes: of all image files.
    """

    classes: tuple[ClassCount, ...]
    counts: tuple[int, int, int]
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    shorter_side: int
    grey: int
    colour: int
    faults: tuple[UserError, ...]
    bytes: int

    @property
    def images(self) -> int:
        return sum(self.counts)


class Arrays(NamedTuple):
    """A folder's images in the order train, validation, test, each split shuffled.

    pixels: (n, side, side, channels) uint8; labels: (n,) int64, indices into class_names; counts: images in the three splits.
    """

    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    counts: tuple[int, int, int]
    faults: tuple[UserError, ...]


def inspect(folder: Path, progress: Progress = lambda share: None) -> Report:
    """Say what is in a folder, from the headers of its images.

    Raises InvalidValue or DataUnavailable, with the remedy, where it cannot be a dataset.
    """
    listing = _listed(folder)
    sizes = np.zeros((len(listing.files), 2), np.int64)
    grey = np.zeros(len(listing.files), bool)
    with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):  # nothing is decompressed here
        for number, file in enumerate(listing.files):
            if number % 256 == 0:
                progress(number / len(listing.files))
            sizes[number], grey[number] = _header(file)
    divided = _divided(listing, readable=sizes[:, 0] > 0)
    used = divided.splits != _LEFT_OUT
    sizes, grey = sizes[used], grey[used]
    by_area = np.argsort(sizes.prod(axis=1), kind="stable")
    test = np.bincount(divided.labels[divided.splits == _TEST], minlength=len(divided.class_names))
    train = np.bincount(divided.labels[used], minlength=len(divided.class_names)) - test
    progress(1.0)
    return Report(
        classes=tuple(map(ClassCount, divided.class_names, train.tolist(), test.tolist())),
        counts=divided.counts,
        smallest=_pair(sizes[by_area[0]]),
        median=_pair(np.median(sizes, axis=0)),
        largest=_pair(sizes[by_area[-1]]),
        shorter_side=int(np.median(sizes.min(axis=1))),
        grey=int(grey.sum()),
        colour=int((~grey).sum()),
        faults=divided.faults,
        bytes=listing.bytes,
    )


def size(report: Report) -> int:
    """Return the side of the prepared square pictures in pixels: 32, or the median shorter side where images are smaller."""
    low, high = SIDES
    return min(high, max(low, report.shorter_side))


def shape(report: Report) -> tuple[int, int, int]:
    """Return the prepared pictures' (height, width, channels): one channel where every image is grey, else three."""
    return size(report), size(report), 3 if report.colour else 1


def read(
    folder: Path,
    shape: tuple[int, int, int],
    progress: Progress = lambda share: None,
    stop: Callable[[], bool] = lambda: False,
) -> Arrays:
    """Read a folder's images, each fitted to a shape (height, width, channels): that of `shape(report)`, say.

    The same folder gives the same arrays. stop is asked every 64 images; where it says yes, Stopped is raised. Raises what
    `inspect` raises. An image whose header is in order may prove unreadable only here: the splits and counts are then those
    of the images that remain.
    """
    listing = _listed(folder)
    pixels = np.zeros((len(listing.files), *shape), np.uint8)
    readable = np.zeros(len(listing.files), bool)
    for number, file in enumerate(listing.files):
        if number % 64 == 0:
            if stop():
                raise Stopped
            progress(number / len(listing.files))
        with contextlib.suppress(UserError, OSError):
            pixels[number] = picture.fitted(picture.read(Path(file).read_bytes()), shape)
            readable[number] = True
    divided = _divided(listing, readable)
    rng = np.random.default_rng(SPLIT_SEED)
    order = np.concatenate([rng.permutation(np.flatnonzero(divided.splits == split)) for split in (_TRAIN, _VALIDATION, _TEST)])
    progress(1.0)
    return Arrays(pixels[order], divided.labels[order], divided.class_names, divided.counts, divided.faults)


def identifier(name: str, taken: Iterable[str]) -> str:
    """Return a dataset's name for the name of a folder or zip: `own-` and a-z, 0-9, hyphens, 40 in all, none of those taken."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    plain = unicodedata.normalize("NFKD", re.sub(r"(?i)\.zip$", "", last)).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").removeprefix("own-") or "images"
    known, number, ending = set(taken), 1, ""
    while (found := "own-" + word[: 36 - len(ending)].rstrip("-") + ending) in known:
        number += 1
        ending = f"-{number}"
    return found


# What a folder holds

_TRAIN, _VALIDATION, _TEST, _LEFT_OUT = range(4)
_SPLITS = {
    "train": _TRAIN, "training": _TRAIN, "test": _TEST, "testing": _TEST,
    "val": _VALIDATION, "valid": _VALIDATION, "validation": _VALIDATION,
}  # fmt: skip
_LITTER = ("__macosx", "thumbs.db", "desktop.ini")
_SHOWN = 3  # names in a sentence


class _Listing(NamedTuple):
    """A folder's image files, none opened. top: the folder inside all wrapping ones; labels: indices into classes."""

    name: str
    top: str
    files: list[str]
    labels: list[int]
    splits: list[int]
    classes: list[str]
    bytes: int
    faults: list[UserError]


class _Divided(NamedTuple):
    """Where each image goes: splits (n,) int64, _LEFT_OUT among them, and labels (n,) int64, of the others, into class_names."""

    splits: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    counts: tuple[int, int, int]
    faults: tuple[UserError, ...]


def _listed(folder: Path) -> _Listing:
    try:
        if folder.is_dir():
            return _walked(folder)
    except OSError as error:
        raise DataUnavailable(
            N_("{folder} cannot be read ({reason}): allow it to be read, or give another folder"),
            folder=quoted(error.filename or folder),
            reason=error.strerror,
        ) from None
    raise DataUnavailable(
        N_("{folder} is not a folder: give one that holds a folder of images for each class"), folder=quoted(folder)
    )


def _walked(folder: Path) -> _Listing:
    name = quoted(folder.resolve().name)
    top, places, beside = _layout(name, str(folder))
    # A name that is not in the system's encoding is shown with its bytes, for it could not be written down otherwise.
    class_folders = [
        (split, os.fsencode(entry.name).decode(errors="backslashreplace"), entry.path)
        for split, place in places
        for entry in _children(place)[0]
    ]
    classes = sorted({class_name for _, class_name, _ in class_folders})
    if len(classes) > MAX_CLASSES:
        raise InvalidValue(
            N_("{folder} has {n} class folders, more than the {limit} that are possible: take some out"),
            folder=name, n=len(classes), limit=MAX_CLASSES,
        )  # fmt: skip
    files, labels, splits, others, large, total = [], [], [], [], [], 0
    index = {class_name: number for number, class_name in enumerate(classes)}
    for split, class_name, class_folder in class_folders:
        for entry in _files(class_folder):
            if not is_image(entry.name):
                others.append(entry.path)
                continue
            bytes_of_it = entry.stat().st_size
            if bytes_of_it > picture.MAX_BYTES:
                large.append(entry.path)
                continue
            files.append(entry.path)
            labels.append(index[class_name])
            splits.append(split)
            total += bytes_of_it
            if len(files) > MAX_IMAGES:
                raise InvalidValue(
                    N_("{folder} has more than the {limit} images that are possible: take some out"),
                    folder=name,
                    limit=MAX_IMAGES,
                )
    outside = [entry.path for place in {top, *(place for _, place in places)} for entry in _children(place)[1]]
    faults = [
        *_fault(N_("files that are not PNG, JPEG, WebP or GIF are left out ({n}): {some}"), _within(top, others)),
        *_fault(
            N_("images of more than {megabytes} MB are left out ({n}): {some}"),
            _within(top, large),
            megabytes=picture.MAX_BYTES // 10**6,
        ),
        *_fault(
            N_("images outside the class folders are left out ({n}): {some}"),
            _within(top, sorted(path for path in outside if is_image(path))),
        ),
        *_fault(
            N_("folders that are not train, test or val, or hold no class folders, are left out ({n}): {some}"),
            _within(top, beside),
        ),
    ]
    return _Listing(name, top, files, labels, splits, classes, total, faults)


def _layout(name: str, top: str) -> tuple[str, list[tuple[int, str]], list[str]]:
    """Return the folder inside all wrapping ones, (split, folder) for each folder of class folders, and folders beside them."""
    while True:
        folders, _ = _children(top)
        known = [entry for entry in folders if entry.name.lower() in _SPLITS and _children(entry.path)[0]]
        if known:
            places = [(_SPLITS[entry.name.lower()], entry.path) for entry in known]
            if _TRAIN not in [split for split, _ in places]:
                raise InvalidValue(
                    N_("{folder} has a folder {found} but no folder train: name the folder of the training images train"),
                    folder=name, found=quoted(known[0].name),
                )  # fmt: skip
            return top, places, [entry.path for entry in folders if entry not in known]
        if len(folders) != 1 or not _children(folders[0].path)[0]:
            return top, [(_TRAIN, top)], []
        top = folders[0].path


def _children(folder: str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """Return the folders and the files directly in a folder, each by name, without what operating systems leave there."""
    with os.scandir(folder) as entries:
        seen = sorted((entry for entry in entries if not is_litter(entry.name)), key=lambda entry: entry.name)
    return [entry for entry in seen if entry.is_dir()], [entry for entry in seen if entry.is_file()]


def _files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the files in a folder and below, in a fixed order; links to folders are not followed, for they may lead back."""
    below = [folder]
    while below:
        folders, files = _children(below.pop())
        yield from files
        below.extend(entry.path for entry in reversed(folders) if not entry.is_symlink())


def is_image(name: str) -> bool:
    """Return whether a name ends as that of an image file does."""
    return name.lower().endswith(SUFFIXES)


def is_litter(name: str) -> bool:
    """Return whether a name is that of a hidden file or folder, or of one that an operating system leaves."""
    return name.startswith(".") or name.lower() in _LITTER


def _within(top: str, paths: list[str]) -> list[str]:
    return [Path(path).relative_to(top).as_posix() for path in paths]


def _header(file: str) -> tuple[tuple[int, int], bool]:
    """Return an image's (width, height) and whether it is grey, without decoding it; a size of 0 where it cannot be read."""
    try:
        with Image.open(file, formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
            return image.size, image.mode in ("1", "L", "LA", "I", "I;16")
    except Exception:  # Pillow's readers raise errors of many kinds for files that are not in order
        return (0, 0), False


def _divided(listing: _Listing, readable: np.ndarray) -> _Divided:
    """Put every readable image of a class that can be learned into train, validation or test: readable (n,) bool."""
    labels, splits = np.array(listing.labels, np.int64), np.array(listing.splits, np.int64)
    unreadable = [listing.files[number] for number in np.flatnonzero(~readable)]
    splits[~readable] = _LEFT_OUT

    def images(*of: int) -> np.ndarray:
        """Return the number of images of each class in these splits."""
        return np.bincount(labels[np.isin(splits, of)], minlength=len(listing.classes))

    there, learned = images(_TRAIN, _VALIDATION, _TEST), images(_TRAIN)
    classes = np.array(listing.classes, object)
    faults = [
        *_fault(N_("files that cannot be read as images are left out ({n}): {some}"), _within(listing.top, unreadable)),
        *_fault(N_("classes without an image are left out ({n}): {some}"), classes[there == 0]),
        *_fault(
            N_("classes without a training image are left out with their other images ({n}): {some}"),
            classes[(there > 0) & (learned == 0)],
        ),
    ]
    _check_classes(listing.name, classes[learned > 0])
    splits[learned[labels] == 0] = _LEFT_OUT
    rng = np.random.default_rng(SPLIT_SEED)
    if not images(_TEST).any():
        splits[splits == _VALIDATION] = _TEST
    if not images(_TEST).any():
        _hold_out(labels, splits, _TEST, TEST_SHARE, rng)
    if not images(_TEST).any():
        raise InvalidValue(
            N_("every class of {folder} has a single image, which leaves none for test: add at least a second one to each"),
            folder=listing.name,
        )
    untested = classes[(learned > 0) & (images(_TEST) == 0)]
    few = classes[images(_TRAIN, _VALIDATION) == 1]
    if not images(_VALIDATION).any():
        _hold_out(labels, splits, _VALIDATION, VALIDATION_SHARE, rng)
    faults += [
        *_fault(N_("some classes have no test image, so that their accuracy stays unknown ({n}): {some}"), untested),
        *_fault(N_("some classes have a single training image, which is little to learn from ({n}): {some}"), few),
    ]
    new = np.cumsum(learned > 0) - 1
    counts = int(images(_TRAIN).sum()), int(images(_VALIDATION).sum()), int(images(_TEST).sum())
    return _Divided(splits, new[labels], tuple(classes[learned > 0]), counts, (*listing.faults, *faults))


def _check_classes(folder: str, classes: np.ndarray) -> None:
    if len(classes) == 0:
        raise InvalidValue(
            N_(
                "{folder} has no training images in class folders: put the PNG, JPEG, WebP or GIF images of each class "
                "into a folder of their own, named after the class"
            ),
            folder=folder,
        )
    if len(classes) == 1:
        raise InvalidValue(
            N_("{folder} has training images of one class only, {name}: add a folder with the images of a second class"),
            folder=folder, name=quoted(classes[0], 60),
        )  # fmt: skip


def _hold_out(labels: np.ndarray, splits: np.ndarray, to: int, share: float, rng: np.random.Generator) -> None:
    """Move a share of each class's train images, at least one, to another split; the last one always stays."""
    for label in np.unique(labels[splits == _TRAIN]):
        members = np.flatnonzero((labels == label) & (splits == _TRAIN))
        held = min(len(members) - 1, max(1, round(share * len(members))))
        splits[rng.permutation(members)[:held]] = to


def _fault(sentence: str, names: Sequence[str], **fields: object) -> list[UserError]:
    """Return a sentence about these names, with their number and the first of them; none where there are none."""
    some = [quoted(name, 60) for name in names[:_SHOWN]] + ["…"] * (len(names) > _SHOWN)
    return [UserError(sentence, n=len(names), some=some, **fields)] if len(names) else []


def _pair(of: np.ndarray) -> tuple[int, int]:
    return int(of[0]), int(of[1])
