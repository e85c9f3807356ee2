"""Several programs in turn are each what it would be alone; none runs ahead; and stopping anywhere leaves no trace."""

from __future__ import annotations

import dataclasses
import itertools
import time
from functools import lru_cache
from typing import Any

import pytest
import torch

from kdviz import models, train, turns
from kdviz.spec import Student
from kdviz.train import Material, Point
from kdviz.turns import Progress, Stack
from tests.test_train import DISTILLED, HARD, material, plan

pytestmark = pytest.mark.usefixtures("one_thread")

WIDE = [Student("hard_labels", None, 3, 0.0, 1.0), Student("distilled", 4.0, 3, 1.0, 0.1)]
OTHERS = [Student("distilled", 4.0, 1, 1.0, 0.1), Student("hard_labels", None, 0, 0.0, 1.0)]


@lru_cache
def some(images: int) -> Material:
    """The first images of tests.test_train's fifty."""
    of = material(torch.float32)
    assert of.teacher_logits is not None
    return dataclasses.replace(
        of, inputs=of.inputs[:images], labels=of.labels[:images], teacher_logits=of.teacher_logits[:images]
    )


@lru_cache
def stacks() -> tuple[Stack, ...]:
    """Two networks on two fractions, and a wide pair; the run's numbers go across them, and seeds are not in order."""
    return (
        Stack(plan("mlp-12", HARD + DISTILLED[:2], evaluations=5), some(50), [0, 4, 2, 6]),
        Stack(plan("linear", OTHERS, evaluations=9), some(50), [1, 9]),
        Stack(plan("mlp-12", OTHERS[:1], evaluations=3), some(20), [3]),
        Stack(plan("linear", OTHERS, evaluations=12), some(20), [8, 10]),
        Stack(plan("mlp-300-200", WIDE, epochs=2, evaluations=4), some(50), [5, 7]),
    )


STUDENTS = range(11)


def but_seconds(points: list[Point]) -> list[Point]:
    return [dataclasses.replace(point, seconds=0.0) for point in points]


@dataclasses.dataclass
class Seen:
    """What is to be read from a Progress at once, since the training moves on."""

    progress: Progress
    points: list[Point]
    checkpoint: bytes


def follow(checkpoint: bytes | None = None, most: int | None = None) -> list[Seen]:
    """Train from a checkpoint, for so many evaluations at most."""
    turn = itertools.islice(turns.take_turns(stacks(), checkpoint), most)
    return [Seen(progress, but_seconds(progress.points), progress.checkpoint()) for progress in turn]


@lru_cache
def undisturbed() -> list[Seen]:
    return follow()


@lru_cache
def alone() -> tuple[list[train.Evaluation], ...]:
    """Every program's evaluations without the others."""
    return tuple(
        [said for said in train.train(stack.plan, stack.material) if isinstance(said, train.Evaluation)] for stack in stacks()
    )


def number_of(progress: Progress) -> int:
    """Return which program was just judged."""
    return next(n for n, stack in enumerate(stacks()) if progress.points[0].student in stack.students)


def share(evaluation: train.Evaluation) -> float:
    return evaluation.step / evaluation.steps


# What is seen


def test_every_program_gives_the_points_it_gives_alone_under_the_runs_numbers() -> None:
    for n, (stack, evaluations) in enumerate(zip(stacks(), alone(), strict=True)):
        got = [seen.points for seen in undisturbed() if number_of(seen.progress) == n]
        assert got == [
            [
                dataclasses.replace(point, student=student)
                for student, point in zip(stack.students, but_seconds(evaluation.points), strict=True)
            ]
            for evaluation in evaluations
        ]


def test_every_student_is_judged_as_often_as_its_plan_says() -> None:
    points = [point for seen in undisturbed() for point in seen.points]
    assert {point.student for point in points} == set(STUDENTS)
    for stack in stacks():
        _, steps = train.steps_of(len(stack.material.labels), stack.plan.batch_size, stack.plan.epochs)
        for student in stack.students:
            judged = [point.step for point in points if point.student == student]
            assert judged == train.evaluation_steps(steps, stack.plan.evaluations)


def test_no_program_runs_ahead_by_more_than_one_evaluation() -> None:
    before: list[float] = [-1.0] * len(stacks())
    for seen in undisturbed():
        progress, n = seen.progress, number_of(seen.progress)
        shares = [-1.0 if evaluation is None else share(evaluation) for evaluation in progress.latest]
        earlier, before = before, shares
        assert shares[n] > earlier[n]
        assert earlier[n] == min(earlier)  # the one that moved was the one that was least far
    assert before == [1.0] * len(stacks())


def test_all_programs_are_judged_at_once_at_the_beginning_and_the_end_comes_once() -> None:
    first = undisturbed()[: len(stacks())]
    assert {number_of(seen.progress) for seen in first} == set(range(len(stacks())))
    assert {point.step for seen in first for point in seen.points} == {0}
    assert [seen.progress.complete for seen in undisturbed()] == [False] * (len(undisturbed()) - 1) + [True]


def test_steps_and_seconds_of_the_run_never_fall_and_steps_are_the_sum() -> None:
    progresses = [seen.progress for seen in undisturbed()]
    for a, b in itertools.pairwise(progresses):
        assert a.step <= b.step and a.seconds <= b.seconds
    for progress in progresses:
        judged = [evaluation for evaluation in progress.latest if evaluation is not None]
        assert progress.step == sum(evaluation.step for evaluation in judged)
        assert {point.seconds for point in progress.points} == {progress.seconds}
        assert progress.seconds == pytest.approx(sum(evaluation.points[0].seconds for evaluation in judged))
    assert progresses[0].seconds == 0 < progresses[-1].seconds
    assert {progress.steps for progress in progresses} == {56 + 56 + 24 + 24 + 14} == {progresses[-1].step}


def test_logits_weights_and_last_points_are_those_of_the_right_student() -> None:
    for progress in turns.take_turns(stacks()):
        if None in progress.latest:
            continue
        logits = progress.test_logits()
        assert logits.shape == (11, 40, 10)
        last = progress.last_points()
        for stack in stacks():
            for student in stack.students:
                weights = progress.parameters(student)
                assert all(len(tensor) == 1 for tensor in weights.values())
                answered = models.logits(stack.plan.network, weights, stack.material.test_inputs)[0]
                torch.testing.assert_close(answered, logits[student], rtol=1e-5, atol=1e-5)
                wrong = int((logits[student].argmax(-1) != stack.material.test_labels).sum())
                assert last[student].errors == wrong
        apart = torch.cdist(logits.flatten(1), logits.flatten(1)) + torch.eye(11)
        if progress.step > 60:
            assert apart.min() > 1e-3  # no two students are one
    for stack, evaluations in zip(stacks(), alone(), strict=True):
        assert torch.equal(logits[stack.students], evaluations[-1].test_logits)


def test_a_student_that_is_not_there_has_no_weights() -> None:
    with pytest.raises(KeyError):
        undisturbed()[-1].progress.parameters(11)


# Stopping and resuming


def new(points: list[list[Point]], known: list[list[Point]]) -> list[list[Point]]:
    """Leave out what was seen before: a program taken up at its very end says once more how it ended."""
    seen = {(point.student, point.step) for group in known for point in group}
    return [group for group in points if not any((point.student, point.step) in seen for point in group)]


def test_stopping_anywhere_and_resuming_gives_the_undisturbed_points() -> None:
    whole = [seen.points for seen in undisturbed()]
    ended = undisturbed()[-1].progress
    for stopped, at in enumerate(undisturbed()):
        resumed = follow(at.checkpoint)
        known = whole[: stopped + 1]
        assert new([seen.points for seen in resumed], known) == whole[stopped + 1 :]
        last = resumed[-1].progress
        assert last.complete and last.step == ended.step
        assert torch.equal(last.test_logits(), ended.test_logits())
        assert all(seen.progress.seconds >= at.progress.seconds for seen in resumed)
        assert [seen.progress.complete for seen in resumed[:-1]] == [False] * (len(resumed) - 1)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_resuming_again_and_again_before_all_programs_were_seen_gives_the_undisturbed_points(most: int) -> None:
    whole, checkpoint = [seen.points for seen in undisturbed()], None
    got: list[list[Point]] = []
    while len(got) < len(whole):
        part = follow(checkpoint, most)
        checkpoint = part[-1].checkpoint
        found = new([seen.points for seen in part], got)
        assert found  # each attempt goes on
        got += found
    assert got == whole
    (*_, end) = follow(checkpoint)
    assert torch.equal(end.progress.test_logits(), undisturbed()[-1].progress.test_logits())


def test_a_program_not_seen_again_keeps_its_place_in_the_checkpoint() -> None:
    middle = undisturbed()[len(undisturbed()) // 2]
    (first,) = follow(middle.checkpoint, 1)
    assert first.progress.latest.count(None) == len(stacks()) - 1
    assert first.progress.step > middle.progress.step and not first.progress.complete
    with pytest.raises(AssertionError, match="asked before every student was judged"):
        first.progress.test_logits()


def test_a_run_taken_up_at_its_end_says_how_it_ended() -> None:
    again = follow(undisturbed()[-1].checkpoint)
    assert len(again) == len(stacks()) and again[-1].progress.complete
    assert torch.equal(again[-1].progress.test_logits(), undisturbed()[-1].progress.test_logits())
    ours, theirs = again[-1].progress.last_points(), undisturbed()[-1].progress.last_points()
    assert [(p.step, p.errors, p.kl) for p in ours] == [(p.step, p.errors, p.kl) for p in theirs]


def long_stacks() -> list[Stack]:
    changes: dict[str, Any] = dict(epochs=100_000, evaluations=5)
    return [
        Stack(plan("linear", HARD, **changes), some(50), [0, 1]),
        Stack(plan("linear", OTHERS, **changes), some(20), [2, 3]),
    ]


def test_a_run_that_is_told_to_stop_ends_early_and_can_be_taken_up() -> None:
    began, told = time.perf_counter(), []

    def stop() -> bool:
        told.append(True)
        return True

    *_, last = turns.take_turns(long_stacks(), should_stop=stop)
    assert time.perf_counter() - began < 5  # of an hour
    assert told and 0 < last.step < last.steps and not last.complete and not last.points
    *_, again = turns.take_turns(long_stacks(), last.checkpoint(), stop)
    assert again.step > last.step and not again.points  # it goes on from where it was, and is told to stop before it is judged
