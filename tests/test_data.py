"""The shipped digits are scikit-learn's, splits do not touch, and what is missing or broken is one sentence."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from filelock import FileLock
from PIL import Image

from kdviz import data, settings, worker
from kdviz.data import folder, street, vision
from kdviz.data import prepare as preparing
from kdviz.data.prepare import ensure_nearness, prepare, prepare_folder, remove, to_download
from kdviz.errors import DataUnavailable, InvalidValue, UnknownName
from kdviz.store import Store
from tests.sources import ROOT

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: a port of this machine on which nobody listens."""
RAW = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would remember the proxies of an earlier test


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


def lay_out_small(raw: Path, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Write the IDX files of 60 images to learn from and 20 of the test, and return images (80, 28, 28) and labels (80,)."""
    raw.mkdir(parents=True)
    images, labels = np.random.default_rng(0).integers(0, 256, (80, 28, 28), np.uint8), np.arange(80) % classes
    for part, where in (("train", slice(0, 60)), ("t10k", slice(60, 80))):
        count = len(labels[where])
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">iiii", 2051, count, 28, 28) + images[where].tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">ii", 2049, count) + labels[where].astype(np.uint8).tobytes()
        )
    return images, labels


def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever tries to download find no program for it, which is another error than those expected."""
    monkeypatch.setattr(vision, "CHILD", ("/no/such/program",))


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
    no_download(monkeypatch)
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, str(tmp_path / "MNIST" / "raw"), "incomplete or damaged", "python -m kdviz data mnist")
    assert data.prepared_folder("mnist") is None


def test_a_mnist_of_too_few_images_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    lay_out(tmp_path / "MNIST" / "raw")
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, str(tmp_path / "MNIST" / "raw"), "incomplete or damaged")


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MNIST").write_text("in the way")
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, "mnist cannot be stored", "KDVIZ_DATA")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_small_idx_files_are_read_in_their_order(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(preparing.COUNTS, name, (50, 10, 20))
    no_download(monkeypatch)
    raw = tmp_path / vision.PUBLISHED[name].folder
    images, labels = lay_out_small(raw)
    assert to_download(name) == 0
    dataset = prepare(name)
    assert (dataset.name, dataset.counts, dataset.shape, dataset.copy) == (name, (50, 10, 20), (28, 28, 1), "")
    assert dataset.class_names == data.source(name).class_names
    test = dataset.split("test")
    np.testing.assert_array_equal(test.pixels[..., 0], images[60:])
    np.testing.assert_array_equal(test.labels, labels[60:])
    where = {image.tobytes(): number for number, image in enumerate(images)}  # each is noise of its own
    learned = dataset.split("training")
    numbers = [where[np.ascontiguousarray(image).tobytes()] for image in learned.pixels]
    assert sorted(numbers) == list(range(60))
    np.testing.assert_array_equal(learned.labels, labels[numbers])
    assert np.bincount(dataset.split("validation").labels).tolist() == [1] * 10
    assert np.bincount(dataset.split("train").labels).tolist() == [5] * 10


@pytest.mark.parametrize("counts", [(50, 10, 19), (40, 10, 20)])
def test_idx_files_of_another_number_of_images_are_not_taken(
    counts: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(preparing.COUNTS, "fashion-mnist", counts)
    lay_out_small(tmp_path / "FashionMNIST" / "raw")
    with pytest.raises(DataUnavailable) as caught:
        prepare("fashion-mnist")
    one_sentence(caught, str(tmp_path / "FashionMNIST" / "raw"), "incomplete or damaged")


def test_idx_files_that_lack_a_class_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(preparing.COUNTS, "fashion-mnist", (50, 10, 20))
    lay_out_small(tmp_path / "FashionMNIST" / "raw", classes=9)
    with pytest.raises(DataUnavailable, match="incomplete or damaged"):
        prepare("fashion-mnist")


# cifar10


CIFAR_COUNTS = (60, 20, 20)  # 8 images a class to learn from, 2 of the test


def lay_out_cifar(top: Path, kind: str = "png") -> Path:
    """Write a small cifar10 as a folder of images: image n of class c is all of the colour (20 c, 20 n, 9 or 200 in test)."""
    for split, count, blue in (("train", 8, 9), ("test", 2, 200)):
        for label, name in enumerate(data.source("cifar10").class_names):
            (top / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (32, 32), (20 * label, 20 * number, blue))
                image.save(top / split / name / f"{number}.{kind}")
    return top


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(preparing.COUNTS, "cifar10", CIFAR_COUNTS)
    no_download(monkeypatch)
    return tmp_path / "cifar10"


def test_a_folder_of_images_serves_as_cifar10(cifar: Path) -> None:
    lay_out_cifar(cifar)
    (cifar / "test" / "cat" / ".DS_Store").write_bytes(b"left by a Macintosh")
    assert to_download("cifar10") == 0
    seen: list[tuple[str, float]] = []
    dataset = prepare("cifar10", lambda stage, share: seen.append((stage, share)))
    assert (dataset.counts, dataset.shape, dataset.copy) == (CIFAR_COUNTS, (32, 32, 3), "files in ImageFolder layout")
    colours = dataset.pixels[:, 0, 0]
    assert (dataset.pixels == colours[:, None, None]).all()
    np.testing.assert_array_equal(colours[:, 0], 20 * dataset.labels)
    assert (colours[:80, 2] == 9).all() and (colours[80:, 2] == 200).all()
    np.testing.assert_array_equal(dataset.split("test").labels, np.repeat(np.arange(10), 2))
    assert len({tuple(colour) for colour in colours.tolist()}) == 100
    assert [stage for stage, _ in seen] == ["arrays"] * len(seen)
    shares = [share for _, share in seen]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0.0, 1.0)


def test_the_order_of_a_folder_of_images_is_as_it_always_was(cifar: Path) -> None:
    """The teachers' cards name the bytes that they were trained on."""
    lay_out_cifar(cifar)
    dataset = prepare("cifar10")
    files = [file for name in dataset.class_names for file in sorted((cifar / "train" / name).iterdir())]
    kept, held_out = preparing._stratified(np.repeat(np.arange(10), 8), 20)
    for number, place in enumerate([*kept, *held_out]):
        with Image.open(files[place]) as image:
            np.testing.assert_array_equal(dataset.pixels[number], np.asarray(image))


def test_jpeg_files_are_said_to_be_a_copy_of_their_own(cifar: Path) -> None:
    lay_out_cifar(cifar, "jpg")
    assert prepare("cifar10").copy == "JPEG files in ImageFolder layout"
    assert json.loads((cifar.parent / "prepared" / "cifar10" / "meta.json").read_bytes())["copy"] == data.load("cifar10").copy


def small_image(file: Path) -> None:
    Image.new("RGB", (32, 31)).save(file)


CIFAR_FAULTS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no class folder": (lambda top: shutil.rmtree(top / "test" / "frog"), ("'test/frog'", "No such file")),
    "no split": (lambda top: shutil.rmtree(top / "train"), ("'train/airplane'", "No such file")),
    "one image less": (lambda top: (top / "train" / "dog" / "3.png").unlink(), ("'train/dog'", "7 files instead of 8")),
    "one file more": (lambda top: (top / "test" / "cat" / "x.txt").write_text("x"), ("'test/cat'", "3 files instead of 2")),
    "a text": (lambda top: (top / "test" / "cat" / "1.png").write_text("x"), ("'test/cat/1.png'", "cannot be read as an image")),
    "cut short": (
        lambda top: (top / "train" / "ship" / "0.png").write_bytes((top / "train" / "ship" / "0.png").read_bytes()[:60]),
        ("'train/ship/0.png'", "cannot be read as an image"),
    ),
    "of another size": (lambda top: small_image(top / "test" / "bird" / "0.png"), ("'test/bird/0.png'", "32 × 31", "32 × 32")),
}


@pytest.mark.parametrize("fault", CIFAR_FAULTS)
def test_a_faulty_folder_of_cifar10_is_one_sentence(fault: str, cifar: Path) -> None:
    spoil, parts = CIFAR_FAULTS[fault]
    spoil(lay_out_cifar(cifar))
    with pytest.raises(DataUnavailable) as caught:
        prepare("cifar10")
    one_sentence(caught, *parts, str(cifar), "put it right", "have cifar10 downloaded")
    assert data.prepared_folder("cifar10") is None


def test_the_original_batches_of_cifar10_are_read(cifar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones, whose checksums stand in for those of the published files."""
    theirs = vision.torchvision().datasets.CIFAR10
    batches = cifar.parent / "cifar-10-batches-py"
    batches.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (100, 3, 32, 32), np.uint8)  # channels before height and width, there
    labels = np.arange(100) % 10
    sums = {}
    for number, file in enumerate((*vision.PUBLISHED["cifar10"].files[:6],)):
        part = slice(16 * number, 16 * number + 16) if number < 5 else slice(80, 100)
        content = pickle.dumps({"data": noise[part].reshape(-1, 3072), "labels": labels[part].tolist()})
        (batches / file).write_bytes(content)
        sums[file] = hashlib.md5(content).hexdigest()
    names = pickle.dumps({"label_names": list(data.source("cifar10").class_names)})
    (batches / "batches.meta").write_bytes(names)
    monkeypatch.setattr(theirs, "train_list", [[file, sums[file]] for file in list(sums)[:5]])
    monkeypatch.setattr(theirs, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(theirs, "meta", {**theirs.meta, "md5": hashlib.md5(names).hexdigest()})
    dataset = prepare("cifar10")
    assert (dataset.counts, dataset.copy) == (CIFAR_COUNTS, "the original of cs.toronto.edu")
    np.testing.assert_array_equal(dataset.split("test").pixels, noise[80:].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(dataset.split("test").labels, labels[80:])
    assert np.bincount(dataset.split("validation").labels).tolist() == [2] * 10

    (batches / "data_batch_3").write_bytes(b"another file")
    with pytest.raises(DataUnavailable) as caught:
        prepare("cifar10", root=cifar.parent / "again")
    one_sentence(caught, str(batches), "incomplete or damaged")


# street


def test_street_is_drawn_from_its_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(preparing.COUNTS, "street", (30, 10, 20))
    seen: list[tuple[str, float]] = []
    dataset = prepare("street", lambda stage, share: seen.append((stage, share)))
    assert (dataset.counts, dataset.shape, dataset.class_names) == ((30, 10, 20), street.SHAPE, street.CLASS_NAMES)
    for part, count, seed in (("training", 40, 2015), ("test", 20, 2016)):
        pixels, labels, shapes = street.generate(count, seed)
        where = dataset.slice(part)  # type: ignore[arg-type]
        np.testing.assert_array_equal(dataset.pixels[where], pixels)
        np.testing.assert_array_equal(dataset.labels[where], labels)
        assert dataset.shapes is not None and dataset.shapes.dtype == np.float32
        np.testing.assert_array_equal(dataset.shapes[where], shapes.astype(np.float32))
    assert dataset.labels.dtype == np.int64
    content = (np.ascontiguousarray(array).tobytes() for array in (dataset.pixels, dataset.labels, dataset.shapes))
    assert dataset.sha256 == hashlib.sha256(b"".join(content)).hexdigest()
    assert {stage for stage, _ in seen} == {"drawing", "arrays"}
    drawing = [share for stage, share in seen if stage == "drawing"]
    assert drawing == sorted(drawing) and drawing[-1] == pytest.approx(1.0)


# A download, by torchvision itself from a server of this machine


class Mirror(http.server.BaseHTTPRequestHandler):
    """A proxy that answers itself, whatever machine it is asked to reach."""

    files: dict[str, bytes]
    share: float  # of a file that is sent before the connection is closed
    holding: threading.Event | None  # set once this share is sent; then nothing more comes
    done: threading.Event

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        content = self.files.get(self.path.split("/")[-1])
        if content is None:
            return  # the connection ends without a word
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: int(self.share * len(content))])
        self.wfile.flush()
        if self.holding is not None:
            self.holding.set()
            self.done.wait(30)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def mirror(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], share: float = 1.0, holding: threading.Event | None = None
) -> Iterator[None]:
    done = threading.Event()
    handler = type("Handler", (Mirror,), {"files": files, "share": share, "holding": holding, "done": done})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            done.set()
            server.shutdown()


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The archives of a small fashion-mnist, whose checksums stand in for those of the published ones."""
    lay_out_small(tmp_path / "published")
    packed = {f"{file}.gz": gzip.compress((tmp_path / "published" / file).read_bytes()) for file in RAW}
    resources = [(file, hashlib.md5(content).hexdigest()) for file, content in packed.items()]
    monkeypatch.setattr(vision.torchvision().datasets.FashionMNIST, "resources", resources)
    return packed


def test_torchvision_downloads_what_is_whole(archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror(monkeypatch, archives):
        assert vision.download("fashion-mnist", tmp_path / "got") is None
    for file in vision.PUBLISHED["fashion-mnist"].files:
        got = tmp_path / "got" / vision.PUBLISHED["fashion-mnist"].folder / file
        assert got.read_bytes() == (tmp_path / "published" / file).read_bytes()


@pytest.mark.parametrize(
    ("change", "share", "kind"),
    [
        (lambda packed: dict.fromkeys(packed, b"<html>please log in</html>"), 1.0, "damaged"),
        (lambda packed: packed, 0.6, "damaged"),
        (lambda packed: {}, 1.0, "network"),
    ],
    ids=["a page to log in", "cut short", "no answer"],
)
def test_what_goes_wrong_in_a_download_has_a_kind(
    change: Callable[[dict[str, bytes]], dict[str, bytes]], share: float, kind: str,
    archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with mirror(monkeypatch, change(archives), share):
        fault = vision.download("fashion-mnist", tmp_path / "got")
    assert fault is not None and fault[0] == kind


def test_a_network_that_is_not_there_has_a_kind(tmp_path: Path) -> None:
    for name in vision.PUBLISHED:
        fault = vision.download(name, tmp_path)
        assert fault is not None and fault[0] == "network", fault


def test_a_full_disk_has_a_kind(archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with mirror(monkeypatch, archives):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            fault = vision.download("fashion-mnist", tmp_path / "got")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert fault == ("disk", "File too large")


# A download, as the child that it runs in and whoever waits for it


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "kdviz.data.vision" in child.cmdline()]


def test_no_network_is_one_sentence_and_a_download_that_crashed_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    raw, crashed = tmp_path / "MNIST" / "raw", tmp_path / ".fetching-mnist" / "MNIST" / "raw"
    lay_out(raw)
    (raw / RAW[2]).unlink()
    lay_out(crashed)  # all that is missing in raw is here
    assert to_download("mnist") == 12
    with pytest.raises(DataUnavailable) as caught:
        prepare("mnist")
    one_sentence(caught, "mnist is not in", "cannot be downloaded now", "connect to the network", str(raw), RAW[2])
    assert data.prepared_folder("mnist") is None
    assert not (tmp_path / ".fetching-mnist").exists()
    assert sorted(file.name for file in raw.iterdir()) == sorted({*RAW} - {RAW[2]})  # what was there stays
    assert prepare("digits").name == "digits"  # everything else keeps working


def test_a_download_that_is_called_off_leaves_nothing(
    archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("KDVIZ_DATA", str(home))
    most_sent, asked_to_stop = threading.Event(), []
    archive = home / ".fetching-fashion-mnist" / "FashionMNIST" / "raw" / "train-images-idx3-ubyte.gz"

    def stop() -> bool:
        if most_sent.is_set() and archive.is_file() and archive.stat().st_size > 10_000:
            assert len(children()) == 1
            asked_to_stop.append(time.monotonic())
        return bool(asked_to_stop)

    with mirror(monkeypatch, archives, 0.9, most_sent), pytest.raises(folder.Stopped):
        prepare("fashion-mnist", stop=stop)
    assert time.monotonic() - asked_to_stop[0] < 2
    assert children() == []
    assert {path.name for path in home.rglob("*") if not path.name.endswith(".lock")} == {"prepared"}


def test_a_download_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kdviz.data.vision", "fashion-mnist", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(30) == vision.ABANDONED
    assert list(tmp_path.iterdir()) == []


def stand_in(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let a short program take the place of torchvision's download; `folder` is where it is to download to."""
    begin = "import os, sys, time; from pathlib import Path; folder = Path(sys.argv[2]); "
    monkeypatch.setattr(vision, "CHILD", (sys.executable, "-S", "-c", begin + program))


def test_a_download_is_watched_and_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = vision.PUBLISHED["mnist"]
    monkeypatch.setitem(vision.PUBLISHED, "mnist", vision.Published(known.dataset, known.folder, known.files, 4000))
    stand_in(
        monkeypatch,
        f"raw = folder / {known.folder!r}; raw.mkdir(parents=True)\n"
        f"for file in {known.files!r}:\n"
        "    (raw / file).write_text(file); (raw / (file + '.gz')).write_bytes(bytes(1000)); time.sleep(0.3)",
    )
    raw = tmp_path / known.folder
    raw.mkdir(parents=True)
    (raw / "notes.txt").write_text("mine")
    (raw / RAW[0]).write_text("cut sh")
    seen: list[float] = []
    vision.fetch("mnist", tmp_path, seen.append)
    assert {file.name: file.read_text() for file in raw.iterdir()} == {"notes.txt": "mine", **{file: file for file in RAW}}
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]
    assert seen == sorted(seen) and {0.25, 0.5, 0.75} & set(seen)


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        ("(folder / 'half').write_text('x'); os.kill(os.getpid(), 9)", ("could not be downloaded", "exit status -9")),
        ("(folder / 'half').write_text('x'); raise SystemExit(1)", ("could not be downloaded", "exit status 1")),
        ('print(\'["damaged", "x"]\'); raise SystemExit(1)', ("not what was published", "nothing of it is kept")),
        ('print(\'["disk", "No space left on device"]\'); raise SystemExit(1)', ("No space left", "KDVIZ_DATA")),
        ("pass", ("cannot be stored", "No such file")),
    ],
    ids=["killed", "without a word", "damaged", "full disk", "nothing came of it"],
)
def test_a_download_that_fails_is_one_sentence_and_leaves_nothing(
    program: str, parts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, program)
    with pytest.raises(DataUnavailable) as caught:
        vision.fetch("cifar10", tmp_path, lambda share: None)
    one_sentence(caught, "cifar10", *parts)
    assert list(tmp_path.iterdir()) == []


# Called off


def test_progress_comes_in_steps(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    report = preparing._reporting(lambda stage, share: seen.append((stage, share)), lambda: False)
    for stage in ("download", "arrays"):
        for number in range(10_001):
            report(stage, number / 10_000)
    for stage in ("download", "arrays"):
        shares = [share for of, share in seen if of == stage]
        assert 40 < len(shares) <= 51 and (shares[0], shares[-1]) == (0.0, 1.0)


def test_drawing_that_is_called_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    seen: list[float] = []
    with pytest.raises(folder.Stopped):
        prepare("street", lambda stage, share: seen.append(share), stop=lambda: len(seen) > 1)
    assert 0 < max(seen) < 0.1
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [".street.lock"]


def test_who_waits_for_another_program_says_so_and_can_be_called_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    (tmp_path / "prepared").mkdir()
    seen: list[str] = []
    with FileLock(tmp_path / "prepared" / ".street.lock"), pytest.raises(folder.Stopped):
        prepare("street", lambda stage, share: seen.append(stage), stop=lambda: bool(seen))
    assert seen == ["waiting"]


def test_what_a_killed_program_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".preparing-digits"
    left.mkdir()
    (left / "shapes.npy").write_bytes(b"half")
    assert prepare("digits", root=tmp_path).shapes is None
    assert not left.exists()


def test_a_question_that_is_withdrawn_ends_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    store = Store(os.environ["KDVIZ_STORE"])
    asked = store.ask("prepare", {"dataset": "street"})
    claimed = store.claim_question()
    assert claimed is not None
    working = threading.Thread(target=worker.answer_question, args=(store.url, asked, claimed.attempt))
    working.start()
    while (question := store.question(asked)) is not None and question.progress is None and working.is_alive():
        time.sleep(0.02)
    store.cancel_question(asked)
    working.join(3)
    assert not working.is_alive()
    question = store.question(asked)
    assert question is not None and (question.state, question.answer, question.error) == ("stopped", None, None)
    assert data.prepared_folder("street") is None
    store.cancel_question(asked)
    assert store.ask("prepare", {"dataset": "street"}) != asked
    store.close()


# Folders of somebody's own


def lay_out_own(top: Path, classes: tuple[str, ...] = ("cats", "dogs"), count: int = 30) -> Path:
    """Write a folder of images: image n of class c is all of the grey 100 c + n."""
    for label, name in enumerate(classes):
        (top / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (20, 20), 100 * label + number).save(top / name / f"{number}.png")
    return top


def test_a_folder_of_ones_own_becomes_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    seen: list[tuple[str, float]] = []
    dataset = prepare_folder("own-pets", lay_out_own(tmp_path / "pets"), lambda stage, share: seen.append((stage, share)))
    assert (dataset.name, dataset.class_names, dataset.shape) == ("own-pets", ("cats", "dogs"), (20, 20, 1))
    assert dataset.counts == (40, 8, 12)
    np.testing.assert_array_equal(dataset.pixels[:, 0, 0, 0] // 100, dataset.labels)
    assert data.load("own-pets").sha256 == dataset.sha256 == prepare("own-pets").sha256
    assert data.names()[-1] == "own-pets" and data.source("own-pets").shape == (20, 20, 1)
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["files", "arrays"] and seen[-1] == ("arrays", 1.0)

    replaced = prepare_folder("own-pets", lay_out_own(tmp_path / "more", ("ants", "bees", "cows"), 10))
    assert data.load("own-pets").class_names == replaced.class_names == ("ants", "bees", "cows")
    assert to_download("own-pets") == 0


def test_a_folder_of_ones_own_that_is_called_off_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    earlier = prepare_folder("own-pets", lay_out_own(tmp_path / "pets"))
    seen: list[str] = []
    with pytest.raises(folder.Stopped):
        prepare_folder("own-pets", lay_out_own(tmp_path / "more", ("ants", "bees")),
                       lambda stage, share: seen.append(stage), lambda: "arrays" in seen)  # fmt: skip
    assert data.load("own-pets").sha256 == earlier.sha256
    assert sorted(path.name for path in (tmp_path / "data" / "prepared").iterdir()) == [".own-pets.lock", "own-pets"]


def test_a_folder_of_ones_own_is_removed_with_all_that_was_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of one whose name begins alike."""
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    pets = lay_out_own(tmp_path / "pets", count=150)
    for name in ("own-pets", "own-pets-2"):
        assert ensure_nearness(prepare_folder(name, pets)) is not None
        (tmp_path / "data" / "teachers").mkdir(exist_ok=True)
        (tmp_path / "data" / "logits").mkdir(exist_ok=True)
        card = {"name": f"{name}-cnn", "dataset": name, "sha256": "0123456789abcdef"}
        (tmp_path / "data" / "teachers" / f"{name}-cnn.json").write_text(json.dumps(card))
        (tmp_path / "data" / "teachers" / f"{name}-cnn.safetensors").write_bytes(b"weights")
        for ending in ("", "-members"):
            (tmp_path / "data" / "logits" / f"{name}-cnn-0123456789ab-1234{ending}.npy").write_bytes(b"logits")
    (tmp_path / "data" / "teachers" / "own-pets-linear.json").write_text("{")  # nobody's
    remove("own-pets")
    left = {path.name for path in (tmp_path / "data").rglob("*") if "own-pets" in path.name and path.suffix != ".lock"}
    assert {name for name in left if not name.startswith("own-pets-2")} == {"own-pets-linear.json"}
    assert len(left) == 1 + 6  # prepared, card, weights, two files of logits, nearness
    assert "own-pets" not in data.names() and data.load("own-pets-2").counts == (200, 40, 60)
    remove("own-pets")  # it is gone already
    assert (pets / "cats").is_dir()


@pytest.mark.parametrize("name", ["digits", "mnist", "../own-x", "own-", "own-A b", ""])
def test_only_datasets_of_ones_own_are_made_of_folders_and_removed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    for reach in (lambda: remove(name), lambda: prepare_folder(name, tmp_path)):
        with pytest.raises(InvalidValue, match="named own-"):
            reach()
    assert not (tmp_path / "data").exists()


# What a dataset's images are like


def test_nearness_is_learned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    dataset = data.load("digits")
    first = ensure_nearness(dataset)
    (file,) = (tmp_path / "nearness").iterdir()
    assert first is not None and file.name == f"digits-{dataset.sha256[:12]}.npz"
    written = file.stat().st_mtime_ns
    again = ensure_nearness(dataset)
    assert again is not None and file.stat().st_mtime_ns == written
    assert again.limit == pytest.approx(first.limit)
    file.write_bytes(b"damaged")
    assert ensure_nearness(dataset) is not None and file.stat().st_size > 1000


def test_of_a_handful_of_images_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    assert ensure_nearness(prepare_folder("own-pets", lay_out_own(tmp_path / "pets"))) is None
    assert not (tmp_path / "data" / "nearness").exists()


# torchvision itself


def test_torchvision_imports_beside_this_torch() -> None:
    code = (
        "from kdviz.data.vision import torchvision; import torch; v = torchvision(); assert torchvision() is v;"
        "from torchvision import models, transforms; assert v.datasets.MNIST and models.resnet18;"
        "assert transforms.Resize(4)(torch.zeros(1, 8, 8)).shape == (1, 4, 4)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
