"""Each control lacks one thing of the teacher's soft targets, and has all the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import answers, data, models, run, soft_targets, teachers
from kdviz.spec import RunSpec

pytestmark = pytest.mark.usefixtures("one_thread")

temperatures = st.floats(0.5, 50)


def some(images: int = 200, classes: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits, labels and the images' numbers in their dataset."""
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(3 * images, images, replace=False))
    return rng.normal(0, 4, (images, classes)).astype(np.float32), rng.integers(classes, size=images), numbers


@given(temperatures)
def test_permuted_targets_have_the_same_probabilities_in_other_places(T: float) -> None:
    logits, labels, numbers = some()
    changed = answers.permuted(logits, labels, numbers)
    rows = np.arange(len(labels))
    p, q = soft_targets.softmax(logits, T), soft_targets.softmax(changed, T)
    np.testing.assert_allclose(np.sort(p, 1), np.sort(q, 1), rtol=1e-5)
    np.testing.assert_array_equal(changed[rows, labels], logits[rows, labels])
    moved = (changed != logits).sum(1)
    assert 7 < moved.mean() < 9  # of nine places one stays as it is, on average


def test_every_image_is_permuted_its_own_way_and_alike_in_every_transfer_set() -> None:
    logits, labels, numbers = some()
    whole, part = answers.permuted(logits, labels, numbers), slice(20, 60)
    np.testing.assert_array_equal(answers.permuted(logits[part], labels[part], numbers[part]), whole[part])
    same = np.tile(np.arange(10.0), (200, 1))
    assert len(np.unique(answers.permuted(same, np.zeros(200, int), numbers), axis=0)) > 190


def test_every_wrong_class_goes_to_every_place() -> None:
    labels = np.full(3000, 4)
    changed = answers.permuted(np.tile(np.arange(10.0), (3000, 1)), labels, np.arange(3000))
    for place in set(range(10)) - {4}:
        counts = np.bincount(changed[:, place].astype(int), minlength=10)
        assert counts[4] == 0 and np.delete(counts, 4).min() > 250


@given(temperatures, st.integers(2, 12))
def test_smoothed_labels_are_as_sure_as_the_soft_targets_on_average_and_flat_beside(T: float, classes: int) -> None:
    logits, labels, _ = some(classes=classes)
    rows = np.arange(len(labels))
    q = soft_targets.softmax(answers.smoothed(logits, labels, T).astype(np.float64), T)
    true = soft_targets.softmax(logits.astype(np.float64), T)[rows, labels].mean()
    np.testing.assert_allclose(q[rows, labels], true, rtol=1e-4)
    np.testing.assert_allclose(q.sum(1) - q[rows, labels], 1 - true, rtol=1e-4)
    others = np.sort(np.where(np.arange(classes) == labels[:, None], np.inf, q), 1)[:, :-1]
    np.testing.assert_allclose(others, others[:, :1].repeat(classes - 1, 1), rtol=1e-5)


def test_a_teacher_that_is_quite_sure_smooths_nothing() -> None:
    labels = np.arange(10)
    made = answers.smoothed(200 * np.eye(10), labels, 1.0)
    np.testing.assert_allclose(soft_targets.softmax(made), np.eye(10), atol=1e-12)


@given(temperatures)
def test_a_weighting_is_the_teachers_confidence_and_one_on_average(T: float) -> None:
    logits, labels, _ = some()
    weights = answers.weighting(logits, labels, T)
    p = soft_targets.softmax(logits.astype(np.float64), T)[np.arange(len(labels)), labels]
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(weights / weights[0], p / p[0], rtol=1e-4)


def test_the_untrained_teacher_knows_nothing_and_is_always_the_same() -> None:
    digits, card = data.load("digits"), teachers.find("digits", "cnn")
    numbers = np.arange(0, 1400, 7)
    logits = answers.untrained(card, digits, numbers)
    assert logits.shape == (200, 10) and logits.dtype == np.float32
    assert (logits.argmax(1) == digits.labels[numbers]).mean() < 0.3
    np.testing.assert_allclose(answers.untrained(card, digits, numbers[:50]), logits[:50], atol=1e-4)


def test_a_run_learns_from_what_its_conditions_ask_for_and_from_nothing_else() -> None:
    spec = RunSpec(conditions=("hard_labels", "distilled", "random_teacher", "label_smoothing", "permuted_non_targets",
                               "confidence_weighted"), temperature=(2.0, 8.0), student=("mlp-6",), seeds=2, epochs=1)  # fmt: skip
    ready = run.prepare(spec)
    digits, (stack,) = data.load("digits"), ready.stacks
    numbers = answers.transfer_set(spec, digits, 1.0)
    own, labels = teachers.logits(ready.card, digits)[numbers], digits.labels[numbers]
    given_logits, weightings = stack.material.teacher_logits, stack.material.weightings
    assert given_logits is not None and weightings is not None and weightings.shape == (2, 1437)
    for student in spec.students:
        seen = given_logits[student.targets].numpy()
        T = student.temperature or 1.0
        expected = {
            "hard_labels": own, "distilled": own, "confidence_weighted": own,
            "permuted_non_targets": answers.permuted(own, labels, numbers),
            "label_smoothing": answers.smoothed(own, labels, T),
            "random_teacher": answers.untrained(ready.card, digits, numbers),
        }[student.condition]  # fmt: skip
        np.testing.assert_array_equal(seen, expected)
        if student.emphasis is not None:
            np.testing.assert_array_equal(weightings[student.emphasis].numpy(), answers.weighting(own, labels, T))
    plain = run.prepare(RunSpec(student=("mlp-6",), seeds=2, epochs=1)).stacks[0].material
    assert plain.weightings is None and plain.teacher_logits is not None
    np.testing.assert_array_equal(plain.teacher_logits.numpy(), own)


def test_every_condition_is_compared_with_hard_labels_and_distilled_with_every_other() -> None:
    conditions = ["hard_labels", "distilled", "permuted_non_targets", "confidence_weighted"]
    values = {"conditions": conditions, "temperature": [2, 8], "student": "mlp-6", "seeds": 2, "epochs": 3, "learning_rate": 0.01}
    ready = run.prepare(RunSpec.from_dict(values))
    *_, last = ready.training()
    result = run.result(ready, last)
    right = run.correctness(last, ready).mean(1)
    who = [(row["condition"], row["temperature"]) for row in result["students"]]
    for T, rows in ((2.0, result["comparisons"][:5]), (8.0, result["comparisons"][5:])):
        assert [(row["condition"], row["against"], row["temperature"]) for row in rows] == [
            ("distilled", "hard_labels", T),
            ("permuted_non_targets", "hard_labels", T),
            ("confidence_weighted", "hard_labels", T),
            ("distilled", "permuted_non_targets", T),
            ("distilled", "confidence_weighted", T),
        ]
        for row in rows:
            ours, theirs = (
                np.mean([right[n] for n, each in enumerate(who) if each in ((condition, T), (condition, None))])
                for condition in (row["condition"], row["against"])
            )
            assert row["mean"] == pytest.approx(ours - theirs)
            assert row["low"] <= row["mean"] <= row["high"]
    learned = ready.stacks[0].material
    for student, row in enumerate(result["students"]):
        logits = models.logits(ready.stacks[0].plan.network, last.parameters(student), learned.inputs)[0]
        assert row["train_accuracy"] == pytest.approx(float((logits.argmax(-1) == learned.labels).double().mean()))
        assert row["train_accuracy"] > 0.3


def test_the_controls_learning_rate_is_the_controls_alone() -> None:
    values = {"student": "mlp-6", "seeds": 1, "epochs": 1, "conditions": ["hard_labels", "distilled", "confidence_weighted"]}
    plain, other = (RunSpec.from_dict(values | more) for more in ({}, {"control_learning_rate": 0.03}))
    ends = []
    for spec in (plain, other):
        ready = run.prepare(spec)
        *_, last = ready.training()
        ends.append(last.test_logits())
    assert [student.learning_rate for student in other.students] == [0.03, None, 0.03]
    same = [np.allclose(one, two, atol=1e-4) for one, two in zip(*ends, strict=True)]
    assert same == [False, True, False]
