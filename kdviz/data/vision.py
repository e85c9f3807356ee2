"""torchvision's datasets: downloaded by a process of its own, and read. The one place that imports torchvision.

torchvision's Linux wheel is built against CUDA torch; beside a CPU-only torch its compiled part cannot load, and the import
stops with "operator torchvision::nms does not exist". Declaring the operators it looks for lets its datasets, models and
transforms work. They are declared only where the compiled part cannot load: beside a CUDA torch they would clash.

torchvision's download cannot be stopped, waits for a silent server for ever, and writes where the files belong. So it runs
in a child (`python -m kdviz.data.vision NAME FOLDER`) into a folder beside; what it has checked is then moved to its place.
Knows nothing of splits and of what is prepared.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gzip
import http.client
import importlib.util
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from kdviz.errors import DataUnavailable, quoted
from kdviz.i18n import N_

log = logging.getLogger("kdviz.data")

LOOK_SECONDS = 0.2
SILENT_SECONDS = 60.0  # a server that says nothing for so long is given up
ABANDONED = 3  # a child's exit status when its parent is gone
CHILD = (sys.executable, "-m", "kdviz.data.vision")


@dataclass(frozen=True)
class Published:
    """A dataset that torchvision downloads. dataset: its class there; folder: where its files lie; bytes: of its archives."""

    dataset: str
    folder: str
    files: tuple[str, ...]
    bytes: int


_IDX = tuple(f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
PUBLISHED = {
    "mnist": Published("MNIST", "MNIST/raw", _IDX, 11_594_722),
    "fashion-mnist": Published("FashionMNIST", "FashionMNIST/raw", _IDX, 30_878_645),
    "cifar10": Published("CIFAR10", "cifar-10-batches-py", _BATCHES, 170_498_071),
}


class Originals(NamedTuple):
    """A dataset in the order it was published in. pixels: (n, height, width, channels) uint8; labels: (n,) int64."""

    pixels: np.ndarray
    labels: np.ndarray
    test_pixels: np.ndarray
    test_labels: np.ndarray


def is_here(name: str, root: Path) -> bool:
    """Whether all files of a dataset lie below a folder."""
    return all((root / PUBLISHED[name].folder / file).is_file() for file in PUBLISHED[name].files)


def read(name: str, root: Path) -> Originals:
    """Read a dataset whose files lie below a folder. Raises DataUnavailable where they are damaged."""
    known = PUBLISHED[name]
    dataset = getattr(torchvision().datasets, known.dataset)
    try:
        training, test = (dataset(str(root), train=train) for train in (True, False))
    except (ValueError, AssertionError, EOFError, LookupError, RuntimeError, OSError):
        raise damaged(name, root) from None
    pixels, test_pixels = (np.asarray(part.data) for part in (training, test))
    if pixels.ndim == 3:
        pixels, test_pixels = pixels[..., None], test_pixels[..., None]
    labels, test_labels = (np.asarray(part.targets).astype(np.int64) for part in (training, test))
    return Originals(pixels, labels, test_pixels, test_labels)


def damaged(name: str, root: Path) -> DataUnavailable:
    """Return the error of files that are there and cannot be used."""
    return DataUnavailable(
        N_(
            "the files of {dataset} in {folder} are incomplete or damaged: "
            "delete that folder and run `python -m kdviz data {dataset}`"
        ),
        dataset=name,
        folder=quoted(root / PUBLISHED[name].folder),
    )


def fetch(name: str, root: Path, progress: Callable[[float], None]) -> None:
    """Download a dataset into its place below a folder, all of it or nothing; one caller at a time.

    progress: called a few times a second with the share that has arrived, 0..1; what it raises ends the download.
    Raises DataUnavailable, with the remedy.
    """
    known = PUBLISHED[name]
    place, scratch = root / known.folder, root / f".fetching-{name}"
    try:
        place.mkdir(parents=True, exist_ok=True)  # before anything is downloaded in vain
        shutil.rmtree(scratch, ignore_errors=True)  # of a download that was killed
        scratch.mkdir()
        fault = _watched(name, scratch.resolve(), progress)
        if fault is None:
            for file in known.files:
                (scratch / known.folder / file).replace(place / file)
            return
    except OSError as error:
        fault = "disk", error.strerror or str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in (place, place.parent):
            if folder != root:
                with contextlib.suppress(OSError):  # it is not empty, or was never there
                    folder.rmdir()
    kind, reason = fault
    log.info("%s could not be downloaded: %s, %s", name, kind, reason)
    sentences = {
        "network": N_(
            "{dataset} is not in {folder} and cannot be downloaded now: connect to the network and try again, "
            "or put its files there: {files}"
        ),
        "damaged": N_(
            "what arrived of {dataset} is not what was published, and nothing of it is kept: "
            "see whether this network lets downloads through, and try again"
        ),
        "disk": N_("{dataset} cannot be stored in {folder} ({reason}): free some space or set KDVIZ_DATA"),
        "other": N_("{dataset} could not be downloaded ({reason}): try again, or put its files into {folder}: {files}"),
    }
    raise DataUnavailable(
        sentences[kind],
        dataset=name, folder=quoted(place), reason=reason, files=list(known.files),
    )  # fmt: skip


def _watched(name: str, folder: Path, progress: Callable[[float], None]) -> tuple[str, str] | None:
    """Let a child download into a folder, and return what went wrong: a kind of fault and its reason."""
    child = subprocess.Popen(  # noqa: S603
        [*CHILD, name, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    with child:
        try:
            while True:
                arrived = sum(file.stat().st_size for file in folder.rglob("*.gz"))
                progress(min(1.0, arrived / PUBLISHED[name].bytes))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = child.wait(LOOK_SECONDS)
                    break
        except BaseException:
            child.kill()
            raise
        assert child.stdout is not None
        said = child.stdout.read()
    if status == 0:
        return None
    try:
        kind, reason = json.loads(said)
    except ValueError:
        return "other", f"exit status {status}"
    return kind, reason


# The child's side


def download(name: str, folder: Path) -> tuple[str, str] | None:
    """Let torchvision download a dataset and read it; return the kind of fault and its reason where that fails.

    The kinds: `network`, `damaged` (what arrived), `disk`, `other`.
    """
    dataset = getattr(torchvision().datasets, PUBLISHED[name].dataset)
    try:
        for train in (True, False):
            dataset(str(folder), train=train, download=True)
    except Exception as error:
        return _fault(error)
    return None


def _fault(error: Exception) -> tuple[str, str]:
    reason = f"{type(error).__name__}: {error}".splitlines()[-1]
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return "disk", error.strerror or reason
    # torchvision says "corrupted" where a checksum is wrong, be it of one mirror among several that it tried.
    if isinstance(error, _BROKEN) or "corrupted" in str(error):
        return "damaged", reason
    return "network" if isinstance(error, (OSError, http.client.HTTPException, RuntimeError)) else "other", reason


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_BROKEN = (gzip.BadGzipFile, tarfile.TarError, zlib.error, EOFError, ValueError, AssertionError, LookupError)


def main() -> int:
    """Download the dataset of the first argument into the folder of the second; a fault goes to standard output as JSON."""
    name, folder = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    socket.setdefaulttimeout(SILENT_SECONDS)
    fault = download(name, Path(folder))
    if fault is not None:
        print(json.dumps(fault))
    return int(fault is not None)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which comes when whoever holds its other end dies, and end at once."""
    while os.read(0, 1):
        pass
    os._exit(ABANDONED)


# torchvision itself

_declared: list[Any] = []  # keeps the library of declarations alive: it vanishes with its last reference


def torchvision() -> ModuleType:
    """Return the torchvision module, imported on first use."""
    import torch

    if not _declared and not _compiled_part_loads():
        library: Any = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
    import torchvision.datasets

    module: ModuleType = torchvision
    return module


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for compiled in Path(spec.origin).parent.glob("_C*.so"):
        try:
            ctypes.CDLL(str(compiled))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
