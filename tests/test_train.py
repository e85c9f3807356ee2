"""THE loop against a plain one of torch.nn, one student at a time; and that stopping and resuming leaves no trace."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit
from torch import Tensor

from kdviz import data, models, teachers, train
from kdviz.spec import Student
from kdviz.teachers import Recipe
from kdviz.train import Evaluation, Material, Plan, Point
from tests.test_models import with_weights_of

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES, TEST_IMAGES = 50, 40

HARD = [Student("hard_labels", None, seed, 0.0, 1.0) for seed in (0, 1)]
DISTILLED = [
    Student("distilled", 4.0, 0, 1.0, 0.1),
    Student("distilled", 20.0, 0, 1.0, 0.1),
    Student("distilled", 4.0, 1, 1.0, 0.1),
    Student("distilled", 20.0, 7, 0.5, 0.0),
]
SIX = HARD + DISTILLED


@lru_cache
def material(dtype: torch.dtype = torch.float64, teacher: bool = True) -> Material:
    """Fifty digits, forty to be judged by, and a teacher that knows little."""
    digits = data.load("digits")
    x = models.inputs(digits.pixels[: IMAGES + TEST_IMAGES], digits.mean, digits.std).to(dtype)
    labels = torch.from_numpy(np.array(digits.labels[: IMAGES + TEST_IMAGES]))
    chance = torch.Generator().manual_seed(5)
    logits = 3 * F.one_hot(labels, 10) + 2 * torch.randn(len(labels), 10, generator=chance)
    learned, judged = slice(0, IMAGES), slice(IMAGES, None)
    return Material(
        x[learned], labels[learned], logits[learned] if teacher else None,
        x[judged], labels[judged], logits[judged] if teacher else None,
    )  # fmt: skip


def plan(network: str = "mlp-12", students: list[Student] = SIX, **changes: Any) -> Plan:
    """Seven steps an epoch, the last of two images; eight epochs, so 56 steps."""
    given: dict[str, Any] = dict(epochs=8, batch_size=8, learning_rate=0.002, evaluations=5)
    return Plan(models.architecture(network, (8, 8, 1), 10), students, **given | changes)


def judged(planned: train.Plan, of: train.Material, checkpoint: bytes | None = None) -> Iterator[train.Evaluation]:
    """Train, leaving out where it only rests."""
    return (said for said in train.train(planned, of, checkpoint) if isinstance(said, train.Evaluation))


def run(planned: Plan, of: Material | None = None, checkpoint: bytes | None = None) -> list[Evaluation]:
    return list(judged(planned, of or material(), checkpoint))


def points(evaluations: list[Evaluation]) -> list[Point]:
    """Every point but for the seconds it took."""
    return [dataclasses.replace(point, seconds=0.0) for evaluation in evaluations for point in evaluation.points]


def numbers(point: Point) -> dict[str, Any]:
    return {name: value for name, value in vars(point).items() if value is not None and name != "seconds"}


# The oracle


@dataclass
class Seen:
    """What a plain loop saw of its one student at one step."""

    test_logits: Tensor
    soft: float | None
    hard: float | None


def plain_loop(planned: Plan, student: Student, of: Material) -> tuple[dict[int, Seen], list[Tensor]]:
    """Train one student as PyTorch's tutorials do; return what is seen at each evaluation, and the weights at the end."""
    initial = models.initial_parameters(planned.network, [student.seed], torch.float64)
    module = with_weights_of(planned.network, initial, 0)
    rate = student.learning_rate or planned.learning_rate
    optimizer: torch.optim.Optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    if planned.optimizer == "sgd":
        optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9)
    T, teacher = student.temperature, of.teacher_logits
    if teacher is not None and teacher.ndim == 3:
        teacher = teacher[student.targets]
    step, softs, hards = 0, [], []
    steps = planned.epochs * -(-len(of.labels) // planned.batch_size)
    seen = {0: Seen(module(of.test_inputs).detach(), None, None)}
    for epoch in range(planned.epochs):
        order = train.batch_order(student.seed, epoch, len(of.labels))
        for batch in order.split(planned.batch_size):
            if planned.schedule == "linear":
                optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
            logits = module(of.inputs[batch])
            each = F.cross_entropy(logits, of.labels[batch], reduction="none")
            if student.emphasis is not None:
                assert of.weightings is not None
                each = each * of.weightings[student.emphasis, batch]
            hard = student.hard_weight * each.mean()
            loss, soft = hard, 0.0
            if T is not None:
                assert teacher is not None
                p = F.softmax(teacher[batch].double() / T, dim=1)
                divergence = F.kl_div(F.log_softmax(logits / T, dim=1), p, reduction="batchmean")
                loss = loss + student.soft_weight * T * T * divergence
                entropy = float(-(p * p.log()).sum(1).mean())  # our soft term is cross-entropy, which is KL and this
                soft = student.soft_weight * T * T * (float(divergence.detach()) + entropy)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            softs.append(soft)
            hards.append(float(hard.detach()))
            step += 1
            if step in train.evaluation_steps(steps, planned.evaluations):
                seen[step] = Seen(module(of.test_inputs).detach(), float(np.mean(softs)), float(np.mean(hards)))
                softs, hards = [], []
    return seen, [parameter.detach() for parameter in module.parameters()]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("network", ["linear", "mlp-30-30", "cnn"])
def test_six_stacked_students_are_six_plain_loops(network: str, optimizer: str) -> None:
    planned, of = plan(network, optimizer=optimizer, learning_rate=0.002 if optimizer == "adam" else 0.01), material()
    evaluations = run(planned)
    assert evaluations[-1].step == 56 and len(evaluations) == 6
    for s, student in enumerate(SIX):
        seen, weights = plain_loop(planned, student, of)
        assert [evaluation.step for evaluation in evaluations] == list(seen)
        for evaluation in evaluations:
            expected, point = seen[evaluation.step], evaluation.points[s]
            torch.testing.assert_close(evaluation.test_logits[s], expected.test_logits, rtol=1e-9, atol=1e-9)
            assert point.loss_soft == (None if expected.soft is None else pytest.approx(expected.soft, rel=1e-9, abs=1e-9))
            assert point.loss_hard == (None if expected.hard is None else pytest.approx(expected.hard, rel=1e-9, abs=1e-9))
        for ours, theirs in zip(evaluations[-1].parameters.values(), weights, strict=True):
            torch.testing.assert_close(ours[s], theirs, rtol=1e-9, atol=1e-9)
    moved = (evaluations[-1].test_logits - evaluations[0].test_logits).abs().amax((1, 2))
    assert (moved > 0.05).all()  # they did learn, all of them


def test_a_falling_learning_rate_is_that_of_the_plain_loop() -> None:
    planned = plan(students=DISTILLED[:1], schedule="linear")
    _, weights = plain_loop(planned, DISTILLED[0], material())
    for ours, theirs in zip(run(planned)[-1].parameters.values(), weights, strict=True):
        torch.testing.assert_close(ours[0], theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("network", ["linear", "mlp-12", "cnn"])
def test_a_student_alone_is_the_same_as_among_others(network: str) -> None:
    planned = plan(network, epochs=2)
    together = run(planned)
    for s in (0, 3, 5):
        for one, all_six in zip(run(dataclasses.replace(planned, students=[SIX[s]])), together, strict=True):
            torch.testing.assert_close(one.test_logits[0], all_six.test_logits[s], rtol=1e-9, atol=1e-9)
            assert numbers(one.points[0]) | {"student": s} == pytest.approx(numbers(all_six.points[s]), rel=1e-9)


def test_conditions_of_a_seed_share_initial_weights_and_batches() -> None:
    # A distilled student whose soft targets weigh nothing is the hard-label student of its seed, step by step.
    deaf = [Student("distilled", 4.0, seed, 0.0, 1.0) for seed in (0, 1)]
    for evaluation in run(plan(students=HARD + deaf + DISTILLED[:1])):
        torch.testing.assert_close(evaluation.test_logits[:2], evaluation.test_logits[2:4], rtol=1e-12, atol=1e-12)
        assert (evaluation.test_logits[0] - evaluation.test_logits[1]).abs().max() > 0.01  # another seed is another student
        same = torch.equal(evaluation.test_logits[0], evaluation.test_logits[4])
        assert same == (evaluation.step == 0)  # one that does listen starts as they do, and goes its own way


# Points


def test_a_point_says_what_the_test_logits_say() -> None:
    of = material()
    teacher = of.test_teacher_logits
    assert teacher is not None
    for evaluation in run(plan(epochs=3)):
        for s, point in enumerate(evaluation.points):
            answers = evaluation.test_logits[s].argmax(1)
            errors = int((answers != of.test_labels).sum())
            assert (point.student, point.step, point.errors) == (s, evaluation.step, errors)
            assert point.accuracy == pytest.approx(1 - errors / TEST_IMAGES)
            assert point.epoch == pytest.approx(evaluation.step / 7)
            assert point.agreement == pytest.approx(float((answers == teacher.argmax(1)).double().mean()))
            q, p = F.log_softmax(evaluation.test_logits[s], 1), F.log_softmax(teacher.double(), 1)
            assert point.kl == pytest.approx(float(F.kl_div(q, p, log_target=True, reduction="batchmean")))
        assert evaluation.steps == 21


def test_without_a_teacher_a_point_has_neither_agreement_nor_divergence() -> None:
    evaluations = run(plan(students=HARD, epochs=2), material(teacher=False))
    assert {(point.agreement, point.kl) for evaluation in evaluations for point in evaluation.points} == {(None, None)}
    assert evaluations[-1].points[0].loss_soft == 0.0
    with_teacher = run(plan(students=HARD, epochs=2))
    assert torch.equal(evaluations[-1].test_logits, with_teacher[-1].test_logits)


def test_seconds_grow_and_do_not_count_the_viewers_time() -> None:
    began, seconds = time.perf_counter(), []
    for evaluation in judged(plan(epochs=2), material()):
        seconds.append(evaluation.points[0].seconds)
        time.sleep(0.05)
    assert seconds[0] == 0 and seconds == sorted(seconds) and seconds[-1] > 0
    assert seconds[-1] <= time.perf_counter() - began - 0.05 * len(seconds)


def test_students_learn() -> None:
    of = material()
    assert of.teacher_logits is not None
    teacher = of.teacher_logits.argmax(-1)
    assert 0.5 < (teacher == of.labels).double().mean() < 0.9  # it errs, so that it can be told whom a student believes
    last = run(plan("mlp-30", epochs=60, learning_rate=0.01))[-1]
    answers = models.logits(plan("mlp-30").network, last.parameters, of.inputs).argmax(-1)
    assert (answers[:2] == of.labels).double().mean() > 0.95
    believed, right = ((answers[2:] == labels).double().mean(-1) for labels in (teacher, of.labels))
    assert (believed > right).all() and believed.mean() > 0.75
    assert all(point.accuracy > 0.25 for point in last.points)  # of ten classes, from fifty images


def test_evaluations_are_made_without_dropout() -> None:
    planned = plan(students=HARD, epochs=2, recipe=Recipe(0, 0, 0.0, dropout_inputs=0.5, dropout_hidden=0.5))
    for evaluation in judged(planned, material()):
        for s in range(2):
            module = with_weights_of(planned.network, evaluation.parameters, s)
            torch.testing.assert_close(evaluation.test_logits[s], module(material().test_inputs).detach())


# The same again, and stopping and resuming

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sgd": dict(optimizer="sgd"),
    "teacher's": dict(
        schedule="linear", recipe=Recipe(0, 0, 0.0, dropout_inputs=0.2, dropout_hidden=0.5, jitter=1, max_norm=1.0)
    ),
    "sgd, teacher's": dict(optimizer="sgd", recipe=Recipe(0, 0, 0.0, dropout_hidden=0.5, jitter=2)),
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_same_plan_twice_gives_identical_points(recipe: str, dtype: torch.dtype) -> None:
    planned = plan(epochs=3, **RECIPES[recipe])
    first, second = (run(planned, material(dtype)) for _ in range(2))
    assert points(first) == points(second)
    assert torch.equal(first[-1].test_logits, second[-1].test_logits)


@pytest.mark.parametrize("network", ["mlp-12", "cnn"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_stopping_at_any_evaluation_and_resuming_gives_the_undisturbed_points(recipe: str, network: str) -> None:
    planned = plan(network, students=SIX[1:4], epochs=3, evaluations=7, **RECIPES[recipe])
    of = material(torch.float32)
    undisturbed, checkpoints = [], []
    for evaluation in judged(planned, of):
        undisturbed.append(evaluation)
        checkpoints.append(evaluation.checkpoint())
    steps = [evaluation.step for evaluation in undisturbed]
    assert steps == [0, 1, 2, 4, 7, 11, 15, 21]  # within epochs and at their ends, which are at 7, 14 and 21
    for stopped in range(len(checkpoints) - 1):
        resumed = run(planned, of, checkpoints[stopped])
        assert points(resumed) == points(undisturbed[stopped + 1 :])
        assert torch.equal(resumed[-1].test_logits, undisturbed[-1].test_logits)
        for ours, theirs in zip(resumed[-1].parameters.values(), undisturbed[-1].parameters.values(), strict=True):
            assert torch.equal(ours, theirs)
        assert resumed[-1].points[0].seconds > undisturbed[stopped].points[0].seconds


def test_resuming_again_and_again_gives_the_undisturbed_points() -> None:
    planned = plan(epochs=3, evaluations=6, **RECIPES["teacher's"])
    expected, checkpoint, got = run(planned), None, []
    for _ in range(7):
        evaluation = next(iter(judged(planned, material(), checkpoint)))
        checkpoint = evaluation.checkpoint()
        got.append(evaluation)
    assert points(got) == points(expected)


def test_a_training_taken_up_at_its_end_says_how_it_ended() -> None:
    whole = run(plan(epochs=1))
    again = run(plan(epochs=1), checkpoint=whole[-1].checkpoint())
    assert [evaluation.step for evaluation in again] == [7]
    assert torch.equal(again[0].test_logits, whole[-1].test_logits)
    assert again[0].points[0].errors == whole[-1].points[0].errors


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    run(plan(epochs=1, **RECIPES["teacher's"]))
    assert torch.equal(torch.get_rng_state(), before)


# Being told to stop


def test_a_training_that_is_told_to_stop_ends_early() -> None:
    planned = plan("linear", students=HARD, epochs=100_000, evaluations=1)
    asked = []
    began = time.perf_counter()
    evaluations = list(train.train(planned, material(), should_stop=lambda: not asked.append(time.perf_counter())))  # type: ignore[func-returns-value]
    judged, rest = evaluations
    assert judged.step == 0 and isinstance(rest, train.Rest) and rest.step > 0 and len(asked) == 1
    assert asked[0] - began < 5  # of an hour


def test_a_training_is_asked_again_and_again_but_not_at_every_step() -> None:
    planned = plan("linear", students=HARD, epochs=100_000, evaluations=1)
    asked: list[float] = []

    def fourth_time() -> bool:
        asked.append(time.perf_counter())
        return len(asked) == 4

    list(train.train(planned, material(), should_stop=fourth_time))
    assert len(asked) == 4 and min(b - a for a, b in itertools.pairwise(asked)) > 0.9 * train.ASK_SECONDS


def test_a_training_judged_at_every_step_can_be_stopped_too() -> None:
    planned = plan("linear", students=HARD, evaluations=112)
    steps = []
    for evaluation in train.train(planned, material(), should_stop=lambda: True):
        steps.append(evaluation.step)
        time.sleep(0.11)
    assert steps == [0, 1, 1]


# Regularisation


def test_with_jitter_each_student_learns_from_its_own_targets() -> None:
    of = material()
    assert of.teacher_logits is not None
    two = dataclasses.replace(of, teacher_logits=torch.stack([of.teacher_logits, -of.teacher_logits]))
    students = [Student("distilled", 4.0, 0, 1.0, 0.0, targets=targets) for targets in (0, 1)]
    last = run(plan(students=students, recipe=Recipe(0, 0, 0.0, jitter=1)), two)[-1]
    alone = run(plan(students=students[:1], recipe=Recipe(0, 0, 0.0, jitter=1)), of)[-1]
    torch.testing.assert_close(last.test_logits[0], alone.test_logits[0], rtol=1e-9, atol=1e-9)
    assert (last.test_logits[0] - last.test_logits[1]).abs().max() > 0.1


@pytest.mark.parametrize("jitter", [1, 2])
def test_jitter_shifts_by_whole_pixels_and_no_further(jitter: int) -> None:
    chance = torch.Generator().manual_seed(0)
    inputs = torch.rand(4, 1, 9, 8, generator=chance) + 1  # no two pixels alike
    darkest = float(inputs.min())
    recipe = Recipe(0, 0, 0.0, jitter=jitter)
    windows = train._windows(inputs, recipe)
    assert windows is not None
    batch = torch.arange(4).repeat(200)
    seen = torch.zeros(2 * jitter + 1, 2 * jitter + 1, dtype=torch.int64)
    padded = F.pad(inputs, [jitter] * 4, value=darkest)
    for index, image in zip(batch, train._altered(windows, batch, 0, recipe, chance), strict=True):
        fits = [
            (down, right)
            for down in range(2 * jitter + 1)
            for right in range(2 * jitter + 1)
            if torch.equal(image, padded[index, :, down : down + 9, right : right + 8])
        ]
        assert len(fits) == 1
        seen[fits[0]] += 1
    assert seen.sum() == 800 and seen.min() > 0.5 * 800 / seen.numel()  # all shifts, about equally often


def test_no_jitter_is_the_images_themselves() -> None:
    assert train._windows(material().inputs, Recipe(0, 0, 0.0)) is None


@pytest.mark.parametrize("network", ["mlp-12-7", "cnn"])
def test_hidden_units_stay_within_max_norm_after_every_step(network: str) -> None:
    planned = plan(network, students=HARD, epochs=1, evaluations=14, learning_rate=0.05, recipe=Recipe(0, 0, 0.0, max_norm=0.5))
    evaluations, longest = 0, 0.0
    for evaluation in judged(planned, material()):
        weights = [tensor for key, tensor in evaluation.parameters.items() if key.endswith("weight")]
        if evaluation.step:
            evaluations += 1
            for weight in weights[:-1]:
                lengths = weight.flatten(2).norm(dim=2)
                assert lengths.max() <= 0.5 + 1e-9
                longest = max(longest, float(lengths.max()))
            assert weights[-1].flatten(2).norm(dim=2).max() > 0.5  # the last layer is free
    assert evaluations == 7 and longest > 0.499  # the constraint was felt


# Precision


def test_bf16_is_near_fp32_and_not_the_same() -> None:
    of = material(torch.float32)
    plain, half = (run(plan("mlp-30", epochs=4, precision=precision), of)[-1] for precision in ("fp32", "bf16"))
    assert not torch.equal(plain.test_logits, half.test_logits)
    assert half.parameters["0.weight"].dtype == torch.float32 and half.test_logits.dtype == torch.float32
    for exact, rounded in zip(plain.points, half.points, strict=True):
        assert rounded.loss_hard == pytest.approx(exact.loss_hard, rel=0.05)
        assert rounded.loss_soft == pytest.approx(exact.loss_soft, rel=0.05)


SEEDS_OF_EACH = 16


def final_accuracies(precision: str) -> np.ndarray:
    """Train 30-30 on two thirds of the digits and judge on the others: (hard labels and distilled, seeds), in points."""
    digits = data.load("digits")
    x = models.inputs(digits.pixels, digits.mean, digits.std)
    labels = torch.from_numpy(np.array(digits.labels))
    logits = torch.from_numpy(np.array(teachers.logits(teachers.find("digits", "cnn"), digits)))
    learned, judged = torch.arange(1797) % 3 != 0, torch.arange(1797) % 3 == 0
    of = Material(x[learned], labels[learned], logits[learned], x[judged], labels[judged], logits[judged])
    students = [Student("hard_labels", None, seed, 0.0, 1.0) for seed in range(SEEDS_OF_EACH)]
    students += [Student("distilled", 4.0, seed, 1.0, 0.1) for seed in range(SEEDS_OF_EACH)]
    network = models.architecture("mlp-30-30", (8, 8, 1), 10)
    planned = Plan(network, students, 40, 64, 0.003, precision=precision, evaluations=5)  # type: ignore[arg-type]
    last = run(planned, of)[-1]
    return np.array([100 * point.accuracy for point in last.points]).reshape(2, SEEDS_OF_EACH)


def test_bf16_costs_no_half_point_of_accuracy() -> None:
    """Seed by seed, as initial weights and batches are the same; the interval is narrow enough to have seen half a point."""
    exact, rounded = final_accuracies("fp32"), final_accuracies("bf16")
    assert exact.min() > 85 and not np.array_equal(exact, rounded)
    for condition, differences in zip(("hard labels", "distilled"), rounded - exact, strict=True):
        half_width = stdtrit(SEEDS_OF_EACH - 1, 0.975) * differences.std(ddof=1) / SEEDS_OF_EACH**0.5
        assert 0 < half_width < 0.5, condition
        assert abs(differences.mean()) < 0.5, condition


# Steps


@given(st.integers(1, 100_000), st.integers(1, 200))
def test_evaluations_come_first_and_last_and_are_dense_first(steps: int, evaluations: int) -> None:
    judged = train.evaluation_steps(steps, evaluations)
    assert judged[0] == 0 and judged[-1] == steps and len(judged) <= evaluations + 1
    gaps = np.diff(judged)
    assert (gaps >= 1).all()
    assert (np.diff(gaps) >= -1).all()  # ever more rarely, but for rounding
    if steps >= evaluations**2:
        assert len(judged) == evaluations + 1
        assert judged[1] <= steps / evaluations**2 + 0.5
    if steps >= 2 * evaluations:
        assert gaps[-1] >= steps / evaluations - 1 >= gaps[0] - 2  # an even schedule's gap lies between


@given(st.integers(1000, 1_000_000), st.integers(10, 200))
def test_the_first_evaluation_comes_within_a_hundredth_of_the_steps(steps: int, evaluations: int) -> None:
    assert 1 <= train.evaluation_steps(steps, evaluations)[1] <= steps / 100 + 0.5


def test_a_learning_rate_falls_to_zero_twice_where_the_recipe_restarts_it() -> None:
    recipe = Recipe(10, 1, 0.1, restart=6)
    twice = dataclasses.replace(plan(schedule="linear"), epochs=10, recipe=recipe)
    assert [train.learning_rate_scale(twice, epoch) for epoch in (0, 3, 6, 8, 10)] == [1, 0.5, 0.5, 0.25, 0]
    assert train.learning_rate_scale(twice, 6 - 1e-9) == pytest.approx(0, abs=1e-9)
    once = dataclasses.replace(twice, recipe=dataclasses.replace(recipe, restart=0))
    assert [train.learning_rate_scale(once, epoch) for epoch in (0, 2.5, 10)] == [1, 0.75, 0]
    assert train.learning_rate_scale(dataclasses.replace(twice, schedule="constant"), 9) == 1


def test_an_evaluation_schedule_by_hand() -> None:
    assert train.evaluation_steps(100, 5) == [0, 4, 16, 36, 64, 100]
    assert train.evaluation_steps(3, 200) == [0, 1, 2, 3]


@given(st.integers(1, 5000), st.integers(1, 600), st.integers(1, 50))
def test_steps_are_counted_with_the_last_small_batch(images: int, batch_size: int, epochs: int) -> None:
    each = len(range(0, images, batch_size))
    assert train.steps_of(images, batch_size, epochs) == (each, each * epochs)


def test_every_epoch_of_every_seed_has_an_order_of_its_own() -> None:
    orders = {bytes(train.batch_order(seed, epoch, 40).byte().tolist()) for seed in range(32) for epoch in range(1000)}
    assert len(orders) == 32_000
    assert {bytes(sorted(order)) for order in orders} == {bytes(range(40))}  # every image, once


# Who stands where


def test_students_of_a_seed_stand_side_by_side() -> None:
    order, groups = train.side_by_side([HARD[1], HARD[0], DISTILLED[0], DISTILLED[2]])
    assert (order, groups) == ([1, 2, 0, 3], 2)
    assert train.side_by_side(DISTILLED[:2]) == ([0, 1], 1)
    assert train.side_by_side(SIX) == ([0, 2, 3, 1, 4, 5], 6)  # three, two and one of a seed: no groups of equal size
    assert train.side_by_side(HARD) == ([0, 1], 2)


def test_the_draws_of_regularisation_follow_the_first_students_seed() -> None:
    network, recipe = models.architecture("linear", (8, 8, 1), 10), Recipe(0, 0, 0.0, dropout_inputs=0.5)
    seen = {}
    for first in (0, 1, 3):
        students = [Student("hard_labels", None, first, 0.0, 1.0), Student("hard_labels", None, 9, 0.0, 1.0)]
        seen[first] = run(Plan(network, students, 2, 8, 0.01, recipe=recipe, evaluations=2))[-1].test_logits[1]
    again = run(Plan(network, students, 2, 8, 0.01, recipe=recipe, evaluations=2))[-1].test_logits[1]
    assert torch.equal(again, seen[3])
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[3])


def test_mirrored_images_take_turns_and_squares_are_greyed_out() -> None:
    chance = torch.Generator().manual_seed(0)
    inputs = torch.rand(6, 3, 12, 12, generator=chance) + 1
    recipe = Recipe(0, 0, 0.0, flip=True)
    windows = train._windows(inputs, recipe)
    assert windows is not None
    batch = torch.arange(6)[None]
    even, odd = (train._altered(windows, batch, epoch, recipe, chance)[0] for epoch in (0, 1))
    mirrored = [torch.equal(image, inputs[n].flip(-1)) for n, image in enumerate(even)]
    assert 0 < sum(mirrored) < 6
    for n in range(6):
        one, other = (odd[n], even[n]) if mirrored[n] else (even[n], odd[n])
        assert torch.equal(one, inputs[n]) and torch.equal(other, inputs[n].flip(-1))

    recipe = Recipe(0, 0, 0.0, jitter=2, cutout=8)  # of pictures of 12 pixels at most 3 are covered
    windows = train._windows(inputs, recipe)
    assert windows is not None
    altered = train._altered(windows, torch.arange(6).repeat(50)[None], 0, recipe, chance)[0]
    grey = (altered == 0).all(1)
    assert torch.equal(grey, (altered == 0).any(1))  # all channels alike, and nothing else is 0 here
    counts = grey.sum((1, 2))
    assert counts.max() == 9 and counts.min() < 9 and set(grey.any(2).sum(1).tolist()) == {1, 2, 3}


def test_cutmix_shows_a_rectangle_of_the_next_image_and_as_much_of_its_label() -> None:
    chance = torch.Generator().manual_seed(0)
    images = torch.arange(400.0)[None, :, None, None, None].expand(1, 400, 3, 8, 10).contiguous()
    labels = torch.eye(5)[torch.arange(400) % 5][None]
    mixed, shared = train._mixed(images, labels, 0.5, chance)
    other = mixed != images
    assert torch.equal(mixed[other], images.roll(1, 1)[other])
    part = other.float().mean((2, 3, 4))[0]
    assert 0.35 < (part > 0).float().mean() < 0.5 and part.max() > 0.8 and 0.2 < part[part > 0].mean() < 0.45
    own, others = torch.arange(400) % 5, torch.arange(-1, 399) % 5
    assert torch.allclose(shared[0, torch.arange(400), own], 1 - part) and torch.allclose(
        shared[0, torch.arange(400), others], part
    )
    for image in other[0, part > 0, 0][:50]:  # a rectangle: every row that has any of it has all its columns
        rows, columns = image.any(1), image.any(0)
        assert torch.equal(image, rows[:, None] & columns[None])
    same, alone = train._mixed(images, labels, 0.0, chance)
    assert torch.equal(same, images) and torch.equal(alone, labels)


def test_a_teacher_learns_from_mixed_images() -> None:
    recipe = Recipe(0, 0, 0.0, cutmix=1.0)
    plan = Plan(models.architecture("linear", (8, 8, 1), 10), HARD[:1], 2, 8, 0.01, evaluations=2)
    plain, mixed = run(plan), run(dataclasses.replace(plan, recipe=recipe))
    assert not torch.equal(plain[-1].test_logits, mixed[-1].test_logits)
    again = run(dataclasses.replace(plan, recipe=recipe))
    assert torch.equal(again[-1].test_logits, mixed[-1].test_logits)
