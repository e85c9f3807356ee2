"""The pictures of street, and what is known of them: densities, true posterior, Bayes accuracy, one scene in many shapes."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import scipy.stats

from kdviz.data import street
from kdviz.errors import InvalidValue, UnknownName

BETA = {"car": scipy.stats.beta(2, 5), "truck": scipy.stats.beta(5, 2)}
GRID = np.linspace(0, 1, 101)
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """800 pictures, their labels and shapes; 200 of each class."""
    return street.generate(800, seed=1)


def scene(label: int | str, seed: int, clear: bool = False) -> street.Scene:
    return street.scene(np.random.default_rng(seed), label, clear)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean distance of two pictures' values, 0..255."""
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


# What is known


@pytest.mark.parametrize("name", ["car", "truck"])
def test_density_is_that_of_the_beta_distribution(name: str) -> None:
    values = street.density(name, GRID)
    np.testing.assert_allclose(values, BETA[name].pdf(GRID), atol=1e-12)
    np.testing.assert_array_equal(values, street.density(street.CLASS_NAMES.index(name), GRID))
    assert np.trapezoid(values, GRID) == pytest.approx(1, abs=1.5e-3)


def test_posterior_is_bayes_rule_on_the_densities() -> None:
    s = GRID[1:-1]
    car, truck = street.density("car", s), street.density("truck", s)
    for label in (street.CAR, street.TRUCK):  # the truth about a picture is the same whichever class it came from
        rows = street.posterior(np.full(len(s), label), s)
        np.testing.assert_allclose(rows[:, street.TRUCK], truck / (car + truck), atol=1e-12)
        np.testing.assert_allclose(rows.sum(axis=1), 1)
        assert not rows[:, :2].any()
        assert (np.diff(rows[:, street.TRUCK]) > 0).all()
    assert street.posterior(np.array([2, 3, 3]), np.array([0.5, 0.0, 1.0]))[:, 3].tolist() == [0.5, 0.0, 1.0]


def test_posterior_of_a_body_of_its_own_is_one_hot() -> None:
    rows = street.posterior(np.array([1, 0, 2]), np.array([math.nan, math.nan, 0.5]))
    assert rows.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.5, 0.5]]


def test_bayes_accuracy_is_what_the_true_posterior_reaches() -> None:
    rng, n = np.random.default_rng(0), 100_000
    labels = np.repeat(np.arange(4), n)
    s = np.concatenate([np.full(2 * n, math.nan), *(BETA[name].rvs(n, random_state=rng) for name in ("car", "truck"))])
    posterior = street.posterior(labels, s)
    assert street.bayes_accuracy() == pytest.approx((posterior.argmax(axis=1) == labels).mean(), abs=1.5e-3)
    # A posterior that is true is also calibrated: the mean of its largest share is its accuracy.
    assert street.bayes_accuracy() == pytest.approx(posterior.max(axis=1).mean(), abs=1.5e-3)


@pytest.mark.parametrize("name", ["car", "truck"])
def test_shapes_follow_their_density(drawn: Drawn, name: str) -> None:
    labels, shapes = street.draw_truth(100_000, np.random.default_rng(1))
    own = shapes[labels == street.CLASS_NAMES.index(name)].astype(float)
    assert len(own) == 25_000
    assert scipy.stats.kstest(own, BETA[name].cdf).pvalue > 1e-3
    np.testing.assert_array_equal(drawn[2], street.draw_truth(800, np.random.default_rng(1))[1])


# The pictures


def test_pictures_are_balanced_and_typed(drawn: Drawn) -> None:
    pixels, labels, shapes = drawn
    assert pixels.shape == (800, 32, 32, 3)
    assert [str(part.dtype) for part in (pixels, labels, shapes)] == ["uint8", "int64", "float32"]
    assert np.bincount(labels).tolist() == [200] * 4
    assert len(set(labels[:50].tolist())) == 4
    np.testing.assert_array_equal(np.isnan(shapes), labels < 2)
    assert len(np.unique(pixels.reshape(800, -1), axis=0)) == 800


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = street.generate(12, 5), street.generate(12, 5), street.generate(12, 6)
    assert [part.tobytes() for part in first] == [part.tobytes() for part in again]
    assert first[0].tobytes() != other[0].tobytes()


def test_progress_goes_from_nothing_to_all() -> None:
    heard: list[float] = []
    street.generate(3, 0, heard.append)
    assert heard == [0.0, 1.0]


@pytest.mark.parametrize("seed", range(20))
def test_a_vehicle_depends_on_its_class_by_its_shape_alone(seed: int) -> None:
    s = seed / 19
    for clear in (False, True):
        car, truck = (street.render(scene(name, seed, clear), s) for name in ("car", "truck"))
        np.testing.assert_array_equal(car, truck)


def test_softmax_regression_is_not_enough(drawn: Drawn) -> None:
    from sklearn.linear_model import LogisticRegression

    pixels, labels, _ = drawn
    inputs = pixels.reshape(len(pixels), -1) / np.float32(255) - 0.5
    accuracy = LogisticRegression(C=1e-3).fit(inputs[:600], labels[:600]).score(inputs[600:], labels[600:])
    assert 0.3 < accuracy < 0.85


def test_what_stands_before_a_figure_leaves_it_readable() -> None:
    hidden = []
    for seed in range(40):
        for label in range(4):
            whole = scene(label, seed)
            # In even light, with no noise, the figure is where the picture differs from its bare background.
            plain = dataclasses.replace(whole, gain=np.ones(street.SHAPE), haze=np.zeros(street.SHAPE), occluders=[])
            nothing, shown = np.asarray(plain.background.reduce(4)), street.render(plain, 0.5)
            figure = (np.abs(shown.astype(int) - nothing) > 8).any(axis=-1)
            before = street.render(dataclasses.replace(plain, occluders=whole.occluders), 0.5) != shown
            hidden.append((figure & before.any(axis=-1)).sum() / figure.sum())
    assert 0.2 < np.mean(np.array(hidden) > 0) < 0.7
    assert max(hidden) < 0.5 and np.mean(hidden) < 0.12


# One scene in many shapes


@pytest.mark.parametrize("seed", range(6))
def test_a_morph_is_continuous_and_goes_far(seed: int) -> None:
    pictures = street.morph(seed, np.linspace(0, 1, 81).tolist())
    assert pictures.shape == (81, *street.SHAPE)
    steps = [difference(a, b) for a, b in itertools.pairwise(pictures)]
    assert max(steps) < 2.5  # an edge of the roof moves by whole quarters of a pixel
    assert difference(pictures[0], pictures[-1]) > 15
    # No stretch of it stands still: a tenth more of s can be seen anywhere.
    tenths = [difference(a, b) for a, b in zip(pictures, pictures[8:], strict=False)]
    assert min(tenths) > 1.2


@pytest.mark.parametrize("name", street.CLASS_NAMES)
def test_a_clear_picture_is_the_same_for_its_seed(name: str) -> None:
    first = street.clear(name, 3)
    assert first.shape == street.SHAPE and first.dtype == np.uint8
    np.testing.assert_array_equal(first, street.clear(street.CLASS_NAMES.index(name), 3))
    assert difference(first, street.clear(name, 4)) > 5
    assert not scene(name, 3, clear=True).occluders


def test_a_clear_vehicle_lies_at_its_own_end() -> None:
    for seed in range(10):
        car, truck = street.clear("car", seed), street.clear("truck", seed)
        ends = [street.render(scene("car", seed, clear=True), s) for s in (0.0, 1.0)]
        assert difference(car, ends[0]) < difference(car, ends[1])
        assert difference(truck, ends[1]) < difference(truck, ends[0])


# What a person can get wrong


def test_an_unknown_class_is_named_with_the_known_ones() -> None:
    for unknown in ("carrot", 4, -1):
        with pytest.raises(UnknownName, match=rf"'{unknown}'.*pedestrian.*dog.*car.*truck"):
            street.clear(unknown, 0)
    with pytest.raises(UnknownName, match=r"'dog'.*car.*truck"):
        street.density("dog", GRID)


@pytest.mark.parametrize("s", [-0.01, 1.01, math.nan, math.inf])
def test_a_wrong_shape_is_shown_with_its_range(s: float) -> None:
    with pytest.raises(InvalidValue, match=rf"from 0 .* to 1 .*'{s}'"):
        street.morph(0, [s])
