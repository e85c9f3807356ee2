"""The shipped digits are scikit-learn's, splits do not touch, and what is missing or broken is one sentence."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from kdviz import data, settings
from kdviz.data.prepare import prepare
from kdviz.errors import DataUnavailable, UnknownName

RAW = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def originals(images: np.ndarray) -> np.ndarray:
    """Undo the preparation of digits: 0..255 -> 0..16, one row an image."""
    restored: np.ndarray = np.round(images.reshape(len(images), 64) * (16 / 255)).astype(int)
    return restored


def one_sentence(error: pytest.ExceptionInfo[DataUnavailable], *parts: str) -> None:
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 400
    for part in parts:
        assert part in sentence


# digits


def test_shipped_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    theirs, ours = load_digits(), data.load("digits")
    rows = np.column_stack([originals(ours.pixels), ours.labels])
    expected = np.column_stack([theirs.data.astype(int), theirs.target])
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])
    assert ours.pixels.dtype == np.uint8 and ours.pixels.max() == 255 and ours.pixels.min() == 0
    assert ours.labels.dtype == np.int64
    assert ours.shape == data.source("digits").shape == (8, 8, 1)


def test_splits_of_digits_do_not_touch_and_are_whole() -> None:
    from sklearn.datasets import load_digits

    index_of = {row.tobytes(): index for index, row in enumerate(load_digits().data.astype(int))}
    assert len(index_of) == 1797  # no image is there twice, so an image tells its index
    dataset = data.load("digits")
    indices = [
        {index_of[row.tobytes()] for row in originals(dataset.split(split).pixels)} for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in indices] == [1150, 287, 360] == list(dataset.counts)
    assert set.union(*indices) == set(range(1797))  # 1150 + 287 + 360 = 1797, so no index is in two of them


def test_training_is_train_and_validation() -> None:
    dataset = data.load("digits")
    training, train, validation = (dataset.split(split) for split in ("training", "train", "validation"))
    np.testing.assert_array_equal(training.labels, np.concatenate([train.labels, validation.labels]))
    np.testing.assert_array_equal(training.pixels, np.concatenate([train.pixels, validation.pixels]))
    assert len(training) == 1437


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_split_has_every_class_in_proportion(split: data.Split) -> None:
    dataset = data.load("digits")
    labels = dataset.split(split).labels
    expected = np.bincount(dataset.labels) * len(labels) / len(dataset.labels)
    assert np.abs(np.bincount(labels, minlength=10) - expected).max() < 1.5


def test_digits_mean_and_std_are_of_the_training_pixels() -> None:
    dataset = data.load("digits")
    pixels = dataset.split("training").pixels / 255
    assert dataset.mean == pytest.approx((pixels.mean(),)) and dataset.std == pytest.approx((pixels.std(),))


def test_preparing_digits_again_gives_the_shipped_bytes(tmp_path: Path) -> None:
    shipped = data.load("digits")
    seen: list[tuple[str, float]] = []
    again = prepare("digits", lambda stage, share: seen.append((stage, share)), root=tmp_path)
    content = np.ascontiguousarray(shipped.pixels).tobytes() + np.ascontiguousarray(shipped.labels).tobytes()
    assert again.sha256 == shipped.sha256 == hashlib.sha256(content).hexdigest()
    for file in ("pixels.npy", "labels.npy", "meta.json"):
        assert (tmp_path / "digits" / file).read_bytes() == (settings.ASSETS / "datasets" / "digits" / file).read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["digits"]  # nothing half done is left
    assert seen[-1] == ("arrays", 1.0)


def test_a_shipped_dataset_is_read_from_the_app_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "none"))
    assert prepare("digits").sha256 == data.load("digits").sha256
    assert not (tmp_path / "none").exists()
    assert not data.load("digits").pixels.flags.writeable


def test_reading_a_dataset_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; from kdviz import data; assert len(data.load('digits').pixels) == 1797;"
        "print([module for module in ('torch', 'sklearn') if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Names, and prepared folders that are missing or broken


@pytest.mark.parametrize("name", ["mnst", "", None, 3, "../digits", ["digits"]])
def test_an_unknown_dataset_lists_the_known_ones(name: object) -> None:
    for reach in (data.source, data.load, prepare):
        with pytest.raises(UnknownName, match=r"known: .*digits.*mnist"):
            reach(name)


def copy_of_digits(into: Path) -> Path:
    """Put prepared digits where KDVIZ_DATA's prepared MNIST would lie, and return the folder."""
    folder = into / "prepared" / "mnist"
    folder.mkdir(parents=True)
    for file in ("pixels.npy", "labels.npy", "meta.json"):
        (folder / file).write_bytes((settings.ASSETS / "datasets" / "digits" / file).read_bytes())
    return folder


def test_a_whole_prepared_folder_is_read_from_kdviz_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    copy_of_digits(tmp_path)
    assert len(data.load("mnist").labels) == 1797


@pytest.mark.parametrize("present", [[], ["pixels.npy"], ["pixels.npy", "labels.npy"]])
def test_a_folder_without_its_meta_is_not_prepared(present: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    folder = copy_of_digits(tmp_path)
    for file in {"pixels.npy", "labels.npy", "meta.json"} - set(present):
        (folder / file).unlink()
    with pytest.raises(DataUnavailable) as caught:
        data.load("mnist")
    one_sentence(caught, "mnist is not prepared", "python -m kdviz data mnist")


def meta(change: Callable[[dict[str, object]], object]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return changed


BREAKAGES: dict[str, tuple[str, Callable[[bytes], bytes] | None]] = {
    "meta.json is garbage": ("meta.json", lambda content: b"\x00\xff{{{"),
    "meta.json is empty": ("meta.json", lambda content: b""),
    "meta.json is cut short": ("meta.json", lambda content: content[: len(content) // 2]),
    "meta.json is a list": ("meta.json", lambda content: b"[1, 2]"),
    "meta.json lacks its counts": ("meta.json", meta(lambda values: values.pop("counts"))),
    "meta.json has counts of no kind": ("meta.json", meta(lambda values: values.update(counts=["a", "b", "c"]))),
    "meta.json counts more images": ("meta.json", meta(lambda values: values.update(counts=[1150, 287, 361]))),
    "pixels.npy is gone": ("pixels.npy", None),
    "pixels.npy is empty": ("pixels.npy", lambda content: b""),
    "pixels.npy is a byte long": ("pixels.npy", lambda content: content[:1]),
    "pixels.npy is cut in its header": ("pixels.npy", lambda content: content[:50]),
    "pixels.npy is cut short": ("pixels.npy", lambda content: content[: len(content) // 2]),
    "pixels.npy is garbage": ("pixels.npy", lambda content: b"garbage" * 1000),
    "labels.npy is gone": ("labels.npy", None),
    "labels.npy is cut short": ("labels.npy", lambda content: content[:-1]),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_prepared_folder_is_one_sentence_with_the_remedy(
    breakage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    folder = copy_of_digits(tmp_path)
    file, change = BREAKAGES[breakage]
    if change is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(change((folder / file).read_bytes()))
    for reach in (data.load, prepare):
        with pytest.raises(DataUnavailable) as caught:
            reach("mnist")
        one_sentence(caught, str(folder), "damaged", "delete that folder", "python -m kdviz data mnist")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailable) as caught:
        prepare("digits", root=tmp_path / "file")
    one_sentence(caught, "digits cannot be written", str(tmp_path / "file"), "KDVIZ_DATA")


def test_a_failed_write_leaves_the_old_folder_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("digits", root=tmp_path)

    def full_disk(file: Path, array: np.ndarray) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(DataUnavailable) as caught:
        prepare("digits", root=tmp_path)
    one_sentence(caught, "No space left on device", "free some space")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["digits"]
    assert (tmp_path / "digits" / "pixels.npy").stat().st_size > 100_000


# mnist


def test_mnist_has_its_counts_and_splits(mnist: data.Dataset) -> None:
    assert mnist.counts == (50_000, 10_000, 10_000)
    assert mnist.pixels.shape == (70_000, 28, 28, 1) and mnist.pixels.dtype == np.uint8
    # The test split is MNIST's own: the counts of its classes are known.
    assert np.bincount(mnist.split("test").labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.split("training").labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    validation = np.bincount(mnist.split("validation").labels)
    assert np.abs(validation - np.bincount(mnist.split("training").labels) / 6).max() <= 1
    assert mnist.mean == pytest.approx((0.1307,), abs=1e-4) and mnist.std == pytest.approx((0.3081,), abs=1e-4)


def idx(kind: str, count: int, whole: bool) -> bytes:
    """Return an IDX file of zeros, whole or with its second half missing."""
    if kind == "images-idx3-ubyte":
        content = struct.pack(">iiii", 2051, count, 28, 28) + bytes(count * 784)
    else:
        content = struct.pack(">ii", 2049, count) + bytes(count)
    return content if whole else content[: len(content) // 2]


def lay_out(raw: Path, broken: str | None = None, content: bytes | None = None, count: int = 100) -> None:
    raw.mkdir(parents=True)
    for file in RAW:
        (raw / file).write_bytes(idx(file.split("-", 1)[1], count, whole=True))
    if broken is not None and content is not None:
        (raw / broken).write_bytes(content)


def no_network(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[str]:
    """Let every download of torchvision fail with this error, and return the list of those tried."""
    from kdviz.data.vision import torchvision

    tried: list[str] = []

    def download(url: str, **_: object) -> None:
        tried.append(url)
        raise error

    monkeypatch.setattr(torchvision().datasets.mnist, "download_and_extract_archive", download)
    return tried


@pytest.mark.parametrize("file", RAW)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"\x00\x00\x08\x03", bytes(16), b"\x00\x00\x0a\x03" + bytes(40), b"half", b"\xff" * 5000, None],
    ids=["empty", "one byte", "magic alone", "zeros", "unknown type", "text", "garbage", "cut in half"],
)
def test_a_half_downloaded_mnist_is_one_sentence_naming_its_folder(
    file: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    lay_out(tmp_path / "MNIST" / "raw", file, idx(file.split("-", 1)[1], 100, whole=False) if content is None else content)
    tried = no_network(monkeypatch, URLError("no route to host"))
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, str(tmp_path / "MNIST" / "raw"), "incomplete or damaged", "python -m kdviz data mnist")
    assert tried == [] and data.prepared_folder("mnist") is None


def test_a_mnist_of_too_few_images_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    lay_out(tmp_path / "MNIST" / "raw")
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, str(tmp_path / "MNIST" / "raw"), "incomplete or damaged")


@pytest.mark.parametrize(
    "error",
    [URLError("[Errno -3] Temporary failure in name resolution"), TimeoutError("timed out"), ConnectionResetError(104, "reset"),
     http.client.IncompleteRead(b"", 100), RuntimeError("File not found or corrupted."), gzip.BadGzipFile("not gzipped")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_no_network_and_no_files_is_one_sentence(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    tried = no_network(monkeypatch, error)
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, "cannot be downloaded now", "connect to the network", str(tmp_path / "MNIST" / "raw"))
    assert tried and data.prepared_folder("mnist") is None
    assert prepare("digits").name == "digits"  # everything else keeps working


def test_one_file_missing_and_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    lay_out(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / RAW[2]).unlink()
    no_network(monkeypatch, URLError("no route to host"))
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, "cannot be downloaded now", str(tmp_path / "MNIST" / "raw"))


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MNIST").write_text("in the way")
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, "mnist cannot be stored", "KDVIZ_DATA")


# torchvision


def test_torchvision_imports_beside_this_torch() -> None:
    code = (
        "from kdviz.data.vision import torchvision; import torch; v = torchvision(); assert torchvision() is v;"
        "from torchvision import models, transforms; assert v.datasets.MNIST and models.resnet18;"
        "assert transforms.Resize(4)(torch.zeros(1, 8, 8)).shape == (1, 4, 4)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
