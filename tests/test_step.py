"""One step, eager and compiled, against plain loops of torch.nn and against autograd of the loss as it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdviz import models, soft_targets, step, strategy, train
from kdviz.spec import Student
from kdviz.step import Constants, Knobs
from kdviz.teachers import Recipe
from kdviz.train import Evaluation, Material, Plan
from tests.test_models import with_weights_of
from tests.test_train import HARD, SIX, material, plain_loop, plan, run

pytestmark = pytest.mark.usefixtures("one_thread")

compiler = pytest.mark.skipif(strategy.compiler_missing() is not None, reason=str(strategy.compiler_missing()))


def own_knobs(students: list[Student]) -> list[Student]:
    """Give students learning rates and teachers of their own; every third keeps the learning rate of everybody."""
    return [
        dataclasses.replace(student, learning_rate=[None, 0.001, 0.004][number % 3], targets=number % 4 % 3)
        for number, student in enumerate(students)
    ]


SIXTEEN = own_knobs(
    [
        Student("hard_labels", None, seed, 0.0, 1.0)
        if T is None
        else Student("confidence_weighted", T, seed, 0.0, 1.0, emphasis=seed % 2)
        if T == 1
        else Student("distilled", T, seed, 0.5 + seed / 4, 0.1)
        for T in (None, 1.0, 4.0, 20.0)
        for seed in (0, 1, 5, 2)
    ]
)
RECIPE = Recipe(0, 0, 0.0, dropout_inputs=0.2, dropout_hidden=0.5, jitter=1, max_norm=1.0)

# Seven steps an epoch, the last of two images; 56 steps. Each of these is one compiled program.
PLANS = {
    "adam": plan("mlp-12-9", SIXTEEN, schedule="linear"),
    "sgd": plan("mlp-12", own_knobs(SIX), schedule="linear", optimizer="sgd", learning_rate=0.01),
    "regularised": plan("mlp-12-9", HARD, schedule="linear", recipe=RECIPE),
}


@lru_cache
def three_teachers() -> Material:
    """The material of tests.test_train, two teachers more, and two ways of weighing the images."""
    of = material()
    assert of.teacher_logits is not None
    chance = torch.Generator().manual_seed(9)
    others = 3 * torch.randn(2, *of.teacher_logits.shape, generator=chance)
    weightings = 2 * torch.rand(2, len(of.labels), generator=chance, dtype=torch.float64)
    return dataclasses.replace(of, teacher_logits=torch.stack([of.teacher_logits, *others]), weightings=weightings)


@lru_cache
def eager(name: str) -> list[Evaluation]:
    return run(PLANS[name], three_teachers())


# Eager, compiled and plain


@dataclass
class Counted:
    """A compiled training: its evaluations and checkpoints, how many graphs it took, and how many steps went which way."""

    evaluations: list[Evaluation]
    checkpoints: list[bytes]
    graphs: int
    by_program: int
    by_hand: int


def counted(planned: Plan, checkpoint: bytes | None = None) -> Counted:
    """Train with the compiled step, seeing to it that it is the compiled step."""
    import torch._dynamo.utils

    program, update = step._compiled(), step.Step._update
    got = Counted([], [], 0, 0, 0)

    def compiled(*given: Any) -> None:
        got.by_program += 1
        program(*given)

    def by_hand(self: step.Step, gradients: models.Parameters, scale: float) -> None:
        got.by_hand += 1
        update(self, gradients, scale)

    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "_compiled", lambda: compiled)
        patch.setattr(step.Step, "_update", by_hand)
        for evaluation in train.train(dataclasses.replace(planned, compiled=True), three_teachers(), checkpoint):
            if isinstance(evaluation, train.Rest):  # compiling took long
                continue
            got.evaluations.append(evaluation)
            got.checkpoints.append(evaluation.checkpoint())
    got.graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before
    return got


@pytest.fixture(scope="module")
def compiled() -> Iterator[dict[str, Counted]]:
    """All three compiled trainings, once: the first on a machine takes ten seconds each, torch keeps the programs for later."""
    yield {name: counted(planned) for name, planned in PLANS.items()}
    torch.compiler.reset()
    step._compiled.cache_clear()


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def near(*losses: float | None) -> tuple[Any, ...]:
    return tuple(None if loss is None else pytest.approx(loss, rel=1e-9, abs=1e-9) for loss in losses)


def same(ours: list[Evaluation], theirs: list[Evaluation]) -> None:
    """Logits, losses and weights of two trainings agree to 1e-9."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.step == other.step
        close(one.test_logits, other.test_logits)
        for point, its in zip(one.points, other.points, strict=True):
            assert (point.loss_soft, point.loss_hard) == near(its.loss_soft, its.loss_hard)
    for key, tensor in ours[-1].parameters.items():
        close(tensor, theirs[-1].parameters[key])


@compiler
def test_full_batches_take_the_compiled_program_and_one_graph_each_plan(compiled: dict[str, Counted]) -> None:
    for name, got in compiled.items():
        assert (name, got.by_program, got.by_hand, got.graphs) == (name, 48, 8, 1)


@compiler
@pytest.mark.parametrize("name", PLANS)
def test_a_compiled_training_is_the_eager_one(name: str, compiled: dict[str, Counted]) -> None:
    assert eager(name)[-1].step == 56
    same(compiled[name].evaluations, eager(name))
    moved = (eager(name)[-1].test_logits - eager(name)[0].test_logits).abs().amax((1, 2))
    assert (moved > 0.02).all()  # they did learn, all of them


@compiler
@pytest.mark.parametrize("name", PLANS)
def test_a_compiled_training_taken_up_again_is_the_undisturbed_one_and_compiles_nothing(
    name: str, compiled: dict[str, Counted]
) -> None:
    whole = compiled[name]
    again = counted(PLANS[name], whole.checkpoints[2])
    assert again.graphs == 0 and again.by_program > 20
    assert torch.equal(again.evaluations[-1].test_logits, whole.evaluations[-1].test_logits)
    assert [e.step for e in again.evaluations] == [e.step for e in whole.evaluations[3:]]


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_students_of_their_own_rates_and_teachers_are_plain_loops(name: str) -> None:
    """So each is what it would be alone, since a plain loop trains one."""
    planned, of = PLANS[name], three_teachers()
    assert len({(student.learning_rate, student.targets) for student in planned.students}) > 4
    for s, student in enumerate(planned.students):
        seen, weights = plain_loop(planned, student, of)
        for evaluation in eager(name):
            expected, point = seen[evaluation.step], evaluation.points[s]
            close(evaluation.test_logits[s], expected.test_logits)
            assert (point.loss_soft, point.loss_hard) == near(expected.soft, expected.hard)
        for ours, theirs in zip(eager(name)[-1].parameters.values(), weights, strict=True):
            close(ours[s], theirs)


def test_seeds_with_as_many_students_each_share_their_batches_and_others_do_not() -> None:
    groups = {name: train.side_by_side(planned.students)[1] for name, planned in PLANS.items()}
    assert groups == {"adam": 4, "sgd": 6, "regularised": 2}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("network", ["linear", "mlp-12-9", "cnn"])
def test_a_student_alone_is_the_same_as_among_fifteen_others(network: str, optimizer: str) -> None:
    planned = plan(network, SIXTEEN, epochs=2, optimizer=optimizer, schedule="linear")
    together = run(planned, three_teachers())
    for s in (0, 6, 15):
        alone = run(dataclasses.replace(planned, students=[SIXTEEN[s]]), three_teachers())
        for one, everybody in zip(alone, together, strict=True):
            close(one.test_logits[0], everybody.test_logits[s])
        for key, tensor in alone[-1].parameters.items():
            close(tensor[0], together[-1].parameters[key][s])


# The gradient


@dataclass
class Given:
    """One step's arguments: four students on batches of six images out of twenty."""

    constants: Constants
    students: list[Student]
    parameters: models.Parameters
    knobs: Knobs
    images: Tensor
    labels: Tensor
    teacher: Tensor | None
    batch: Tensor

    def gradients(
        self, whole: bool = True, dropout: models.Dropout | None = None, drawn: list[Tensor | None] | None = None
    ) -> tuple[models.Parameters, Tensor]:
        """Return (gradients, losses by term); whole: the images of the whole transfer set, otherwise those of the batch alone."""
        sums = torch.zeros(2, len(self.students), dtype=torch.float64)
        images = self.images if whole else self.images[self.batch]
        given = (images, self.labels, self.teacher, self.batch)
        return step._gradients(self.constants, self.parameters, sums, self.knobs, *given, dropout, drawn), sums


STUDENTS = [
    Student("hard_labels", None, 0, 0.0, 1.0),
    Student("distilled", 4.0, 0, 1.0, 0.1, targets=1),
    Student("distilled", 20.0, 1, 0.5, 0.0),
    Student("distilled", 0.5, 1, 2.0, 1.0, targets=2, emphasis=1),
]
WEIGHTINGS = 2 * torch.rand(2, 20, generator=torch.Generator().manual_seed(8), dtype=torch.float64)


def given(network: str, groups: int, teachers: int, distilled: bool = True) -> Given:
    """teachers: one, or several of which students learn from their own; 0 for none."""
    chance = torch.Generator().manual_seed(3)
    architecture = models.architecture(network, (8, 8, 1), 10)
    students = STUDENTS if teachers > 1 else [dataclasses.replace(student, targets=0) for student in STUDENTS]
    images = torch.randn(20, 1, 8, 8, generator=chance, dtype=torch.float64)
    labels = torch.eye(10, dtype=torch.float64)[torch.randint(10, (20,), generator=chance)]
    teacher = 3 * torch.randn(max(1, teachers), 20, 10, generator=chance, dtype=torch.float64)
    return Given(
        Constants(architecture, groups, "adam", "fp32", distilled and teachers > 0, 0.0),
        students,
        models.initial_parameters(architecture, [3, 1, 4, 5], torch.float64),
        step.knobs(students, 10, 0.001, torch.float64, torch.device("cpu"), WEIGHTINGS),
        images,
        labels,
        teacher if teachers else None,
        torch.stack([torch.randperm(20, generator=chance)[:6] for _ in range(groups)]),
    )


def by_autograd(
    of: Given, dropout: models.Dropout | None = None, drawn: list[Tensor | None] | None = None
) -> tuple[models.Parameters, Tensor]:
    """Return the same of the loss as kdviz.soft_targets writes it, one student after the other."""
    c = of.constants
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in of.parameters.items()}
    logits = models.forward(c.network, leaves, of.images[of.batch], dropout, drawn)
    terms = []
    for s, student in enumerate(of.students):
        batch = of.batch[s * c.groups // len(of.students)]
        T, weight = (student.temperature or 1.0), student.soft_weight
        answers = torch.zeros(20, 10, dtype=torch.float64)
        if of.teacher is not None and c.distilled:
            answers = of.teacher[student.targets]
        p = soft_targets.softmax(answers[batch], T)
        loss = soft_targets.distillation_loss(logits[s], p, of.labels[batch], T, weight, student.hard_weight)
        if student.emphasis is not None:
            each = soft_targets.cross_entropy(of.labels[batch], soft_targets.log_softmax(logits[s]))
            loss = loss._replace(hard=student.hard_weight * (WEIGHTINGS[student.emphasis, batch] * each).mean())
        if not c.distilled:
            loss = loss._replace(soft=torch.zeros((), dtype=torch.float64))
        terms.append(torch.stack(list(loss)))
    losses = torch.stack(terms, 1)
    losses.sum().backward()
    return {key: leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}, losses.detach()


def agree(ours: tuple[models.Parameters, Tensor], theirs: tuple[models.Parameters, Tensor]) -> None:
    assert set(ours[0]) == set(theirs[0])
    for key, tensor in ours[0].items():
        torch.testing.assert_close(tensor, theirs[0][key], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("teachers", [0, 1, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("network", ["linear", "mlp-12", "mlp-12-9-7", "cnn"])
def test_the_written_gradient_is_autograds_of_the_loss(network: str, groups: int, teachers: int) -> None:
    of = given(network, groups, teachers)
    ours = of.gradients()
    agree(ours, by_autograd(of))
    assert all(tensor.abs().amax() > 1e-4 for tensor in ours[0].values())


@pytest.mark.parametrize("distilled", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("network", ["linear", "mlp-12-9", "cnn"])
@pytest.mark.parametrize("teachers", [1, 3])
def test_a_batch_taken_out_beforehand_gives_the_same(network: str, groups: int, teachers: int, distilled: bool) -> None:
    of = given(network, groups, teachers, distilled)
    agree(of.gradients(whole=False), of.gradients())


@pytest.mark.parametrize(("inputs", "hidden"), [(0.2, 0.0), (0.0, 0.5), (0.2, 0.5)])
@pytest.mark.parametrize("network", ["linear", "mlp-12-9-7", "cnn"])
def test_with_dropout_it_is_the_gradient_of_what_was_not_dropped(network: str, inputs: float, hidden: float) -> None:
    of = given(network, 2, 3)
    dropout = models.Dropout(inputs, hidden, torch.Generator().manual_seed(0))
    drawn = dropout.draw(models.units(of.constants.network, 4, 2, 6))
    ours = of.gradients(dropout=dropout, drawn=drawn)
    agree(ours, by_autograd(of, dropout, drawn))
    if any(size is not None and size.numel() for size in drawn):
        assert not torch.allclose(ours[0]["0.weight"], of.gradients()[0]["0.weight"])


def test_a_gradient_at_lower_precision_is_near_and_its_parameters_keep_theirs() -> None:
    of = given("mlp-12-9", 2, 3)
    exact, _ = of.gradients()
    of.constants = dataclasses.replace(of.constants, precision="bf16")
    rounded, _ = of.gradients()
    for key, tensor in rounded.items():
        assert tensor.dtype == torch.float64 and not torch.equal(tensor, exact[key])
        assert (tensor - exact[key]).norm() < 0.15 * exact[key].norm()


# Losses and lengths


def test_losses_add_up_until_they_are_zeroed() -> None:
    of = given("mlp-12", 2, 1)
    taken = step.Step(of.constants, of.students, of.parameters, 0.001, weightings=WEIGHTINGS)
    _, before = of.gradients()
    taken(of.images, of.labels, of.teacher, of.batch)
    torch.testing.assert_close(taken.sums, before)
    _, after = of.gradients()  # of.parameters are the step's own, and moved
    taken(of.images, of.labels, of.teacher, of.batch)
    torch.testing.assert_close(taken.sums, before + after)
    assert (after[1] < before[1]).any() and taken.taken == 2


def test_a_scale_multiplies_every_learning_rate() -> None:
    moved = {}
    for scale in (1.0, 0.25):
        of = given("mlp-12", 2, 1)
        rates = (None, 0.1, 0.02, 0.1)
        students = [dataclasses.replace(student, learning_rate=rate) for student, rate in zip(of.students, rates, strict=True)]
        start = {key: tensor.clone() for key, tensor in of.parameters.items()}
        step.Step(of.constants, students, of.parameters, 0.01, weightings=WEIGHTINGS)(
            of.images, of.labels, of.teacher, of.batch, scale
        )
        moved[scale] = [(of.parameters["0.bias"] - start["0.bias"])[s].abs().max().item() for s in range(4)]
    # Adam's first step is the learning rate, whatever the gradient.
    assert moved[1.0] == pytest.approx([0.01, 0.1, 0.02, 0.1], rel=1e-3)
    assert moved[0.25] == pytest.approx([0.0025, 0.025, 0.005, 0.025], rel=1e-3)


def test_max_norm_scales_a_unit_and_leaves_its_direction() -> None:
    network = models.architecture("mlp-3", (2, 2, 1), 2)
    weight = torch.tensor([[[3.0, 4.0, 0.0, 0.0], [0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]])
    parameters = {"0.weight": weight.clone(), "1.weight": torch.ones(1, 2, 3) * 9}
    step.constrain(network, parameters, 2.0)
    expected = torch.tensor([[[1.2, 1.6, 0.0, 0.0], [0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]])
    torch.testing.assert_close(parameters["0.weight"], expected)
    assert (parameters["1.weight"] == 9).all()


def test_weights_of_torch_take_the_same_step() -> None:
    """One step of one student is one step of torch.optim.Adam on torch's own network."""
    of = given("mlp-12-9", 1, 1)
    one = {key: tensor[1:2].clone() for key, tensor in of.parameters.items()}
    module = with_weights_of(of.constants.network, one, 0)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    torch.nn.functional.cross_entropy(module(of.images[of.batch[0]]), of.labels[of.batch[0]]).backward()
    optimizer.step()
    taken = step.Step(dataclasses.replace(of.constants, distilled=False), of.students[:1], one, 0.01)
    taken(of.images, of.labels, None, of.batch)
    for ours, theirs in zip(one.values(), module.parameters(), strict=True):
        close(ours[0], theirs.detach())


def test_where_the_compiler_does_not_work_training_goes_on_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import torch._inductor.config
    import torch._inductor.cpp_builder

    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("/bin/false",))  # there, and fails
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    torch._inductor.cpp_builder.cpp_compiler_search.cache_clear()
    planned = plan("mlp-9", HARD, epochs=2)
    got = counted(planned)
    torch.compiler.reset()
    torch._inductor.cpp_builder.cpp_compiler_search.cache_clear()
    assert "cannot be compiled" in caplog.text
    assert (got.by_program, got.by_hand) == (1, 14)  # one attempt
    for one, other in zip(got.evaluations, run(planned, three_teachers()), strict=True):
        assert torch.equal(one.test_logits, other.test_logits)


# Muon


def test_muon_turns_filters_by_the_rate_and_adam_does_the_rest() -> None:
    network = models.architecture("cnn-5-7", (8, 8, 1), 10)
    constants = step.Constants(network, 1, "muon", "fp32", False, 0.0)
    rate, size = 0.1, 0
    student = [Student("hard_labels", None, 0, 0.0, 1.0)]
    parameters = models.initial_parameters(network, [0], torch.float32)
    before = {key: tensor.clone() for key, tensor in parameters.items()}
    one = step.Step(constants, student, parameters, rate)
    chance = torch.Generator().manual_seed(1)
    x, labels = torch.randn(12, 1, 8, 8, generator=chance), F.one_hot(torch.arange(12) % 10, 10).float()
    one(x, labels, None, torch.arange(12)[None])
    for number, layer in enumerate(network.layers):
        key = f"{number}.weight"
        moved = parameters[key][0].flatten(1)
        if layer.norm:
            start = before[key][0].flatten(1)
            start = start * (len(start) ** 0.5 / start.norm())  # held at the length of a unit a filter
            update = (start - moved) / (rate * max(1.0, start.shape[0] / start.shape[1]) ** 0.5)
            values = torch.linalg.svdvals(update)
            assert values.min() > 0.4 and values.max() < 1.4, key  # every direction about as far: an orthogonal matrix, nearly
            size += 1
        else:
            assert (moved - before[key][0]).abs().max() == pytest.approx(rate * step.ADAM_OF_MUON, rel=0.01)
        assert (parameters[f"{number}.bias"] - before[f"{number}.bias"]).abs().max() <= rate * step.ADAM_OF_MUON * 1.01
    assert size == 5


def test_normalised_students_side_by_side_learn_as_each_alone() -> None:
    network = models.architecture("cnn-5-7", (8, 8, 1), 10)
    chance = torch.Generator().manual_seed(1)
    x, labels = torch.randn(12, 1, 8, 8, generator=chance).double(), F.one_hot(torch.arange(12) % 10, 10).double()
    for optimizer in ("adam", "muon"):
        constants = step.Constants(network, 1, optimizer, "fp32", False, 0.0)

        def trained(seeds: list[int], constants: step.Constants = constants) -> models.Parameters:
            several = [Student("hard_labels", None, seed, 0.0, 1.0) for seed in seeds]
            one = step.Step(constants, several, models.initial_parameters(network, seeds, torch.float64), 0.01)
            for _ in range(3):
                one(x, labels, None, torch.arange(12)[None])
            return one.parameters

        together = trained([3, 4])
        for number, seed in enumerate([3, 4]):
            for key, tensor in trained([seed]).items():
                torch.testing.assert_close(together[key][number], tensor[0], rtol=1e-4, atol=1e-4)
