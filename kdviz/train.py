"""THE loop: a plan and its material in, points out. One step trains S students at once; S = 1 is no special case.

Students are stacked on the leading axis of every parameter and see the same batches in the same order; each has its own
initial weights (from its seed), temperature and weights of the loss. The teacher spoke before: its logits over the transfer
set are part of the material. Teachers themselves are trained here too, as one student with hard labels and a recipe.

Reproducible: a plan, its material, the precision and the number of threads decide every point. A checkpoint holds all that
the loop knows, so that a resumed training gives the points of an undisturbed one. Knows no store and no page.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from kdviz import models
from kdviz.soft_targets import distillation_loss, kl, log_softmax, softmax
from kdviz.spec import Student
from kdviz.teachers import Recipe

NO_RECIPE = Recipe(epochs=0, batch_size=0, learning_rate=0.0)


@dataclass(frozen=True)
class Plan:
    """What to train and how. schedule: of the learning rate, `linear` falls to 0; recipe: regularisation, for teachers."""

    network: models.Architecture
    students: list[Student]
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: Literal["constant", "linear"] = "constant"
    precision: Literal["fp32", "bf16"] = "fp32"
    recipe: Recipe = NO_RECIPE
    order_seed: int = 0
    evaluations: int = 16


@dataclass(frozen=True)
class Material:
    """What is learned from and judged by.

    inputs: (n, channels, height, width), the dtype of the training; labels: (n,) int64; teacher_logits: (n, classes), or None
    where no student is distilled. The same with test_ for the images that judge, which are never learned from.
    """

    inputs: Tensor
    labels: Tensor
    teacher_logits: Tensor | None
    test_inputs: Tensor
    test_labels: Tensor
    test_teacher_logits: Tensor | None

    def to(self, device: torch.device | str) -> Material:
        moved: list[Any] = [tensor if tensor is None else tensor.to(device) for tensor in vars(self).values()]
        return Material(*moved)


@dataclass(frozen=True)
class Point:
    """One student at one evaluation. accuracy, agreement: 0..1; kl: KL(teacher || student) at T = 1, nats, mean over images;
    the losses: the weighted terms, means over the steps since the evaluation before; seconds: of training so far."""

    student: int
    step: int
    epoch: float
    accuracy: float
    errors: int
    agreement: float | None
    kl: float | None
    loss_soft: float | None
    loss_hard: float | None
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """All students at one step. test_logits: (S, n, classes); checkpoint: makes the bytes to resume from.

    parameters and checkpoint() are the training's own and move on with it: read them before asking for the next evaluation.
    """

    step: int
    steps: int
    points: list[Point]
    test_logits: Tensor
    parameters: models.Parameters
    checkpoint: Callable[[], bytes]


def steps_of(images: int, batch_size: int, epochs: int) -> tuple[int, int]:
    """Return (steps an epoch, steps in all); the last batch of an epoch may be smaller."""
    each = math.ceil(images / batch_size)
    return each, each * epochs


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """Return the steps after which students are judged: before the first, then evenly, the last included."""
    return sorted({0, *(round(steps * k / evaluations) for k in range(1, evaluations + 1))})


def train(
    plan: Plan,
    material: Material,
    checkpoint: bytes | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Train all students of a plan, yielding at every evaluation. checkpoint: of an earlier Evaluation of the same plan.

    should_stop is asked between steps, at most every 0.1 s; where it says yes, the iteration ends early.
    """
    device = material.inputs.device
    network, students, recipe = plan.network, plan.students, plan.recipe
    images, classes = len(material.labels), network.classes
    per_epoch, steps = steps_of(images, plan.batch_size, plan.epochs)
    judged = set(evaluation_steps(steps, plan.evaluations))

    dtype = material.inputs.dtype
    parameters = models.initial_parameters(network, [student.seed for student in students], dtype)
    parameters = {key: tensor.to(device).requires_grad_() for key, tensor in parameters.items()}
    optimizer = _optimizer(plan, parameters)
    # Draws of the regularisation (dropout, jitter); the order of the batches has its own generator, remade every epoch.
    generator = torch.Generator().manual_seed(plan.order_seed + 1)
    dropout = None
    if recipe.dropout_inputs or recipe.dropout_hidden:
        dropout = models.Dropout(recipe.dropout_inputs, recipe.dropout_hidden, generator)
    windows = _windows(material.inputs, recipe.jitter)

    one_hot = torch.nn.functional.one_hot(material.labels, classes).to(dtype)
    temperatures = torch.tensor([student.temperature or 1.0 for student in students], dtype=dtype, device=device)
    soft_weights = torch.tensor([student.soft_weight for student in students], dtype=dtype, device=device)
    hard_weights = torch.tensor([student.hard_weight for student in students], dtype=dtype, device=device)
    soft_targets, which = _soft_targets(material, students, one_hot)

    step, seconds = 0, 0.0
    sums = torch.zeros(2, len(students), dtype=torch.float64, device=device)  # of the soft and the hard term
    since = 0
    if checkpoint is not None:
        step, seconds = _restore(checkpoint, parameters, optimizer, generator)

    def judge() -> Evaluation:
        current = {key: tensor.detach() for key, tensor in parameters.items()}
        test_logits = models.logits(network, current, material.test_inputs)
        points = _points(test_logits, material, step, step / per_epoch, seconds, (sums / since).tolist() if since else None)
        return Evaluation(
            step, steps, points, test_logits, current, lambda: _checkpoint(parameters, optimizer, generator, step, seconds)
        )

    if checkpoint is None or step == steps:  # a training taken up at its very end still says how it ended
        yield judge()
    order = torch.empty(0)
    clock = asked = time.perf_counter()
    while step < steps:
        epoch, within = divmod(step, per_epoch)
        if within == 0 or len(order) == 0:
            order = torch.randperm(images, generator=torch.Generator().manual_seed(_mix(plan.order_seed, epoch))).to(device)
        batch = order[within * plan.batch_size : (within + 1) * plan.batch_size]

        if plan.schedule == "linear":
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate * (1 - step / steps)
        x = material.inputs[batch] if windows is None else _jittered(windows, batch, generator)
        with _precision(plan.precision, device):
            logits = models.forward(network, parameters, x, dropout)
        soft, hard = distillation_loss(
            logits.to(dtype), soft_targets[:, batch][which], one_hot[batch], temperatures, soft_weights, hard_weights
        )
        # The students share no parameter, so the gradient of the sum is each student's own.
        optimizer.zero_grad(set_to_none=True)
        (soft + hard).sum().backward()
        optimizer.step()
        if recipe.max_norm:
            _constrain(network, parameters, recipe.max_norm)
        sums[0] += soft.detach()
        sums[1] += hard.detach()
        since += 1
        step += 1

        if step in judged:
            now = time.perf_counter()
            seconds += now - clock
            yield judge()
            sums.zero_()
            since = 0
            clock = time.perf_counter()
        if (now := time.perf_counter()) - asked > 0.1:
            asked = now
            if should_stop():
                return


def _mix(seed: int, epoch: int) -> int:
    return seed * 1_000_003 + epoch + 1


def _optimizer(plan: Plan, parameters: models.Parameters) -> torch.optim.Optimizer:
    """Return the optimizer over stacked parameters: both kinds work element by element, so students do not touch."""
    tensors = list(parameters.values())
    if plan.optimizer == "sgd":
        return torch.optim.SGD(tensors, lr=plan.learning_rate, momentum=0.9, fused=True)
    return torch.optim.Adam(tensors, lr=plan.learning_rate, fused=True)


def _precision(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def _soft_targets(material: Material, students: list[Student], one_hot: Tensor) -> tuple[Tensor, Tensor]:
    """Return the teacher's answers at each temperature used, (K, n, classes), and which of them each student learns from (S,)."""
    used = sorted({student.temperature for student in students if student.temperature is not None})
    if not used or material.teacher_logits is None:
        return one_hot[None], torch.zeros(len(students), dtype=torch.int64, device=one_hot.device)
    answers = torch.stack([softmax(material.teacher_logits.to(one_hot.dtype), T) for T in used])
    which = [used.index(student.temperature) if student.temperature is not None else 0 for student in students]
    return answers, torch.tensor(which, device=one_hot.device)


def _windows(inputs: Tensor, jitter: int) -> Tensor | None:
    """Return a view (n, 2 jitter + 1, 2 jitter + 1, channels, height, width) of every shift of every image, or None."""
    if not jitter:
        return None
    height, width = inputs.shape[-2:]
    # Images are surrounded by their own background, the value of the darkest pixel.
    padded = torch.nn.functional.pad(inputs, [jitter] * 4, value=float(inputs.min()))
    return padded.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)


def _jittered(windows: Tensor, batch: Tensor, generator: torch.Generator) -> Tensor:
    """Return the images of a batch, each shifted by its own whole number of pixels in both directions."""
    down, right = torch.randint(windows.shape[1], (2, len(batch)), generator=generator).to(batch.device)
    return windows[batch, down, right]


@torch.no_grad()
def _constrain(network: models.Architecture, parameters: models.Parameters, max_norm: float) -> None:
    """Scale back each hidden unit whose incoming weights are longer than max_norm."""
    for number in range(len(network.layers) - 1):
        weight = parameters[f"{number}.weight"]
        lengths = weight.flatten(2).norm(dim=2, keepdim=True).view(*weight.shape[:2], *[1] * (weight.ndim - 2))
        weight.mul_((max_norm / lengths.clamp_min(max_norm)).to(weight.dtype))


def _points(
    test_logits: Tensor, material: Material, step: int, epoch: float, seconds: float, losses: list[list[float]] | None
) -> list[Point]:
    images = len(material.test_labels)
    answers = test_logits.argmax(-1)
    right = (answers == material.test_labels).sum(-1).tolist()
    agreement = divergence = None
    if material.test_teacher_logits is not None:
        agreement = (answers == material.test_teacher_logits.argmax(-1)).double().mean(-1).tolist()
        log_p = log_softmax(material.test_teacher_logits.double())
        divergence = kl(log_p[None], log_softmax(test_logits.double())).mean(-1).tolist()
    return [
        Point(
            student=s,
            step=step,
            epoch=epoch,
            accuracy=right[s] / images,
            errors=images - right[s],
            agreement=agreement[s] if agreement else None,
            kl=divergence[s] if divergence else None,
            loss_soft=losses[0][s] if losses else None,
            loss_hard=losses[1][s] if losses else None,
            seconds=seconds,
        )
        for s in range(len(right))
    ]


def _checkpoint(
    parameters: models.Parameters,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    step: int,
    seconds: float,
) -> bytes:
    tensors = {f"parameter/{key}": tensor.detach() for key, tensor in parameters.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{key}": value for key, value in state.items() if torch.is_tensor(value)}
    tensors["generator"] = generator.get_state()
    tensors = {key: tensor.contiguous().cpu() for key, tensor in tensors.items()}
    return safetensors.torch.save(tensors, {"position": json.dumps({"step": step, "seconds": seconds})})


def _restore(
    checkpoint: bytes,
    parameters: models.Parameters,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> tuple[int, float]:
    """Put a checkpoint's tensors in place and return (step, seconds)."""
    tensors = safetensors.torch.load(checkpoint)
    header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
    position = json.loads(header["__metadata__"]["position"])
    with torch.no_grad():
        for key, tensor in parameters.items():
            tensor.copy_(tensors[f"parameter/{key}"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer/"):
            _, number, name = key.split("/")
            state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    generator.set_state(tensors["generator"])
    return position["step"], position["seconds"]
