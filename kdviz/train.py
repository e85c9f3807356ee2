"""THE loop: a plan and its material in, points out. One step trains S students at once; S = 1 is no special case.

Students of one network and one transfer set are stacked on the leading axis of every parameter; each has its own initial
weights and batch order (from its seed), temperature and weights of the loss. The conditions of a seed share both. The teacher
spoke before: its logits over the transfer set are part of the material. Teachers themselves are trained here too, as one
student with hard labels and a recipe.

Reproducible: a plan, its material and the number of threads decide every point. A checkpoint holds all that
the loop knows, so that a resumed training gives the points of an undisturbed one. Knows no store and no page.
"""

from __future__ import annotations

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
from kdviz.soft_targets import kl, log_softmax
from kdviz.spec import Student
from kdviz.step import Constants, Step
from kdviz.teachers import Recipe

REST_SECONDS = 5.0
ASK_SECONDS = 0.03
NO_RECIPE = Recipe(epochs=0, batch_size=0, learning_rate=0.0)


@dataclass(frozen=True)
class Plan:
    """What to train and how. schedule: of the learning rate, `linear` falls to 0; recipe: regularisation, for teachers;
    compiled: the step as one program of the C++ compiler; evaluations: how often students are judged after the first time."""

    network: models.Architecture
    students: list[Student]
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: Literal["constant", "linear"] = "constant"
    precision: Literal["fp32", "bf16"] = "fp32"
    recipe: Recipe = NO_RECIPE
    evaluations: int = 16
    compiled: bool = False


@dataclass(frozen=True)
class Material:
    """What is learned from and judged by.

    inputs: (n, channels, height, width), the dtype of the training; labels: (n,) int64; teacher_logits: (n, classes), or
    (K, n, classes) where students learn from different ones, or None where no student is distilled. The same with test_ for the
    images that judge, which are never learned from; there the first teacher counts, (n, classes). weightings: (W, n), how much
    each image's hard label weighs to a student with that emphasis, 1 on average.
    """

    inputs: Tensor
    labels: Tensor
    teacher_logits: Tensor | None
    test_inputs: Tensor
    test_labels: Tensor
    test_teacher_logits: Tensor | None
    weightings: Tensor | None = None

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
    """All students at one step. test_logits: (S, n, classes); checkpoint: makes the bytes to resume from; seconds: of training.

    parameters and checkpoint() are the training's own and move on with it: read them before asking for the next evaluation.
    """

    step: int
    steps: int
    points: list[Point]
    test_logits: Tensor
    parameters: models.Parameters
    checkpoint: Callable[[], bytes]
    seconds: float


@dataclass(frozen=True)
class Rest:
    """A training between two evaluations, nobody judged: it says how far it is, and can be taken up from here."""

    step: int
    steps: int
    checkpoint: Callable[[], bytes]
    seconds: float


def steps_of(images: int, batch_size: int, epochs: int) -> tuple[int, int]:
    """Return (steps an epoch, steps in all); the last batch of an epoch may be smaller."""
    each = math.ceil(images / batch_size)
    return each, each * epochs


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """Return the steps after which students are judged: before the first, soon after it, ever more rarely, and at the end."""
    return sorted({0, *(max(1, round(steps * (k / evaluations) ** 2)) for k in range(1, evaluations + 1))})


def learning_rate_scale(plan: Plan, epoch: float) -> float:
    """Return what the learning rate is multiplied by after so many epochs: 1, or falling evenly to 0, once or twice."""
    if plan.schedule == "constant":
        return 1.0
    restart = plan.recipe.restart
    if restart and epoch >= restart:
        return 0.5 * (plan.epochs - epoch) / (plan.epochs - restart)
    return 1 - epoch / (restart or plan.epochs)


def side_by_side(students: list[Student]) -> tuple[list[int], int]:
    """Return the order in which students are stacked, those of a seed together, and in how many groups of one batch order."""
    order = sorted(range(len(students)), key=lambda number: students[number].seed)
    seeds = [student.seed for student in students]
    counts = {seeds.count(seed) for seed in seeds}
    return order, len(set(seeds)) if len(counts) == 1 else len(students)


def batch_order(seed: int, epoch: int, images: int) -> Tensor:
    """Return the order in which a student of this seed sees the images in an epoch (from 0)."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch + 1))


def train(
    plan: Plan,
    material: Material,
    checkpoint: bytes | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation | Rest]:
    """Train all students of a plan, yielding at every evaluation and, where those are far apart, a Rest between them.

    checkpoint: of an earlier Evaluation or Rest of the same plan. should_stop is asked between steps, at most every 0.03 s; it
    may sleep, which is no training. Where it says yes, the iteration ends early, with a Rest.
    """
    device, dtype = material.inputs.device, material.inputs.dtype
    network, recipe = plan.network, plan.recipe
    stacked, groups = side_by_side(plan.students)
    students = [plan.students[number] for number in stacked]
    back = torch.tensor(stacked, device=device).argsort()
    seeds = [student.seed for student in students[:: len(students) // groups]]
    count = len(material.labels)
    per_epoch, steps = steps_of(count, plan.batch_size, plan.epochs)
    judged = set(evaluation_steps(steps, plan.evaluations))

    parameters = models.initial_parameters(network, [student.seed for student in students], dtype)
    parameters = {key: tensor.to(device) for key, tensor in parameters.items()}
    # Draws of the regularisation (dropout, jitter); the order of the batches has its own generator, remade every epoch.
    generator = torch.Generator().manual_seed(students[0].seed + 1)
    distilled = material.teacher_logits is not None and any(student.temperature is not None for student in students)
    constants = Constants(network, groups, plan.optimizer, plan.precision, distilled, recipe.max_norm)
    full = min(plan.batch_size, count) if plan.compiled else None
    weightings = None if material.weightings is None else material.weightings.to(dtype)
    step = Step(constants, students, parameters, plan.learning_rate, recipe, generator, full, weightings)
    windows = _windows(material.inputs, recipe)
    one_hot = torch.nn.functional.one_hot(material.labels, network.classes).to(dtype)
    teacher = material.teacher_logits if distilled else None
    if teacher is not None and teacher.ndim == 2:
        teacher = teacher[None]

    seconds, since = 0.0, 0
    if checkpoint is not None:
        seconds, since = _restore(checkpoint, step, generator)

    def judge() -> Evaluation:
        same_order = stacked == sorted(stacked)
        current = {key: tensor if same_order else tensor[back] for key, tensor in step.parameters.items()}
        test_logits = models.logits(network, current, material.test_inputs)
        losses = (step.sums[:, back] / since).tolist() if since else None
        points = _points(test_logits, material, step.taken, step.taken / per_epoch, seconds, losses)
        return Evaluation(step.taken, steps, points, test_logits, current, keep, seconds)

    def keep() -> bytes:
        return _checkpoint(step, generator, seconds, since)

    if checkpoint is None or step.taken == steps:  # a training taken up at its very end still says how it ended
        yield judge()
    order = torch.empty(0)
    clock = asked = rested = time.perf_counter()
    while step.taken < steps:
        epoch, within = divmod(step.taken, per_epoch)
        if within == 0 or len(order) == 0:
            order = torch.stack([batch_order(seed, epoch, count) for seed in seeds]).to(device)
        batch = order[:, within * plan.batch_size : (within + 1) * plan.batch_size]
        scale = learning_rate_scale(plan, step.taken / per_epoch)
        images = material.inputs if windows is None else _altered(windows, batch, epoch, recipe, generator)
        labels = one_hot
        if recipe.cutmix and windows is not None:
            images, labels = _mixed(images, one_hot[batch], recipe.cutmix, generator)
        step(images, labels, teacher, batch, scale)
        since += 1

        if step.taken in judged:
            now = time.perf_counter()
            seconds += now - clock
            judged_now = judge()
            step.sums.zero_()
            since = 0
            yield judged_now
            clock = rested = time.perf_counter()
        if (now := time.perf_counter()) - asked > ASK_SECONDS:
            seconds += now - clock
            stopping = should_stop()
            asked = clock = time.perf_counter()
            if stopping or now - rested > REST_SECONDS:
                yield Rest(step.taken, steps, keep, seconds)
                clock = rested = time.perf_counter()
            if stopping:
                return


def _windows(inputs: Tensor, recipe: Recipe) -> Tensor | None:
    """Return a view (n, 2 jitter + 1, 2 jitter + 1, channels, height, width) of every shift of every image, or None."""
    jitter = min(recipe.jitter, min(inputs.shape[-2:]) // 4)
    if not (jitter or recipe.flip or recipe.cutout or recipe.cutmix):
        return None
    height, width = inputs.shape[-2:]
    if inputs.shape[1] == 1:  # pictures of ink are surrounded by their own background, the value of the darkest pixel
        padded = torch.nn.functional.pad(inputs, [jitter] * 4, value=float(inputs.min()))
    else:  # photographs have none
        padded = torch.nn.functional.pad(inputs, [jitter] * 4, mode="reflect")
    return padded.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)


def _altered(windows: Tensor, batch: Tensor, epoch: int, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return the images of a batch (G, b), each shifted by its own whole number of pixels in both directions.

    flip: half of the images are mirrored in even epochs, the other half in odd ones, so that every image is seen either way as
    often (arXiv:2404.00498). cutout: a square, anywhere on the image, becomes the training images' mean (arXiv:1708.04552).
    """
    down, right = torch.randint(windows.shape[1], (2, *batch.shape), generator=generator).to(batch.device)
    images = windows[batch, down, right]
    if recipe.flip:
        turned = (batch * 2_654_435_761 // 65_536 + epoch) % 2 == 1  # Knuth's multiplicative hash: any fixed half will do
        images = torch.where(turned[..., None, None, None], images.flip(-1), images)
    if recipe.cutout:
        height, width = images.shape[-2:]
        side, covered = min(recipe.cutout, min(height, width) // 4), []
        for size in (height, width):
            first = torch.randint(1 - side, size, batch.shape, generator=generator).to(batch.device)[..., None]
            place = torch.arange(size, device=batch.device)
            covered.append((place >= first) & (place < first + side))
        images = images.masked_fill((covered[0][..., :, None] & covered[1][..., None, :])[:, :, None], 0.0)
    return images


def _mixed(images: Tensor, labels: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a batch's images (G, b, channels, height, width) and labels (G, b, classes), a share of them mixed: CutMix.

    A rectangle, its area uniform in 0..1 and its centre anywhere, shows the next image of the batch, which is a random one; the
    label is divided as the area that is seen is (arXiv:1905.04899).
    """
    height, width = images.shape[-2:]
    chosen, area, down, right = torch.rand((4, *images.shape[:2]), generator=generator).to(images.device)
    root = torch.where(chosen < share, area, 0.0).sqrt()
    covered = []
    for size, centre in ((height, down), (width, right)):
        half = (root * size / 2).round()[..., None]
        place = torch.arange(size, device=images.device) - (centre * size).floor()[..., None]
        covered.append((place >= -half) & (place < half))
    of_next = covered[0][..., :, None] & covered[1][..., None, :]
    seen = of_next.to(labels.dtype).mean((2, 3))[..., None]
    images = torch.where(of_next[:, :, None], images.roll(1, 1), images)
    return images, labels.lerp(labels.roll(1, 1), seen)


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


def _checkpoint(step: Step, generator: torch.Generator, seconds: float, since: int) -> bytes:
    tensors = {f"parameter/{key}": tensor for key, tensor in step.parameters.items()}
    for number, moments in enumerate(step.moments):
        tensors |= {f"moment{number}/{key}": tensor for key, tensor in moments.items()}
    tensors |= {"generator": generator.get_state(), "sums": step.sums}
    tensors = {key: tensor.contiguous().cpu() for key, tensor in tensors.items()}
    return safetensors.torch.save(tensors, {"position": json.dumps({"step": step.taken, "seconds": seconds, "since": since})})


def position(checkpoint: bytes) -> tuple[int, float]:
    """Return the step that a checkpoint was made at, and the seconds of training until then."""
    where = _position(checkpoint)
    return where["step"], where["seconds"]


def _position(checkpoint: bytes) -> dict[str, Any]:
    header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
    found: dict[str, Any] = json.loads(header["__metadata__"]["position"])
    return found


def _restore(checkpoint: bytes, step: Step, generator: torch.Generator) -> tuple[float, int]:
    """Put a checkpoint's tensors in place; return the seconds of training so far, and the steps since the last evaluation."""
    tensors = safetensors.torch.load(checkpoint)
    for kind, kept in [("parameter", step.parameters), *((f"moment{n}", moments) for n, moments in enumerate(step.moments))]:
        for key, tensor in kept.items():
            tensor.copy_(tensors[f"{kind}/{key}"])
    generator.set_state(tensors["generator"])
    where = _position(checkpoint)
    if "sums" in tensors:  # kdviz before it rested between evaluations kept none
        step.sums.copy_(tensors["sums"])
    step.taken = where["step"]
    return where["seconds"], where.get("since", 0)
