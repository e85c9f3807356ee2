"""One step of training for S students at once: forward, loss, gradient, update; eager, or compiled into one program.

Everything is stacked on a leading axis of S; students of one batch order stand side by side, so that their first layer is one
product (kdviz.models.forward). Dense networks have their gradient written out, by the chain rule from the logits down: in
eager execution that is four times the speed of autograd (ten students 30-30 on digits: 0.45 ms a step, not 1.8), and it leaves
one plain graph to compile. Networks with convolutions use autograd. Knows no data set, no schedule and no store.

Adam: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. Muon: Jordan et al. 2024, as torch.optim.Muon has it, for the weights of
normalised convolutions, whose length is held; Adam for what is left. Each student may have its own temperature, weights, targets
and learning rate.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.optim._muon import muon
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from kdviz import misconceptions, models
from kdviz.soft_targets import distillation_gradient
from kdviz.spec import Student
from kdviz.teachers import Recipe

log = logging.getLogger("kdviz.step")

BETAS, EPSILON, MOMENTUM = (0.9, 0.999), 1e-8, 0.9
MUON_MOMENTUM, ADAM_OF_MUON = 0.6, 0.01
"""Muon's momentum, that of airbench94_muon; and what Adam's learning rate beside it is of Muon's."""


@dataclass(frozen=True)
class Constants:
    """What a step is made of beside tensors that change; compiled programs are made for one of these.

    groups: of students that see the same batch; precision: of the products, fp32 or bf16 (parameters and updates keep theirs).
    """

    network: models.Architecture
    groups: int
    optimizer: str
    precision: str
    distilled: bool
    max_norm: float


@dataclass(frozen=True)
class Knobs:
    """Each student's own, (S, 1, 1): temperature, both weights, learning rate; targets: (S,) whose answers it learns, or None.

    of_softmaxes: (S, 1, 1) whose loss is that of kdviz.misconceptions, or None; the soft weight has its factor already.
    emphasis: (S,) which row of `weightings` (W, n) says how much each image's hard label weighs, both None where all weigh alike.
    """

    temperature: Tensor
    soft_weight: Tensor
    hard_weight: Tensor
    learning_rate: Tensor
    targets: Tensor | None
    emphasis: Tensor | None = None
    weightings: Tensor | None = None
    of_softmaxes: Tensor | None = None


def knobs(
    students: list[Student], classes: int, learning_rate: float, dtype: torch.dtype, device: torch.device,
    weightings: Tensor | None = None,
) -> Knobs:  # fmt: skip
    """weightings: (W, n), of the images of the transfer set, for those students that have an emphasis."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)[:, None, None]

    def soft(of: Student) -> float:
        if of.soft_weight == 0 or of.temperature is None:
            return of.soft_weight
        return of.soft_weight * misconceptions.factor(of.loss, of.temperature, of.soft_weight, of.hard_weight, classes)

    of_softmaxes = [student.loss == misconceptions.OF_SOFTMAXES for student in students]
    several = any(student.targets for student in students)
    emphasis = None
    if any(student.emphasis is not None for student in students):
        assert weightings is not None
        weightings = torch.cat([torch.ones_like(weightings[:1]), weightings])  # the first is for those without an emphasis
        rows = [0 if student.emphasis is None else 1 + student.emphasis for student in students]
        emphasis = torch.tensor(rows, device=device)
    return Knobs(
        temperature=column([student.temperature or 1.0 for student in students]),
        soft_weight=column([soft(student) for student in students]),
        hard_weight=column([student.hard_weight for student in students]),
        learning_rate=column([student.learning_rate or learning_rate for student in students]),
        targets=torch.tensor([student.targets for student in students], device=device) if several else None,
        emphasis=emphasis,
        weightings=None if emphasis is None else weightings,
        of_softmaxes=torch.tensor(of_softmaxes, device=device)[:, None, None] if any(of_softmaxes) else None,
    )


class Step:
    """S students in training. `parameters` are theirs, `moments` the optimizer's, `sums` the loss by term since it was zeroed."""

    def __init__(
        self,
        constants: Constants,
        students: list[Student],
        parameters: models.Parameters,
        learning_rate: float,
        recipe: Recipe | None = None,
        generator: torch.Generator | None = None,
        compiled_for: int | None = None,
        weightings: Tensor | None = None,
    ) -> None:
        """parameters: stacked, students of one batch order side by side; generator: of dropout's draws; weightings: see Knobs.

        compiled_for: the size of batch for which the step is compiled, None for none. The last batch of an epoch may be smaller:
        a program of its own would cost more than it saves.
        """
        first = parameters["0.bias"]
        self.constants, self.parameters, self.compiled_for = constants, parameters, compiled_for
        self.knobs = knobs(students, constants.network.classes, learning_rate, first.dtype, first.device, weightings)
        self.rates = [student.learning_rate or learning_rate for student in students]
        kinds = 1 if constants.optimizer == "sgd" else 2
        self.learned = models.learned(parameters)
        self.moments = [{key: torch.zeros_like(parameters[key]) for key in self.learned} for _ in range(kinds)]
        filters = [f"{number}.weight" for number, layer in enumerate(constants.network.layers) if layer.norm]
        self.filters = filters if constants.optimizer == "muon" else []
        self.sums = torch.zeros(2, len(students), dtype=torch.float64, device=first.device)
        self.taken = 0
        self.dropout = None
        if recipe is not None and generator is not None and (recipe.dropout_inputs or recipe.dropout_hidden):
            self.dropout = models.Dropout(recipe.dropout_inputs, recipe.dropout_hidden, generator)

    def __call__(self, images: Tensor, labels: Tensor, teacher: Tensor | None, batch: Tensor, scale: float = 1.0) -> None:
        """Take one step.

        images: (n, channels, height, width), labels: (n, classes) one-hot, teacher: (K, n, classes) logits or None, all of the
        transfer set; batch: (G, b), the numbers of those to learn from. images and labels may also be the batch's own, altered
        ones, (G, b, channels, height, width) and (G, b, classes). scale: multiplies every learning rate.
        """
        self.taken += 1
        c = self.constants
        size = batch.shape[1]
        drawn = None
        if self.dropout is not None:
            drawn = self.dropout.draw(models.units(c.network, len(self.rates), c.groups, size))
        if size == self.compiled_for:
            # Learning rate and bias corrections change at every step: as tensors, so that the program need not.
            rate, correction = _corrections(c.optimizer, self.taken)
            changing = torch.tensor([scale * rate, correction], dtype=self.knobs.temperature.dtype)
            try:
                _compiled()(c, self.parameters, self.moments, self.sums, self.knobs, images, labels, teacher, batch,
                            self.dropout, drawn, changing)  # fmt: skip
                return
            except (torch._dynamo.exc.TorchDynamoException, OSError) as error:
                # A compiler that is there but does not work: nothing has been computed yet, and eager execution does the same.
                log.warning("the step cannot be compiled here (%s); going on without", " ".join(str(error).split())[:200])
                self.compiled_for = None
        gradients = _gradients(c, self.parameters, self.sums, self.knobs, images, labels, teacher, batch, self.dropout, drawn)
        with torch.no_grad():
            self._update(gradients, scale)
        if c.max_norm:
            constrain(c.network, self.parameters, c.max_norm)

    def _update(self, gradients: models.Parameters, scale: float) -> None:
        """Update by torch.optim's fused kernels, once for each learning rate."""
        if self.constants.optimizer == "muon":
            self._turn_filters(gradients, scale)
            scale *= ADAM_OF_MUON
        rest = [key for key in self.learned if key not in self.filters]
        everyone = range(len(self.rates))
        for rate in dict.fromkeys(self.rates):
            theirs = [number for number in everyone if self.rates[number] == rate]

            def of(tensors: models.Parameters, theirs: list[int] = theirs) -> list[Tensor]:
                if len(theirs) == len(everyone):
                    return [tensors[key] for key in rest]
                return [tensors[key][number] for key in rest for number in theirs]

            if self.constants.optimizer == "sgd":
                momenta: list[Tensor | None] = [*of(self.moments[0])]
                sgd(
                    of(self.parameters), of(gradients), momenta, lr=rate * scale, momentum=MOMENTUM,
                    weight_decay=0.0, dampening=0.0, nesterov=False, maximize=False, fused=True,
                )  # fmt: skip
                continue
            parameters = of(self.parameters)
            adam(
                parameters, of(gradients), of(self.moments[0]), of(self.moments[1]), [],
                [torch.tensor(self.taken - 1.0, device=p.device) for p in parameters],
                lr=rate * scale, beta1=BETAS[0], beta2=BETAS[1], weight_decay=0.0, eps=EPSILON,
                amsgrad=False, maximize=False, fused=True,
            )  # fmt: skip

    def _turn_filters(self, gradients: models.Parameters, scale: float) -> None:
        """Update the weights of normalised convolutions by Muon, a matrix (filters, inputs) a student and layer.

        Their length means nothing, being divided out, but it would set how far a step turns them; so it is held.
        """
        for key in self.filters:
            for number, rate in enumerate(self.rates):
                weight, gradient, moment = (of[key][number].flatten(1) for of in (self.parameters, gradients, self.moments[0]))
                weight.mul_(len(weight) ** 0.5 / weight.norm())
                muon(
                    [weight], [gradient], [moment], lr=rate * scale, weight_decay=0.0, momentum=MUON_MOMENTUM, nesterov=True,
                    ns_coefficients=(3.4445, -4.775, 2.0315), ns_steps=5, eps=1e-7, adjust_lr_fn="original", has_complex=False,
                )  # fmt: skip


def _corrections(optimizer: str, taken: int) -> tuple[float, float]:
    """Return Adam's corrections of its moments' bias after so many steps: factors of the learning rate and of sqrt(v)."""
    if optimizer == "sgd":
        return 1.0, 1.0
    return 1 / (1 - BETAS[0] ** taken), (1 - BETAS[1] ** taken) ** -0.5


@lru_cache
def _compiled() -> Callable[..., None]:
    # Each network is a program of its own, whatever was compiled before in this process.
    return torch.compile(_whole, dynamic=False, fullgraph=True, recompile_limit=1000)  # type: ignore[call-overload,no-any-return]


@torch.no_grad()
def _whole(
    c: Constants, parameters: models.Parameters, moments: list[models.Parameters], sums: Tensor, knobs: Knobs, images: Tensor,
    labels: Tensor, teacher: Tensor | None, batch: Tensor, dropout: Any, drawn: Any, changing: Tensor,
) -> None:  # fmt: skip
    """The whole step in one graph: the same gradient, and the update in plain arithmetic, which the compiler joins to it."""
    gradients = _gradients(c, parameters, sums, knobs, images, labels, teacher, batch, dropout, drawn)
    for key, gradient in gradients.items():
        parameter = parameters[key]
        rate = (knobs.learning_rate * changing[0]).view(-1, *[1] * (parameter.ndim - 1))
        if c.optimizer == "sgd":
            momentum = moments[0][key].mul_(MOMENTUM).add_(gradient)
            parameter.sub_(rate * momentum)
            continue
        first = moments[0][key].lerp_(gradient, 1 - BETAS[0])
        second = moments[1][key].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        parameter.sub_(rate * first / (second.sqrt() * changing[1] + EPSILON))
    if c.max_norm:
        constrain(c.network, parameters, c.max_norm)


def _gradients(
    c: Constants, parameters: models.Parameters, sums: Tensor, knobs: Knobs, images: Tensor, labels: Tensor,
    teacher: Tensor | None, batch: Tensor, dropout: Any, drawn: Any,
) -> models.Parameters:  # fmt: skip
    """Return the gradient of every parameter of every student, adding the loss by term to sums.

    The students share no parameter, so the gradient of the sum of their losses is each student's own.
    """
    students = knobs.temperature.shape[0]
    if c.distilled and teacher is not None:
        if knobs.targets is None:
            teacher = teacher[0][batch]
        else:
            teacher = teacher[knobs.targets[:, None], batch.repeat_interleave(students // c.groups, 0)]
    if labels.ndim == 2:
        labels = labels[batch]
    hard_weight = knobs.hard_weight
    if knobs.weightings is not None and knobs.emphasis is not None:
        weighting = knobs.weightings[knobs.emphasis[:, None], batch.repeat_interleave(students // c.groups, 0)]
        hard_weight = hard_weight * weighting[:, None]
    if images.ndim == 4:
        images = images.index_select(0, batch.flatten()).view(*batch.shape, *images.shape[1:])  # half the time of images[batch]
    if c.network.convolutional:
        return _by_autograd(c, parameters, sums, knobs, images, labels, teacher, hard_weight, dropout, drawn)
    with torch.no_grad():
        low = torch.bfloat16 if c.precision == "bf16" else images.dtype
        used = {key: tensor.to(low) for key, tensor in parameters.items()}
        hidden: list[Tensor] = []
        images = images.to(low)
        if dropout is not None:
            images = dropout(images, drawn[0], 0)
            drawn = [None, *drawn[1:]]
        logits = models.forward(c.network, used, images, dropout, drawn, hidden).mT.to(parameters["0.bias"].dtype)
        delta = _loss(
            c, sums, knobs, logits, labels, teacher, hard_weight
        )  # (S, classes, batch), and up the layers (S, units, batch)
        gradients = {}
        for number in range(len(c.network.layers) - 1, -1, -1):
            gradients[f"{number}.bias"] = delta.sum(2)
            delta = delta.to(low)
            if number == 0:
                weight = torch.bmm(delta.view(c.groups, -1, delta.shape[2]), images.flatten(2))
                gradients["0.weight"] = weight.view(students, -1, weight.shape[2]).to(logits.dtype)
                break
            below = hidden[number - 1]
            gradients[f"{number}.weight"] = torch.bmm(delta, below.mT).to(logits.dtype)
            # ReLU lets through where it was above 0; what dropout zeroed is not, and what it kept was scaled up.
            delta = torch.ops.aten.threshold_backward(torch.bmm(used[f"{number}.weight"].mT, delta), below, 0)
            if dropout is not None and drawn[number] is not None:
                delta = delta * (256 / (256 - dropout.threshold(number)))
            delta = delta.to(logits.dtype)
    return gradients


def _loss(
    c: Constants, sums: Tensor, knobs: Knobs, logits: Tensor, labels: Tensor, teacher: Tensor | None, hard_weight: Tensor
) -> Tensor:
    """Return the gradient in the logits, (S, classes, batch), of the mean loss over the batch; add the loss by term to sums.

    labels: (G, batch, classes); teacher: logits (G, batch, classes), or (S, batch, classes), or None; hard_weight: (S, 1, 1), or
    (S, 1, batch) where images weigh differently.
    """
    students, classes, batch = logits.shape

    def each(of: Tensor) -> Tensor:
        """(G or S, batch, classes) -> (S, classes, batch)."""
        of = of.mT
        if of.shape[0] == students:
            return of
        return of[:, None].expand(-1, students // of.shape[0], -1, -1).reshape(students, classes, batch)

    y = each(labels)
    log_q_at_1 = torch.log_softmax(logits, 1)
    sums[1].sub_((y * log_q_at_1 * hard_weight).sum((1, 2)) / batch)
    if teacher is None or not c.distilled:
        return (log_q_at_1.exp() - y) * (hard_weight / batch)
    T = knobs.temperature
    p = torch.softmax(each(teacher).to(logits.dtype) / T, 1)
    log_q = torch.log_softmax(logits / T, 1)
    q, q_at_1 = log_q.exp(), log_q_at_1.exp()
    loss = -p * log_q
    if knobs.of_softmaxes is not None:
        # The gradient of the mean of (q - p)^2 over the classes is 2/classes q (gap - sum q gap) / T, where it should be gap / T.
        gap = q - p
        loss = torch.where(knobs.of_softmaxes, gap * gap / classes, loss)
        p = torch.where(knobs.of_softmaxes, q - 2 / classes * q * (gap - (q * gap).sum(1, keepdim=True)), p)
    sums[0].add_(loss.sum((1, 2)) * (knobs.soft_weight * T * T).flatten() / batch)
    delta: Tensor = distillation_gradient(p, q, y, q_at_1, T, knobs.soft_weight / batch, hard_weight / batch)
    return delta


def _by_autograd(
    c: Constants, parameters: models.Parameters, sums: Tensor, knobs: Knobs, images: Tensor, labels: Tensor,
    teacher: Tensor | None, hard_weight: Tensor, dropout: Any, drawn: Any,
) -> models.Parameters:  # fmt: skip
    """The same for networks with convolutions."""
    leaves = {key: parameters[key].detach().requires_grad_() for key in models.learned(parameters)}
    lower = c.precision == "bf16"
    with torch.autocast(images.device.type, torch.bfloat16) if lower else contextlib.nullcontext():
        logits = models.forward(c.network, {**parameters, **leaves}, images, dropout, drawn, training=True)
    logits = logits.mT.to(parameters["0.bias"].dtype)
    with torch.no_grad():
        delta = _loss(c, sums, knobs, logits.detach(), labels, teacher, hard_weight)
    return dict(zip(leaves, torch.autograd.grad(logits, list(leaves.values()), delta), strict=True))


@torch.no_grad()
def constrain(network: models.Architecture, parameters: models.Parameters, max_norm: float) -> None:
    """Scale back each hidden unit whose incoming weights are longer than max_norm."""
    for number in range(len(network.layers) - 1):
        weight = parameters[f"{number}.weight"]
        lengths = weight.flatten(2).norm(dim=2, keepdim=True).view(*weight.shape[:2], *[1] * (weight.ndim - 2))
        weight.mul_((max_norm / lengths.clamp_min(max_norm)).to(weight.dtype))
