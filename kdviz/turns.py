"""Several programs of one run in turn, so that all its students climb side by side: always the one that is least far.

Each program is a stack of students that `kdviz.train` trains. What is seen from outside is the whole run: one count of steps, one
clock, one checkpoint, students by their numbers in the spec. Knows no store and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import safetensors.torch
import torch
from torch import Tensor

from kdviz import models
from kdviz.train import Evaluation, Material, Plan, Point, Rest, position, steps_of, train


@dataclass(frozen=True)
class Stack:
    """One program: its plan, its material, and which students of the run it trains."""

    plan: Plan
    material: Material
    students: list[int]


@dataclass(frozen=True)
class Progress:
    """A run right after one of its programs was judged, or rests between two evaluations.

    points: of that program's students, none while it rests; latest: every program's last evaluation, None before its first here;
    kept: what programs go on from that were not judged here since; resting: the program that rests, beyond its last evaluation.
    """

    stacks: Sequence[Stack]
    step: int
    steps: int
    points: list[Point]
    seconds: float
    latest: list[Evaluation | None]
    kept: dict[int, bytes]
    resting: dict[int, Rest]

    @property
    def complete(self) -> bool:
        return self.step == self.steps and None not in self.latest

    def test_logits(self) -> Tensor:
        """Return the logits of all students on the images that judge, (students, n, classes), once every program was judged."""
        rows: dict[int, Tensor] = {}
        for stack, evaluation in zip(self.stacks, self.latest, strict=True):
            assert evaluation is not None, "asked before every student was judged"
            rows |= dict(zip(stack.students, evaluation.test_logits, strict=True))
        return torch.stack([rows[number] for number in sorted(rows)])

    def train_accuracies(self) -> list[float]:
        """Return how many of the images of its transfer set every student answers rightly, 0..1: what it learned by heart."""
        right: dict[int, float] = {}
        for stack, evaluation in zip(self.stacks, self.latest, strict=True):
            assert evaluation is not None, "asked before every student was judged"
            answered = models.logits(stack.plan.network, evaluation.parameters, stack.material.inputs).argmax(-1)
            right |= dict(zip(stack.students, (answered == stack.material.labels).double().mean(-1).tolist(), strict=True))
        return [right[number] for number in sorted(right)]

    def parameters(self, student: int) -> models.Parameters:
        """Return one student's weights, stacked with S = 1."""
        for stack, evaluation in zip(self.stacks, self.latest, strict=True):
            if student in stack.students and evaluation is not None:
                s = stack.students.index(student)
                return models.one(evaluation.parameters, s)
        raise KeyError(student)

    def last_points(self) -> list[Point]:
        """Return every student's last point, in the order of the run's students."""
        last: dict[int, Point] = {}
        for stack, evaluation in zip(self.stacks, self.latest, strict=True):
            if evaluation is not None:
                last |= dict(zip(stack.students, evaluation.points, strict=True))
        return [last[number] for number in sorted(last)]

    def checkpoint(self) -> bytes:
        """Return what all programs need to go on."""
        contents = dict(self.kept)
        # Each is the program's present state: those that are not at work stand where they last spoke.
        for n, evaluation in enumerate(self.latest):
            last = self.resting.get(n, evaluation)
            if last is not None:
                contents[n] = last.checkpoint()
        return safetensors.torch.save({str(n): torch.frombuffer(bytearray(of), dtype=torch.uint8) for n, of in contents.items()})


def take_turns(
    stacks: Sequence[Stack], checkpoint: bytes | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress]:
    """Train all programs of a run, yielding whenever one was judged or rests. checkpoint: of an earlier Progress of the run."""
    kept = {}
    if checkpoint is not None:
        # One of kdviz before it took turns has other names: such a run begins anew.
        held = safetensors.torch.load(checkpoint)
        kept = {int(key): tensor.numpy().tobytes() for key, tensor in held.items() if key.isdigit()}
    steps = [steps_of(len(stack.material.labels), stack.plan.batch_size, stack.plan.epochs)[1] for stack in stacks]
    trainings = [train(stack.plan, stack.material, kept.get(n), should_stop) for n, stack in enumerate(stacks)]
    latest: list[Evaluation | None] = [None] * len(stacks)
    resting: dict[int, Rest] = {}
    done, seconds = [-1] * len(stacks), [0.0] * len(stacks)
    for n, content in kept.items():
        done[n], seconds[n] = position(content)
    going = list(range(len(stacks)))
    while going:
        number = min(going, key=lambda n: (done[n] / steps[n], n))
        evaluation = next(trainings[number], None)
        if evaluation is None:
            going.remove(number)
            if should_stop():
                return
            continue
        done[number], seconds[number] = evaluation.step, evaluation.seconds
        so_far = sum(seconds)
        points: list[Point] = []
        if isinstance(evaluation, Rest):
            resting[number] = evaluation
        else:
            latest[number] = evaluation
            resting.pop(number, None)
            points = [
                replace(point, student=student, seconds=so_far)
                for student, point in zip(stacks[number].students, evaluation.points, strict=True)
            ]
        steps_done = sum(max(0, n) for n in done)
        yield Progress(stacks, steps_done, sum(steps), points, so_far, list(latest), kept, dict(resting))
