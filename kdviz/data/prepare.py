"""Fetches a dataset and prepares it into memory-mapped arrays. The engine and the command line call this, never a page.

Needs scikit-learn (digits, and the stratified split) or torchvision (mnist, fashion-mnist, cifar10). What is half done is
never seen: the arrays are written into a folder beside their place, which is renamed when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from kdviz import data, settings
from kdviz.data import folder as folders
from kdviz.data import vision
from kdviz.data.vision import Originals
from kdviz.errors import DataUnavailable, InvalidValue, quoted
from kdviz.i18n import N_

if TYPE_CHECKING:
    from kdviz.data.nearness import Nearness

SPLIT_SEED = 2015
COUNTS = {
    "street": (17_000, 3_000, 4_000),
    "mnist": (50_000, 10_000, 10_000),
    "fashion-mnist": (50_000, 10_000, 10_000),
    "cifar10": (45_000, 5_000, 10_000),
}
"""Images in train, validation and test. What was published for training is divided into the first two by SPLIT_SEED."""
STREET_SEEDS = (2015, 2016)  # of the images to learn from, and of those of the test
NEAREST = 20  # images to learn from, and held out, at least, to say what a dataset's images are like
STEP = 0.02  # of a stage: less is not reported

Progress = Callable[[str, float], None]
"""Called with a stage and the share of it that is done, 0..1; what it raises ends the work.

The stages: `waiting` (another process prepares the same), `download`, `drawing`, `files` (looking through them), `arrays`.
"""


class Content(NamedTuple):
    """What is written of a dataset, in the order train, validation, test: as kdviz.data.Dataset has it."""

    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    counts: tuple[int, int, int]
    copy: str = ""
    shapes: np.ndarray | None = None


def prepare(
    name: object,
    progress: Progress = lambda stage, share: None,
    root: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> data.Dataset:
    """Fetch a dataset if it is not here, prepare it if it is not prepared, and open it.

    root: where the prepared folder goes (default: KDVIZ_DATA/prepared, unless the dataset ships with kdviz); stop: asked all
    the while; once it says yes, kdviz.data.folder.Stopped is raised, and nothing half done stays.
    Raises UnknownName, or DataUnavailable with the remedy.
    """
    known = data.source(name)
    if known.name not in MAKERS or (root is None and data.prepared_folder(known.name) is not None):
        return data.load(known.name)
    report = _reporting(progress, stop)
    given, root = root, root or settings.data_folder() / "prepared"
    with _alone(root, known.name, report):
        if given is None and data.prepared_folder(known.name) is not None:  # another process has done it meanwhile
            return data.load(known.name)
        return _write(root, known.name, MAKERS[known.name](known, report), report)


def prepare_folder(
    name: str,
    folder: Path,
    progress: Progress = lambda stage, share: None,
    stop: Callable[[], bool] = lambda: False,
) -> data.Dataset:
    """Prepare somebody's folder of images as the dataset `own-...` and open it; an earlier one of that name is replaced.

    progress, stop: as of `prepare`. Raises InvalidValue or DataUnavailable, with the remedy.
    """
    _check_own(name)
    report = _reporting(progress, stop)
    root = settings.data_folder() / "prepared"
    with _alone(root, name, report):
        shape = folders.shape(folders.inspect(folder, lambda share: report("files", share)))
        arrays = folders.read(folder, shape, lambda share: report("arrays", share))
        return _write(root, name, Content(arrays.pixels, arrays.labels, arrays.class_names, arrays.counts), report)


def remove(name: str) -> None:
    """Delete a dataset made of somebody's folder, its teachers and all that was computed of it; the folder itself stays.

    Raises InvalidValue for a dataset of kdviz's own, DataUnavailable where something cannot be deleted.
    """
    _check_own(name)
    here = settings.data_folder()
    prepared = here / "prepared" / name
    with _alone(prepared.parent, name, lambda stage, share: None):
        try:
            for card in (here / "teachers").glob(f"{name}-*.json"):
                _remove_teacher(card, name)
            for learned in (here / "nearness").glob(f"{name}-{'[0-9a-f]' * 12}.npz"):
                learned.unlink()
            if prepared.is_dir():
                (prepared / "meta.json").unlink(missing_ok=True)  # without it nobody sees the folder
                shutil.rmtree(prepared)
        except OSError as error:
            raise DataUnavailable(
                N_("{dataset} cannot be deleted from {folder} ({reason}): close what uses it, and try again"),
                dataset=data.title(name), folder=quoted(here), reason=error.strerror,
            ) from None  # fmt: skip


def _remove_teacher(card: Path, dataset: str) -> None:
    """Delete a teacher by its card, if it is of this dataset: own-cats-2-cnn is not own-cats's."""
    try:
        about = json.loads(card.read_bytes())
        mine, sha256 = about["dataset"] == dataset, about["sha256"][:12]
    except (ValueError, LookupError, TypeError):  # a damaged card is nobody's
        return
    if mine:
        for computed in (card.parents[1] / "logits").glob(f"{card.stem}-{sha256}-*.npy"):
            computed.unlink()
        card.with_suffix(".safetensors").unlink(missing_ok=True)
        card.unlink()


def to_download(name: str) -> int:
    """Return the megabytes to download before a dataset can be prepared: 0 where its files lie in KDVIZ_DATA."""
    here = settings.data_folder()
    if name not in vision.PUBLISHED or vision.is_here(name, here) or (name == "cifar10" and (here / name).is_dir()):
        return 0
    return data.source(name).megabytes


def ensure_nearness(dataset: data.Dataset) -> Nearness | None:
    """Return what tells a dataset's images from others, learned once and kept in KDVIZ_DATA/nearness.

    None where there are too few images to say. Raises DataUnavailable where it cannot be written.
    """
    from kdviz.data import nearness

    images, held_out = dataset.split("train").pixels, dataset.split("validation").pixels
    if min(len(images), len(held_out)) < NEAREST:
        return None
    file = settings.data_folder() / "nearness" / f"{dataset.name}-{dataset.sha256[:12]}.npz"
    with contextlib.suppress(DataUnavailable):  # it is not there, or damaged
        return nearness.load(file)
    learned = nearness.fit(images, held_out)
    nearness.save(learned, file)
    return learned


def _check_own(name: str) -> None:
    if not data.OWN.fullmatch(name):
        raise InvalidValue(
            N_("a dataset of one's own is named own- and up to 40 of a-z, 0-9 and hyphens, got {name}"), name=quoted(name, 60)
        )


# The datasets


def _digits(known: data.Source, _progress: Progress) -> Content:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # 0..16 in the original, 0..255 here; the original is pixels * 16 / 255, rounded.
    pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    train, test = _stratified(labels, 360)
    inner, validation = _stratified(labels[train], 287)
    order = np.concatenate([train[inner], train[validation], test])
    return Content(pixels[order], labels[order], known.class_names, (len(inner), len(validation), len(test)))


def _street(known: data.Source, progress: Progress) -> Content:
    from kdviz.data import street

    counts = COUNTS["street"]
    learned, total = counts[0] + counts[1], sum(counts)
    parts = (
        street.generate(learned, STREET_SEEDS[0], lambda share: progress("drawing", share * learned / total)),
        street.generate(counts[2], STREET_SEEDS[1], lambda share: progress("drawing", (learned + share * counts[2]) / total)),
    )
    pixels, labels, shapes = (np.concatenate(both) for both in zip(*parts, strict=True))
    return Content(pixels, labels.astype(np.int64), known.class_names, counts, shapes=shapes.astype(np.float32))


def _published(known: data.Source, progress: Progress) -> Content:
    """Make a dataset of torchvision's, downloaded where its files are not in KDVIZ_DATA."""
    name, here = known.name, settings.data_folder()
    if not vision.is_here(name, here):
        with _alone(here, name, progress, f".fetching-{name}.lock"):
            if not vision.is_here(name, here):
                vision.fetch(name, here, lambda share: progress("download", share))
    progress("arrays", 0.0)
    originals = vision.read(name, here)
    train, validation, test = COUNTS[name]
    for pixels, labels, count in (
        (originals.pixels, originals.labels, train + validation),
        (originals.test_pixels, originals.test_labels, test),
    ):
        classes = np.arange(len(known.class_names))
        if pixels.shape != (count, *known.shape) or len(labels) != count or not np.array_equal(np.unique(labels), classes):
            raise vision.damaged(name, here)
    return _divided(known, originals)


def _cifar10(known: data.Source, progress: Progress) -> Content:
    folder = settings.data_folder() / "cifar10"
    if not folder.is_dir():
        return _published(known, progress)._replace(copy=N_("the original of cs.toronto.edu"))
    classes = len(known.class_names)
    train, validation, test = COUNTS["cifar10"]
    each = {"train": (train + validation) // classes, "test": test // classes}
    files = [
        file
        for split, count in each.items()
        for name in known.class_names
        for file in _class_files(folder, f"{split}/{name}", count)
    ]
    pixels = np.empty((len(files), *known.shape), np.uint8)
    formats = set()
    for number, file in enumerate(files):
        if number % 64 == 0:
            progress("arrays", number / len(files))
        pixels[number], kind = _image(file, folder, known.shape)
        formats.add(kind)
    labels, test_labels = (np.repeat(np.arange(classes), count) for count in each.values())
    originals = Originals(pixels[: len(labels)], labels, pixels[len(labels) :], test_labels)
    jpeg = "JPEG" in formats
    copy = N_("JPEG files in ImageFolder layout") if jpeg else N_("files in ImageFolder layout")
    return _divided(known, originals)._replace(copy=copy)


def _class_files(folder: Path, name: str, count: int) -> list[Path]:
    try:
        files = sorted(file for file in (folder / name).iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise DataUnavailable(
            N_(
                "the folder {name} of cifar10 in {folder} cannot be opened ({reason}): put it right, "
                "or move {folder} away to have cifar10 downloaded"
            ),
            name=quoted(name), folder=quoted(folder), reason=error.strerror,
        ) from None  # fmt: skip
    if len(files) != count:
        raise DataUnavailable(
            N_(
                "the folder {name} of cifar10 in {folder} has {n} files instead of {expected} images: put it right, "
                "or move {folder} away to have cifar10 downloaded"
            ),
            name=quoted(name), folder=quoted(folder), n=len(files), expected=count,
        )  # fmt: skip
    return files


def _image(file: Path, folder: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, str | None]:
    """Return the pixels of an image of cifar10 and the file's format."""
    from PIL import Image

    fields = {"file": quoted(file.relative_to(folder)), "folder": quoted(folder)}
    try:
        with Image.open(file) as image:
            height, width, _ = shape
            if image.size == (width, height):
                return np.asarray(image.convert("RGB")), image.format
            fields["size"] = "{} × {}".format(*image.size)
    except Exception:  # Pillow's readers raise errors of many kinds for files that are not in order
        raise DataUnavailable(
            N_(
                "the file {file} of cifar10 in {folder} cannot be read as an image: put it right, "
                "or move {folder} away to have cifar10 downloaded"
            ),
            **fields,
        ) from None
    raise DataUnavailable(
        N_(
            "the image {file} of cifar10 in {folder} has {size} pixels instead of {width} × {height}: put it right, "
            "or move {folder} away to have cifar10 downloaded"
        ),
        width=width, height=height, **fields,
    )  # fmt: skip


def _divided(known: data.Source, originals: Originals) -> Content:
    """Hold out validation images from those to learn from."""
    train, validation = _stratified(originals.labels, COUNTS[known.name][1])
    order = np.concatenate([train, validation])
    return Content(
        np.concatenate([originals.pixels[order], originals.test_pixels]),
        np.concatenate([originals.labels[order], originals.test_labels]),
        known.class_names,
        (len(train), len(validation), len(originals.test_labels)),
    )


def _stratified(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices into the kept and the held out, every class in proportion: labels (n,) -> (n - held_out,), (held_out,)."""
    from sklearn.model_selection import train_test_split

    kept, held = train_test_split(np.arange(len(labels)), test_size=held_out, random_state=SPLIT_SEED, stratify=labels)
    return kept, held


MAKERS: dict[str, Callable[[data.Source, Progress], Content]] = {
    "digits": _digits,
    "street": _street,
    "mnist": _published,
    "fashion-mnist": _published,
    "cifar10": _cifar10,
}


# What all have in common


def _reporting(progress: Progress, stop: Callable[[], bool]) -> Progress:
    """Return a progress that may be called at every turn: it raises Stopped when asked to, and passes on steps of STEP."""
    stage, share = "", 0.0

    def report(now: str, done: float) -> None:
        nonlocal stage, share
        if stop():
            raise folders.Stopped
        if now != stage or done >= share + STEP or share < done == 1.0:
            stage, share = now, done
            progress(now, done)

    return report


def _write(root: Path, name: str, content: Content, progress: Progress) -> data.Dataset:
    progress("arrays", 0.0)
    pixels, labels, class_names, counts, copy, shapes = content
    train = pixels[: counts[0] + counts[1]].reshape(-1, pixels.shape[-1])
    # From a histogram of the 256 values: exact, and no float copy of the whole dataset.
    histograms = [np.bincount(train[:, channel], minlength=256) for channel in range(pixels.shape[-1])]
    values = np.arange(256) / 255
    means = [float((values * h).sum() / h.sum()) for h in histograms]
    stds = [float(np.sqrt(((values - m) ** 2 * h).sum() / h.sum())) for m, h in zip(means, histograms, strict=True)]
    arrays = {"pixels": pixels, "labels": labels} | ({"shapes": shapes} if shapes is not None else {})
    sha256 = hashlib.sha256()
    for array in arrays.values():
        sha256.update(np.ascontiguousarray(array).data)
    meta = {
        "name": name,
        "class_names": list(class_names),
        "counts": list(counts),
        "mean": means,
        "std": stds,
        "sha256": sha256.hexdigest(),
        "split_seed": SPLIT_SEED,
        **({"copy": copy} if copy else {}),
    }
    scratch, place = root / f".preparing-{name}", root / name
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
        scratch.mkdir(parents=True)
        for kind, array in arrays.items():
            np.save(scratch / f"{kind}.npy", array)
        (scratch / "meta.json").write_text(json.dumps(meta, indent=1), "utf-8")
        if place.exists():
            shutil.rmtree(place)
        scratch.rename(place)
    except OSError as error:
        raise _unwritable(name, root, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    progress("arrays", 1.0)
    return data._open(place, (place / "meta.json").stat().st_mtime_ns)


def _unwritable(name: str, folder: Path, error: OSError) -> DataUnavailable:
    return DataUnavailable(
        N_("{dataset} cannot be written to {folder} ({reason}): free some space or set KDVIZ_DATA"),
        dataset=data.title(name), folder=quoted(folder), reason=error.strerror,
    )  # fmt: skip


@contextlib.contextmanager
def _alone(folder: Path, name: str, progress: Progress, lock_file: str = "") -> Iterator[None]:
    """Let one process at a time write a dataset in a folder. Raises DataUnavailable where the folder cannot be written."""
    lock = FileLock(folder / (lock_file or f".{name}.lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                lock.acquire(timeout=0.3)
                break
            except Timeout:
                progress("waiting", 0.0)
    except OSError as error:
        raise _unwritable(name, folder, error) from None
    try:
        yield
    finally:
        lock.release()
