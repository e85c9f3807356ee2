"""Fetches a dataset and prepares it into memory-mapped arrays. The engine and the command line call this, never a page.

Needs scikit-learn (digits, and the stratified split) or torchvision (mnist). What is half done is never seen: the arrays
are written into a folder beside their place, which is renamed when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock

from kdviz import data, settings
from kdviz.errors import DataUnavailable, quoted
from kdviz.i18n import N_

SPLIT_SEED = 2015
Progress = Callable[[str, float], None]
"""Called with a stage (`download`, `arrays`) and the share of it that is done, 0..1."""


def prepare(name: object, progress: Progress = lambda stage, share: None, root: Path | None = None) -> data.Dataset:
    """Fetch a dataset if it is not here, prepare it if it is not prepared, and open it.

    root: where the prepared folder goes (default: KDVIZ_DATA/prepared, unless the dataset ships with kdviz).
    Raises UnknownName, or DataUnavailable with the remedy.
    """
    known = data.source(name)
    if root is None and data.prepared_folder(known.name) is not None:
        return data.load(known.name)
    given, root = root, root or settings.data_folder() / "prepared"
    with _alone(root, known.name):
        if given is None and data.prepared_folder(known.name) is not None:  # another process has done it meanwhile
            return data.load(known.name)
        pixels, labels, counts = {"digits": _digits, "mnist": _mnist}[known.name](progress)
        progress("arrays", 0.0)
        _write(root, known, pixels, labels, counts)
        progress("arrays", 1.0)
        return data._open(root / known.name, (root / known.name / "meta.json").stat().st_mtime_ns)


def _digits(progress: Progress) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # 0..16 in the original, 0..255 here; the original is pixels * 16 / 255, rounded.
    pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    train, test = _stratified(labels, 360)
    inner, validation = _stratified(labels[train], 287)
    order = np.concatenate([train[inner], train[validation], test])
    return pixels[order], labels[order], (len(inner), len(validation), len(test))


def _mnist(progress: Progress) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    from kdviz.data.vision import torchvision

    folder = settings.data_folder()
    MNIST = torchvision().datasets.MNIST
    raw = folder / "MNIST" / "raw"
    try:
        with _watch(raw, 11_594_722, progress):
            training, test = (MNIST(str(folder), train=train, download=True) for train in (True, False))
    except (ValueError, AssertionError, EOFError, LookupError):
        raise _incomplete("mnist", raw) from None
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise DataUnavailable(
                N_("mnist cannot be stored in {folder} ({reason}): set KDVIZ_DATA"), folder=quoted(raw), reason=error.strerror
            ) from None
        if raw.is_dir() and all((raw / file).is_file() for file in _MNIST_FILES):
            raise _incomplete("mnist", raw) from None
        raise DataUnavailable(
            N_(
                "mnist is not in {folder} and cannot be downloaded now: connect to the network and try again, "
                "or put its four IDX files there"
            ),
            folder=quoted(raw),
        ) from None
    if len(training) != 60_000 or len(test) != 10_000 or len(training.targets) != 60_000 or len(test.targets) != 10_000:
        raise _incomplete("mnist", raw)
    labels = training.targets.numpy().astype(np.int64)
    train, validation = _stratified(labels, 10_000)
    order = np.concatenate([train, validation])
    pixels = np.concatenate([training.data.numpy()[order], test.data.numpy()])[..., None]
    all_labels = np.concatenate([labels[order], test.targets.numpy().astype(np.int64)])
    return pixels, all_labels, (len(train), len(validation), len(test))


_MNIST_FILES = tuple(f"{a}-{b}" for a in ("train", "t10k") for b in ("images-idx3-ubyte", "labels-idx1-ubyte"))


def _incomplete(name: str, folder: Path) -> DataUnavailable:
    return DataUnavailable(
        N_(
            "the files of {dataset} in {folder} are incomplete or damaged: "
            "delete that folder and run `python -m kdviz data {dataset}`"
        ),
        dataset=name,
        folder=quoted(folder),
    )


def _stratified(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices into the kept and the held out, every class in proportion: labels (n,) -> (n - held_out,), (held_out,)."""
    from sklearn.model_selection import train_test_split

    kept, held = train_test_split(np.arange(len(labels)), test_size=held_out, random_state=SPLIT_SEED, stratify=labels)
    return kept, held


def _write(root: Path, known: data.Source, pixels: np.ndarray, labels: np.ndarray, counts: tuple[int, int, int]) -> None:
    train = pixels[: counts[0] + counts[1]].reshape(-1, pixels.shape[-1])
    # From a histogram of the 256 values: exact, and no float copy of the whole dataset.
    histograms = [np.bincount(train[:, channel], minlength=256) for channel in range(pixels.shape[-1])]
    values = np.arange(256) / 255
    means = [float((values * h).sum() / h.sum()) for h in histograms]
    stds = [float(np.sqrt(((values - m) ** 2 * h).sum() / h.sum())) for m, h in zip(means, histograms, strict=True)]
    meta = {
        "name": known.name,
        "class_names": list(known.class_names),
        "counts": list(counts),
        "mean": means,
        "std": stds,
        "sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes() + labels.tobytes()).hexdigest(),
        "split_seed": SPLIT_SEED,
    }
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{known.name}-") as scratch:
            folder = Path(scratch) / known.name
            folder.mkdir()
            np.save(folder / "pixels.npy", pixels)
            np.save(folder / "labels.npy", labels)
            (folder / "meta.json").write_text(json.dumps(meta, indent=1), "utf-8")
            if (root / known.name).exists():
                shutil.rmtree(root / known.name)
            folder.rename(root / known.name)
    except OSError as error:
        raise DataUnavailable(
            N_("{dataset} cannot be written to {folder} ({reason}): free some space or set KDVIZ_DATA"),
            dataset=known.name,
            folder=quoted(root),
            reason=error.strerror,
        ) from None


@contextlib.contextmanager
def _alone(root: Path, name: str) -> Iterator[None]:
    """Let one process at a time download and write a dataset. Raises DataUnavailable where the folder cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f".{name}.lock")
        lock.acquire()
    except OSError as error:
        raise DataUnavailable(
            N_("{dataset} cannot be written to {folder} ({reason}): free some space or set KDVIZ_DATA"),
            dataset=name, folder=quoted(root), reason=error.strerror,
        ) from None  # fmt: skip
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _watch(folder: Path, expected_bytes: int, progress: Progress) -> Iterator[None]:
    """Report, while a download runs, how much of it has arrived: the compressed files' share of what is expected."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.3):
            arrived = sum(file.stat().st_size for file in folder.glob("*.gz")) if folder.is_dir() else 0
            if arrived:
                progress("download", min(1.0, arrived / expected_bytes))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
