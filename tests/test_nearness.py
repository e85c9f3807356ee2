"""Pictures unlike a dataset's images are far, the dataset's own are not; what is learned is small and comes back as it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kdviz import data
from kdviz.data import nearness
from kdviz.data.nearness import Nearness
from kdviz.errors import DataUnavailable


def fitted(dataset: data.Dataset) -> Nearness:
    return nearness.fit(dataset.split("train").pixels, dataset.split("validation").pixels)


@pytest.fixture(scope="module")
def digits() -> Nearness:
    return fitted(data.load("digits"))


def photographs(shape: tuple[int, int, int], number: int = 100) -> np.ndarray:
    """Return pictures with a photograph's spectrum, 1/frequency (Field, 1987), and any brightness: (number, *shape)."""
    generator = np.random.default_rng(0)
    height, width, channels = shape
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij"))
    spectrum = np.fft.fft2(generator.normal(size=(number, channels, height, width))) / np.maximum(frequency, 1 / height)
    field = np.fft.ifft2(spectrum).real
    field = (field - field.mean(axis=(2, 3), keepdims=True)) / field.std(axis=(2, 3), keepdims=True)
    field = field * generator.uniform(20, 60, (number, 1, 1, 1)) + generator.uniform(80, 175, (number, 1, 1, 1))
    pixels: np.ndarray = np.clip(field, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return pixels


def strangers(shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Return pictures that belong to no dataset, by kind: each (n, *shape)."""
    generator = np.random.default_rng(0)
    many = (100, *shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    boards = [((rows // side + columns // side) % 2)[..., None] for side in (1, 2, 4) if side < shape[0]]
    return {
        "uniform noise": generator.integers(0, 256, many),
        "Gaussian noise": np.clip(generator.normal(128, 40, many), 0, 255),
        "faint Gaussian noise": np.clip(generator.normal(128, 15, many), 0, 255),
        "salt and pepper": 255 * (generator.random((*many[:3], 1)) < 0.3) * np.ones(shape[2]),
        "blank": np.arange(256)[:, None, None, None] * np.ones(shape),
        "checkerboards": np.stack([contrast * abs(board - flip) * np.ones(shape)
                                   for board in boards for flip in (0, 1) for contrast in (255, 60)]),
    }  # fmt: skip


KINDS = list(strangers((8, 8, 1)))


def far(learned: Nearness, pixels: np.ndarray) -> float:
    return float(nearness.is_far(learned, pixels.astype(np.uint8)).mean())


# What is far and what is not


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_of_another_kind_is_taken_for_a_digit(digits: Nearness, kind: str) -> None:
    assert far(digits, strangers((8, 8, 1))[kind]) == 1


def test_dark_digits_on_light_and_photographs_are_far_from_digits(digits: Nearness) -> None:
    assert far(digits, 255 - data.load("digits").split("test").pixels) == 1
    assert far(digits, photographs((8, 8, 1))) > 0.95


def test_at_most_one_in_a_hundred_test_digits_is_far(digits: Nearness) -> None:
    assert far(digits, data.load("digits").split("test").pixels) <= 0.01


def test_mnist_is_told_from_everything_else(mnist: data.Dataset) -> None:
    learned = fitted(mnist)
    test = mnist.split("test").pixels
    assert far(learned, test) <= 0.01
    others = {**strangers(mnist.shape), "photographs": photographs(mnist.shape), "inverted": 255 - test[:200]}
    assert {kind: far(learned, pixels) for kind, pixels in others.items()} == dict.fromkeys(others, 1.0)


def test_photographs_of_a_kind_are_near_each_other_and_noise_is_far() -> None:
    shape = (32, 32, 3)
    images = photographs(shape, 1200)
    learned = nearness.fit(images[:600], images[600:900])
    assert far(learned, images[900:]) <= 0.02
    others = strangers(shape)
    assert {kind: far(learned, pixels) for kind, pixels in others.items()} == dict.fromkeys(others, 1.0)


# Distances and shares


def test_half_of_the_held_out_images_lie_within_a_distance_of_one(digits: Nearness) -> None:
    held_out = data.load("digits").split("validation").pixels
    distances = nearness.distance(digits, held_out)
    assert np.median(distances) == pytest.approx(1)
    np.testing.assert_allclose(np.sort(distances), digits.held_out, rtol=1e-6)
    assert (distances <= digits.limit).all()  # with 287 of them, the rule of conformal prediction takes the farthest


def test_the_share_that_lies_farther(digits: Nearness) -> None:
    validation = data.load("digits").split("validation").pixels
    blank = np.zeros((1, 8, 8, 1), np.uint8)
    assert nearness.share_farther(digits, blank).tolist() == [0]
    shares, distances = nearness.share_farther(digits, validation), nearness.distance(digits, validation)
    assert shares.shape == (len(validation),) and shares.min() > 0 and shares.max() == 1
    assert (np.diff(shares[np.argsort(distances)]) <= 0).all()
    middle = validation[[np.argsort(distances)[len(distances) // 2]]]
    assert nearness.share_farther(digits, middle)[0] == pytest.approx(0.5, abs=0.01)


def test_the_limit_leaves_out_one_in_two_hundred() -> None:
    def limit(number: int) -> float:
        empty = np.empty(0)
        return Nearness(empty, empty, empty, empty, empty, held_out=np.arange(1.0, number + 1)).limit

    assert (limit(3), limit(199), limit(399), limit(1999)) == (3, 199, 398, 1990)


def test_pictures_are_measured_one_by_one(digits: Nearness) -> None:
    pixels = data.load("digits").split("training").pixels  # more than a batch
    together = nearness.distance(digits, pixels)
    np.testing.assert_allclose(
        together[[0, 700, -1]], [nearness.distance(digits, pixels[[n]])[0] for n in (0, 700, -1)], rtol=1e-4
    )
    assert nearness.distance(digits, pixels[:0]).shape == (0,)


def test_the_same_seed_learns_the_same(digits: Nearness) -> None:
    again = fitted(data.load("digits"))
    for field in dataclasses.fields(Nearness):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(digits, field.name))


@pytest.mark.parametrize("images", [np.full((30, 4, 4, 3), 7, np.uint8), photographs((5, 7, 3), 20)], ids=["all alike", "twenty"])
def test_few_images_or_equal_ones_are_learned_without_a_warning(images: np.ndarray) -> None:
    learned = nearness.fit(images, images)
    assert np.isfinite(nearness.distance(learned, images)).all()
    assert not nearness.is_far(learned, images).any()
    assert np.isfinite(nearness.distance(learned, 255 - images)).all()


# Size, files


def test_a_coloured_dataset_takes_at_most_two_megabytes(tmp_path: Path) -> None:
    images = photographs((32, 32, 3), 1400)
    learned = nearness.fit(images[:1350], images[1350:])
    nearness.save(learned, tmp_path / "near.npz")
    assert (tmp_path / "near.npz").stat().st_size < 2_000_000
    assert learned.components.shape == (3072, 253)


def test_what_was_saved_answers_alike(digits: Nearness, tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "near.npz"
    nearness.save(digits, file)
    again = nearness.load(file)
    pixels = np.concatenate([data.load("digits").split("test").pixels, np.zeros((1, 8, 8, 1), np.uint8)])
    np.testing.assert_allclose(nearness.distance(again, pixels), nearness.distance(digits, pixels), rtol=1e-4)
    np.testing.assert_array_equal(nearness.is_far(again, pixels), nearness.is_far(digits, pixels))
    assert [path.name for path in file.parent.iterdir()] == ["near.npz"]


@pytest.mark.parametrize("content", [None, b"", b"garbage", b"PK\x03\x04" + bytes(40), "cut", "other", "array"])
def test_a_damaged_file_is_one_sentence(content: bytes | str | None, digits: Nearness, tmp_path: Path) -> None:
    file = tmp_path / "near.npz"
    if content == "other":
        np.savez(file, mean=digits.mean)
    elif content == "array":
        with file.open("wb") as opened:
            np.save(opened, digits.mean)
    elif content == "cut":
        nearness.save(digits, file)
        file.write_bytes(file.read_bytes()[:3000])
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(DataUnavailable, match="is absent or damaged: delete it") as caught:
        nearness.load(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_one_sentence(digits: Nearness, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailable, match="cannot be written .*: free some space or set KDVIZ_DATA"):
        nearness.save(digits, tmp_path / "file" / "near.npz")
