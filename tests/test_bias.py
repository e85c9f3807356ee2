"""A raised bias against adding it and counting; the best of all against trying every one; the matched one without labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import bias
from kdviz.soft_targets import softmax


def some(seed: int, images: int = 120, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are right more often than not, and labels; every class is there."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=images - classes)])
    return (rng.normal(0, 2, (images, classes)) + 3 * np.eye(classes)[labels]).astype(np.float32), labels


def counted(logits: np.ndarray, labels: np.ndarray, classes: list[int], b: float) -> tuple[int, int]:
    """Add b and count: errors of all images, and of those of the classes."""
    raised = logits.astype(np.float64)
    raised[:, classes] += b
    wrong = raised.argmax(1) != labels
    return int(wrong.sum()), int(wrong[np.isin(labels, classes)].sum())


some_classes = st.sets(st.integers(0, 5), min_size=1, max_size=4).map(sorted)


@given(st.integers(0, 1000), some_classes, st.lists(st.floats(-30, 30), min_size=1, max_size=8))
def test_errors_are_those_of_adding_the_bias_and_counting(seed: int, classes: list[int], biases: list[float]) -> None:
    logits, labels = some(seed)
    found = bias.errors(logits, labels, classes, np.array(biases))
    expected = [counted(logits, labels, classes, b) for b in biases]
    assert list(zip(found.all.tolist(), found.of_classes.tolist(), strict=True)) == expected
    np.testing.assert_array_equal(found.biases, biases)


@given(st.integers(0, 1000), some_classes)
def test_the_farthest_biases_give_the_classes_everything_or_nothing(seed: int, classes: list[int]) -> None:
    logits, labels = some(seed)
    theirs = int(np.isin(labels, classes).sum())
    none, everything = bias.errors(logits, labels, classes, np.array([-bias.FARTHEST, bias.FARTHEST])).of_classes
    assert none == theirs and everything <= theirs
    if len(classes) == 1:
        assert everything == 0


@given(st.integers(0, 1000), some_classes)
def test_no_bias_has_fewer_errors_than_the_best(seed: int, classes: list[int]) -> None:
    logits, labels = some(seed)
    b = bias.best(logits, labels, classes)
    fewest = counted(logits, labels, classes, b)[0]
    fine = bias.errors(logits, labels, classes, np.linspace(-25, 25, 20_001)).all
    assert fewest <= fine.min()
    assert abs(b) <= 1e-9 or counted(logits, labels, classes, 0.0)[0] > fewest  # it stays where it is if that is as good


@given(st.integers(0, 1000), some_classes, st.integers(0, 20))
def test_the_best_that_leaves_few_of_the_classes_wrong(seed: int, classes: list[int], most: int) -> None:
    logits, labels = some(seed)
    fine = bias.errors(logits, labels, classes, np.linspace(-25, 25, 20_001))
    possible = (fine.of_classes <= most).any()
    try:
        b = bias.best(logits, labels, classes, most)
    except ValueError:
        b = None
    if b is None:
        assert not possible
        return
    everything, theirs = counted(logits, labels, classes, b)
    assert theirs <= most and everything <= np.min(fine.all[fine.of_classes <= most], initial=len(labels))


@given(st.integers(0, 1000), some_classes, st.floats(0.02, 0.98))
def test_a_matched_bias_gives_the_classes_their_share_and_looks_at_no_label(seed: int, classes: list[int], wanted: float) -> None:
    logits, _ = some(seed)
    b = bias.matched(logits, classes, wanted)
    raised = logits.astype(np.float64)
    raised[:, classes] += b
    assert softmax(raised)[:, classes].sum(1).mean() == pytest.approx(wanted, abs=1e-6)
    assert bias.share(logits, classes, b) == pytest.approx(wanted, abs=1e-6)


def test_a_bias_taken_away_is_found_again_by_the_share_alone() -> None:
    """What was 3 too low is raised by 3: the classes' true share is what a calibrated student predicts."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 6)).astype(np.float32)
    p = softmax(logits.astype(np.float64))
    labels = (p.cumsum(1) > rng.random((4000, 1))).argmax(1)  # drawn from what it says: calibrated
    lowered = logits - 3 * np.isin(np.arange(6), [2, 4])
    assert bias.matched(lowered, [2, 4], float(np.isin(labels, [2, 4]).mean())) == pytest.approx(3, abs=0.15)
    assert bias.best(lowered, labels, [2, 4]) == pytest.approx(3, abs=0.5)
    before, after = (counted(lowered, labels, [2, 4], b) for b in (0.0, 3.0))
    assert after[0] < before[0] and after[1] < before[1]


@pytest.mark.parametrize("classes", [[], [0, 1, 2, 3, 4, 5], [7]])
def test_no_class_or_every_class_is_refused(classes: list[int]) -> None:
    logits, labels = some(0)
    with pytest.raises(ValueError, match="expected some classes of 6 but not all"):
        bias.errors(logits, labels, classes, np.zeros(1))


@pytest.mark.parametrize("wanted", [0.0, 1.0, -0.1, float("nan")])
def test_what_is_no_share_is_refused(wanted: float) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        bias.matched(some(0)[0], [1], wanted)
