"""Each bug is trained as its line is written, and none of them is the right loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdviz import answers, data, models, run, soft_targets, step, teachers
from kdviz.misconceptions import LOSSES, MISCONCEPTIONS, OF_ENSEMBLES, RIGHT, factor
from kdviz.spec import RunSpec, Student
from kdviz.step import Constants
from tests.test_train import material, plan
from tests.test_train import run as trained

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = pytest.mark.parametrize("name", MISCONCEPTIONS)
CLASSES, IMAGES = 10, 8
MEASURED = {"mean_over_elements": 0.1, "scaled_by_elements": 0.1, "no_t_squared": 1 / 36, "teacher_on_both_sides": 0.0}


def chance(*size: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_the_line(
    line: str, z: Tensor, members: Tensor, labels: Tensor, T: float, soft_weight: float, hard_weight: float
) -> Tensor:
    """Run a line as kdviz.misconceptions says it is meant, and return the gradient of the whole loss in the student's logits."""
    z = z.clone().requires_grad_()
    known: dict[str, Any] = {
        "torch": torch, "F": F, "T": T, "soft_weight": soft_weight, "hard_weight": hard_weight, "student_logits": z,
        "teacher_logits": members[0], "member_logits": members, "log_q": F.log_softmax(z / T, 1),
        "p": F.softmax(members[0] / T, 1), "hard": F.cross_entropy(z, labels),
    }  # fmt: skip
    known["kl"] = F.kl_div(known["log_q"], known["p"], reduction="batchmean")
    exec(line, known)
    if "soft" not in known:  # the line is about the targets
        known["soft"] = T**2 * F.kl_div(known["log_q"], known["p"], reduction="batchmean")
    loss = known.get("loss", soft_weight * known["soft"] + hard_weight * known["hard"])
    (gradient,) = torch.autograd.grad(loss, z)
    return gradient


def by_the_step(
    loss: str, z: Tensor, members: Tensor, labels: Tensor, T: float, soft_weight: float, hard_weight: float
) -> Tensor:
    student = Student("distilled", T, 0, soft_weight, hard_weight, loss=loss)
    learned = members[:1]
    if len(members) > 1:  # an ensemble: as kdviz.answers joins it
        joined = members.mean(0) if loss == OF_ENSEMBLES else torch.from_numpy(answers.averaged(members.numpy(), T)).double()
        learned = joined[None]
    network = models.architecture("linear", (8, 8, 1), CLASSES)
    constants = Constants(network, 1, "adam", "fp32", True, 0.0)
    knobs = step.knobs([student], CLASSES, 0.001, torch.float64, torch.device("cpu"))
    y = F.one_hot(labels, CLASSES).double()[None]
    sums = torch.zeros(2, 1, dtype=torch.float64)
    return step._loss(constants, sums, knobs, z.mT[None], y, learned, knobs.hard_weight)[0].mT


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")  # torch 2.13 warns of this very bug
@NAMES
@pytest.mark.parametrize("hard_weight", [0.0, 0.3])
@pytest.mark.parametrize("T", [1.0, 6.0])
def test_a_student_is_trained_by_the_line_that_is_shown(name: str, T: float, hard_weight: float) -> None:
    bug = MISCONCEPTIONS[name]
    z, members = chance(IMAGES, CLASSES), chance(3 if name == OF_ENSEMBLES else 1, IMAGES, CLASSES, seed=1)
    given = (z, members, torch.arange(IMAGES), T, 0.7, hard_weight)
    wrong, right = by_the_line(bug.wrong, *given), by_the_line(bug.right, *given)
    torch.testing.assert_close(by_the_step(name, *given), wrong, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(by_the_step(RIGHT, *given), right, rtol=1e-6, atol=1e-8)
    same = (name == "no_t_squared" and T == 1) or (name == "zero_weight_drops_t_squared" and hard_weight > 0)
    assert torch.allclose(wrong, right, atol=1e-6) == same  # a test of the right gradient fails for it


@NAMES
def test_what_a_claim_says_of_the_gradient_is_so(name: str) -> None:
    """A student that knows nothing, T = 6, no hard labels: the soft term's gradient against the right one."""
    z, members, T = torch.zeros(IMAGES, CLASSES, dtype=torch.float64), chance(3, IMAGES, CLASSES, seed=2), 6.0
    members = members if name == OF_ENSEMBLES else members[:1]
    wrong, right = (by_the_step(loss, z, members, torch.arange(IMAGES), T, 1.0, 0.0) for loss in (name, RIGHT))
    if name in MEASURED:
        torch.testing.assert_close(wrong, MEASURED[name] * right)
    if name == "mse_of_softmaxes":
        torch.testing.assert_close(wrong, 0.02 * right)
    if name == "zero_weight_drops_t_squared":
        torch.testing.assert_close(wrong, right / T**2)
    if name == OF_ENSEMBLES:
        geometric, arithmetic = (soft_targets.entropy(f(members, T)).mean() for f in
                                 (soft_targets.ensemble_geometric, soft_targets.ensemble_arithmetic))  # fmt: skip
        assert geometric < arithmetic  # sharper


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_told_in_its_own_unit(loss: str) -> None:
    """The soft term that is reported is the loss that a wrong program would report."""
    z, teacher, T = chance(IMAGES, CLASSES), chance(1, IMAGES, CLASSES, seed=1), 5.0
    knobs = step.knobs([Student("distilled", T, 0, 1.0, 0.0, loss=loss)], CLASSES, 0.001, torch.float64, torch.device("cpu"))
    constants = Constants(models.architecture("linear", (8, 8, 1), CLASSES), 1, "adam", "fp32", True, 0.0)
    sums = torch.zeros(2, 1, dtype=torch.float64)
    y = F.one_hot(torch.arange(IMAGES), CLASSES).double()[None]
    step._loss(constants, sums, knobs, z.mT[None], y, teacher, knobs.hard_weight)
    p, q = F.softmax(teacher[0] / T, 1), F.softmax(z / T, 1)
    expected = -(p * q.log()).sum(1).mean() * T * T * factor(loss, T, 1.0, 0.0, CLASSES)
    if loss == "mse_of_softmaxes":
        expected = T * T * ((p - q) ** 2).mean()
    assert sums[0, 0] == pytest.approx(float(expected))


def test_right_and_wrong_students_stand_side_by_side_and_each_is_what_it_is_alone() -> None:
    losses = [loss for loss in LOSSES if loss != OF_ENSEMBLES]
    students = [Student("hard_labels", None, 0, 0.0, 1.0)]
    students += [Student("distilled", 4.0, 0, 1.0, 0.1, loss=loss) for loss in losses]
    together = trained(plan(students=students, epochs=3), material())[-1].test_logits
    for number, student in enumerate(students):
        alone = trained(plan(students=[student], epochs=3), material())[-1].test_logits
        torch.testing.assert_close(together[number], alone[0], rtol=1e-9, atol=1e-9)
    ends = dict(zip(["hard labels", *losses], together, strict=True))
    torch.testing.assert_close(ends["mean_over_elements"], ends["scaled_by_elements"])
    torch.testing.assert_close(ends["zero_weight_drops_t_squared"], ends[RIGHT])  # a hard weight of 0.1 is none of zero
    for loss in ("mean_over_elements", "no_t_squared", "teacher_on_both_sides", "mse_of_softmaxes"):
        assert (ends[loss] - ends[RIGHT]).abs().max() > 0.01
    small = dataclasses.replace(students[0], hard_weight=0.1)  # the scale is nothing to Adam but for its epsilon
    silent = trained(plan(students=[small], epochs=3), material())[-1].test_logits[0]
    torch.testing.assert_close(ends["teacher_on_both_sides"], silent)


def test_an_ensembles_students_learn_from_the_mean_of_its_members_probabilities() -> None:
    spec = RunSpec(teacher="cnn-x5", student=("mlp-6",), seeds=2, epochs=1, temperature=(3.0,), loss=(RIGHT, OF_ENSEMBLES))
    ready = run.prepare(spec)
    digits = data.load("digits")
    numbers = answers.transfer_set(spec, digits, 1.0)
    members = teachers.stored_member_logits(ready.card, digits)
    seen = ready.stacks[0].material.teacher_logits
    assert members is not None and seen is not None
    for student in spec.students:
        if student.condition == "distilled":
            joined = soft_targets.ensemble_geometric if student.loss == OF_ENSEMBLES else soft_targets.ensemble_arithmetic
            expected = joined(members[:, numbers].astype(np.float64), 3.0)
            got = soft_targets.softmax(seen[student.targets].numpy().astype(np.float64), 3.0)
            np.testing.assert_allclose(got, expected, atol=1e-6)


def test_wrong_students_are_compared_with_hard_labels_and_with_the_right_ones() -> None:
    spec = RunSpec(student=("mlp-6",), seeds=2, epochs=2, loss=(RIGHT, "no_t_squared"), learning_rate=0.01)
    ready = run.prepare(spec)
    *_, last = ready.training()
    result = run.result(ready, last)
    rows = [(row["condition"], row["against"], row["loss"]) for row in result["comparisons"]]
    assert rows == [
        ("distilled", "hard_labels", RIGHT),
        ("distilled", "hard_labels", "no_t_squared"),
        ("distilled", "distilled", "no_t_squared"),
    ]
    right, wrong, between = (row["mean"] for row in result["comparisons"])
    assert between == pytest.approx(wrong - right)
    assert [row["loss"] for row in result["students"]] == [RIGHT] * 4 + ["no_t_squared"] * 2


@NAMES
def test_each_is_cited(name: str) -> None:
    bug = MISCONCEPTIONS[name]
    assert bug.name == name and bug.sources and all("/" in source for source in bug.sources)
    assert bug.wrong != bug.right
