"""The verdict on results that are known, and how often it is wrong where there is nothing to see."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdviz.stats import half_width, paired_difference

Table = np.ndarray


def students(accuracy: float, seeds: int = 5, images: int = 360, seed: int = 0) -> Table:
    """Return (seeds, images) bool, right with this probability."""
    return np.random.default_rng(seed).random((seeds, images)) < accuracy


correctness = st.tuples(st.integers(2, 6), st.integers(2, 30)).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


def test_three_results_have_three_verdicts() -> None:
    control = students(0.90)
    helps = paired_difference(students(0.97, seed=1), control)
    harms = paired_difference(students(0.80, seed=2), control)
    neither = paired_difference(students(0.90, seed=3), control)
    assert (helps.verdict, harms.verdict, neither.verdict) == ("helps", "harms", "no visible difference")
    assert helps.low is not None and 0 < helps.low < helps.mean < 0.12
    assert harms.high is not None and -0.15 < harms.mean < harms.high < 0
    assert neither.low is not None and neither.high is not None and neither.low < 0 < neither.high
    assert (helps.seeds, helps.seeds_better, harms.seeds_better) == (5, 5, 0)


def test_one_seed_has_a_mean_and_nothing_else() -> None:
    one = paired_difference(students(0.99, seeds=1), students(0.5, seeds=1, seed=1))
    assert one.mean > 0.3
    assert (one.low, one.high, one.verdict) == (None, None, None)
    assert (one.seeds, one.seeds_better) == (1, 1)


def test_identical_students_show_no_difference() -> None:
    same = paired_difference(students(0.9), students(0.9))
    assert (same.mean, same.low, same.high, same.verdict) == (0, 0, 0, "no visible difference")
    assert same.seeds_better == 0


@pytest.mark.parametrize("shapes", [((5, 10), (5, 11)), ((5,), (5,)), ((0, 10), (0, 10)), ((5, 0), (5, 0)), ((2, 5), (5, 2))])
def test_tables_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="expected two equal"):
        paired_difference(np.ones(shapes[0], bool), np.ones(shapes[1], bool))


@given(correctness)
def test_swapping_the_conditions_mirrors_the_result(tables: tuple[Table, Table]) -> None:
    there, back = paired_difference(*tables), paired_difference(*tables[::-1])
    assert there.low is not None and there.high is not None and back.low is not None and back.high is not None
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    mirrored = {"helps": "harms", "harms": "helps"}
    assert mirrored.get(str(there.verdict), there.verdict) == back.verdict


@given(correctness, st.integers(0, 10**6))
def test_neither_the_order_of_seeds_nor_of_images_matters(tables: tuple[Table, Table], seed: int) -> None:
    order = np.random.default_rng(seed)
    rows, columns = order.permutation(tables[0].shape[0]), order.permutation(tables[0].shape[1])
    shuffled = paired_difference(tables[0][rows][:, columns], tables[1][rows][:, columns])
    result = paired_difference(*tables)
    assert (shuffled.mean, shuffled.low, shuffled.high) == pytest.approx((result.mean, result.low, result.high))


@given(correctness)
def test_the_mean_is_the_difference_of_accuracies_inside_its_interval(tables: tuple[Table, Table]) -> None:
    result = paired_difference(*tables)
    assert result.mean == pytest.approx(tables[0].mean() - tables[1].mean())
    assert result.low is not None and result.high is not None and result.low <= result.mean <= result.high
    more = [paired_difference(*tables, confidence=c) for c in (0.5, 0.95, 0.99)]
    widths = [m.high - m.low for m in more if m.high is not None and m.low is not None]
    assert widths == sorted(widths) and all(math.isfinite(width) for width in widths)


@given(correctness)
def test_never_narrower_than_students_t_over_seeds_or_over_images(tables: tuple[Table, Table]) -> None:
    table = tables[0].astype(float) - tables[1]
    for axis in (0, 1):
        means = table.mean(axis=axis)
        alone = scipy.stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
        assert half_width(table) >= alone - 1e-12


def test_where_only_seeds_differ_it_is_students_t_over_seeds() -> None:
    by_seed = np.asarray([0.1, 0.3, -0.2, 0.4, 0.15])
    interval = scipy.stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)
    assert half_width(np.tile(by_seed[:, None], (1, 50))) == pytest.approx((interval.high - interval.low) / 2)


def test_where_only_images_differ_it_is_students_t_over_images() -> None:
    by_image = np.random.default_rng(0).integers(-1, 2, 200).astype(float)
    interval = scipy.stats.ttest_1samp(by_image, 0).confidence_interval(0.95)
    assert half_width(np.tile(by_image, (5, 1))) == pytest.approx((interval.high - interval.low) / 2)


# The null: nothing to see, and how often a verdict is given all the same


def null_table(kind: str, seeds: int, images: int, hardness: float, chance: np.random.Generator) -> Table:
    """Return correct - correct_control (seeds, images) for two conditions that are equally good over all seeds and images.

    Every image has its own difficulty. `seed` in kind: each student is better or worse all over; `image` in kind: each
    condition finds some images easier than the other does, by an effect of mean zero over images; `one is stable`: the
    students of one condition all answer alike, those of the other each as chance has it.
    """
    difficulty = chance.normal(hardness, 2.0, images)

    def share(logit: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-logit)))

    if kind == "one is stable":
        stable = np.tile(chance.random(images) < share(difficulty), (seeds, 1))
        loose = chance.random((seeds, images)) < share(difficulty)
        return np.asarray((stable.astype(float) - loose) * chance.choice([-1, 1]))
    logits = np.tile(difficulty, (2, seeds, 1))
    if "seed" in kind:
        logits += chance.normal(0, 0.3, (2, seeds, 1))
    if "image" in kind:
        logits += chance.normal(0, 1.0, (2, 1, images))
    right = chance.random((2, seeds, images)) < share(logits)
    return np.asarray(right[0].astype(float) - right[1])


def analytic(table: Table, chance: np.random.Generator) -> bool:
    return bool(abs(table.mean()) > half_width(table))


def pigeonhole(table: Table, chance: np.random.Generator, draws: int = 200) -> bool:
    """Whether the 95 % percentile interval of resampled seeds and images leaves zero out (Owen 2007)."""
    seeds, images = table.shape
    by_seed = chance.multinomial(seeds, np.full(seeds, 1 / seeds), draws)
    by_image = chance.multinomial(images, np.full(images, 1 / images), draws)
    means = ((by_seed @ table) * by_image).sum(axis=1) / table.size
    low, high = np.percentile(means, [2.5, 97.5])
    return bool(low > 0 or high < 0)


KINDS = ["chance alone", "seed", "image", "seed and image", "one is stable"]


def wrong(judge: Callable[[Table, np.random.Generator], bool], kind: str, seeds: int, hardness: float, nulls: int) -> float:
    """Return the share of nulls with a verdict."""
    chance = np.random.default_rng([seeds, KINDS.index(kind)])
    return float(np.mean([judge(null_table(kind, seeds, 360, hardness, chance), chance) for _ in range(nulls)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hardness", [3.0, 5.0])  # about 88 and 98 % right
def test_on_a_null_about_one_verdict_in_twenty_is_wrong(kind: str, hardness: float) -> None:
    share = wrong(analytic, kind, 5, hardness, 600)
    # With chance alone there is no variance between seeds or images to find, and the interval is careful.
    assert (0.005 if kind == "chance alone" else 0.02) <= share <= 0.09


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_few_seeds_are_no_licence(kind: str, seeds: int) -> None:
    assert wrong(analytic, kind, seeds, 3.0, 400) <= 0.09


def test_the_pigeonhole_bootstrap_is_more_careful_on_these_nulls() -> None:
    ours, theirs = (np.mean([wrong(judge, kind, 5, 5.0, 120) for kind in KINDS]) for judge in (analytic, pigeonhole))
    assert theirs < 0.03 < ours


def test_the_pigeonhole_bootstrap_is_not_careful_at_two_seeds_that_matter() -> None:
    ours, theirs = (wrong(judge, "seed", 2, 3.0, 400) for judge in (analytic, pigeonhole))
    assert ours < 0.06 < theirs


@pytest.mark.parametrize("kind", KINDS)
def test_a_difference_that_is_there_is_found(kind: str) -> None:
    chance = np.random.default_rng(1)
    found = 0
    for _ in range(50):
        table = null_table(kind, 5, 360, 3.0, chance)
        gained = chance.random(table.shape[1]) < 0.12  # images that the first condition alone answers, in every seed
        table[:, gained] = np.maximum(table[:, gained], 1)
        found += table.mean() - half_width(table) > 0
    assert found >= 45
