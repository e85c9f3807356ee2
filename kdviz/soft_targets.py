"""Soft targets: softmax at a temperature, what it says, and the loss that teaches it to a student.

The formulas of Hinton, Vinyals and Dean (2015, arXiv:1503.02531, section 2), in the paper's letters: z are a network's
logits, T the temperature, p the teacher's probabilities, q the student's. Written once over the array API, so that numpy
in the web process and torch (with gradients) in training run the same lines. Knows nothing of networks, data or pages.

Throughout, arrays have the classes on their last axis; all entropies and divergences are in nats.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import array_api_compat

from kdviz.errors import InvalidValue, quoted
from kdviz.i18n import N_

Array = Any  # numpy.ndarray or torch.Tensor: whatever array_api_compat knows

TEMPERATURE_RANGE = (0.05, 100.0)


def array_namespace(*arrays: Array) -> Any:
    """Return the module that computes with arrays of one kind. numpy's is its own, which has all that is used here: the wrapper
    imports every part of numpy for it, f2py and testing too, which takes 0.2 s of a server's start."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and all(isinstance(each, (numpy.ndarray, numpy.generic)) for each in arrays):
        return numpy
    return array_api_compat.array_namespace(*arrays)


def check_temperature(value: object) -> float:
    """Return a temperature as a float. Raises InvalidValue unless it is a number within TEMPERATURE_RANGE."""
    low, high = TEMPERATURE_RANGE
    try:
        T = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        T = math.nan
    if not low <= T <= high or isinstance(value, bool):
        sentence = N_("temperature must be a number from {low:g} to {high:g}, got {value}")
        raise InvalidValue(sentence, low=low, high=high, value=quoted(value, 40))
    return T


def log_softmax(z: Array, T: float | Array = 1.0) -> Array:
    """Return log q with q_i = exp(z_i/T) / sum_j exp(z_j/T), equation 1 of the paper.

    z: (..., classes), any real; T: > 0, a number or an array that broadcasts against z. The largest logit is subtracted
    before the division, so that no T from 0.05 to 100 overflows.
    """
    xp = array_namespace(z)
    shifted = (z - xp.max(z, axis=-1, keepdims=True)) / T
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def softmax(z: Array, T: float | Array = 1.0) -> Array:
    """Return the probabilities at temperature T: z (..., classes) -> (..., classes), each row summing to 1."""
    xp = array_namespace(z)
    return xp.exp(log_softmax(z, T))


def entropy(p: Array) -> Array:
    """Return H(p) = -sum p log p in nats, 0 for a one-hot row: p (..., classes), rows summing to 1 -> (...)."""
    xp = array_namespace(p)
    # log of 1 where p is 0, so that 0 log 0 counts as its limit, 0.
    # Subtracted from 0, not negated: a one-hot row has entropy 0.0, where -0.0 would be shown as "-0.00".
    return 0.0 - xp.sum(p * xp.log(xp.where(p > 0, p, xp.ones_like(p))), axis=-1)


def kl(log_p: Array, log_q: Array) -> Array:
    """Return KL(p || q) = sum p (log p - log q) in nats, from log-probabilities: two (..., classes) -> (...)."""
    xp = array_namespace(log_p, log_q)
    p = xp.exp(log_p)
    # A probability that underflowed to 0 contributes its limit, 0; its log may be -inf, and 0 times -inf is nan.
    gap = xp.where(p > 0, log_p - log_q, xp.zeros_like(p))
    return xp.sum(p * gap, axis=-1)


def cross_entropy(p: Array, log_q: Array) -> Array:
    """Return -sum p log q in nats, p being any distribution (soft targets, or one-hot labels): two (..., classes) -> (...)."""
    xp = array_namespace(p, log_q)
    return -xp.sum(p * log_q, axis=-1)


class LossTerms(NamedTuple):
    """The two terms of the distillation loss, each a mean over examples, weighted; `total` is their sum. Shapes (...)."""

    soft: Array
    hard: Array

    @property
    def total(self) -> Array:
        return self.soft + self.hard


def distillation_loss(
    student_logits: Array,
    soft_targets: Array,
    labels_one_hot: Array,
    T: float | Array,
    soft_weight: float | Array = 1.0,
    hard_weight: float | Array = 1.0,
) -> LossTerms:
    """Return the weighted terms: soft_weight T^2 CE(p, q at T) and hard_weight CE(labels, q at 1), means over the examples.

    student_logits: (..., examples, classes); soft_targets: the teacher's probabilities at the same T, and labels_one_hot, both
    broadcasting against it; T and the weights: numbers, or arrays (...) with one entry per student.

    The soft term carries T^2 because its gradient in the student's logits, (q - p)/T before the factor, scales as
    1/T^2 (section 2; exactly so in the limit of high T). Both means run over examples, never over classes.
    """
    xp = array_namespace(student_logits, soft_targets, labels_one_hot)
    T_of_each = T if isinstance(T, (int, float)) else T[..., None, None]
    soft = xp.mean(cross_entropy(soft_targets, log_softmax(student_logits, T_of_each)), axis=-1)
    hard = xp.mean(cross_entropy(labels_one_hot, log_softmax(student_logits)), axis=-1)
    return LossTerms(soft_weight * T**2 * soft, hard_weight * hard)


def distillation_gradient(
    p: Array, q: Array, labels_one_hot: Array, q_at_1: Array, T: float | Array, soft_weight: Array, hard_weight: Array
) -> Array:
    """Return the gradient of `distillation_loss` in the student's logits, for one example (divide by their number for the mean).

    p, q: teacher's and student's probabilities at T; q_at_1: the student's at T = 1. Every array broadcasts against the others,
    whichever axis the classes are on. Equation 2 of the paper: d CE / d z_i = (q_i - p_i) / T, times T^2.
    """
    return soft_weight * T * (q - p) + hard_weight * (q_at_1 - labels_one_hot)


def ensemble_arithmetic(z: Array, T: float = 1.0) -> Array:
    """Return the mean of the members' probabilities at T: z (members, ..., classes) -> (..., classes)."""
    xp = array_namespace(z)
    return xp.mean(softmax(z, T), axis=0)


def ensemble_geometric(z: Array, T: float = 1.0) -> Array:
    """Return the renormalised geometric mean of the members' probabilities at T, which is the softmax of their averaged logits.

    z: (members, ..., classes) -> (..., classes).
    """
    xp = array_namespace(z)
    return softmax(xp.mean(z, axis=0), T)


def ensemble_tempered(z: Array, T: float = 1.0) -> Array:
    """Return T applied to the log of the averaged T = 1 probabilities: z (members, ..., classes) -> (..., classes).

    The third way of joining members, equal to neither of the other two unless T = 1 (where it is the arithmetic mean).
    """
    xp = array_namespace(z)
    log_p = log_softmax(z)
    top = xp.max(log_p, axis=0)
    mean = xp.log(xp.mean(xp.exp(log_p - top), axis=0)) + top
    return softmax(mean, T)


def class_similarity(p: Array, labels: Array, classes: int) -> Array:
    """Return the mean soft targets of each true class: row c is what the teacher thinks, on average, of images of class c.

    p: (examples, classes) probabilities; labels: (examples,) integers -> (classes, classes), rows summing to 1, or 0 for a
    class without examples.
    """
    xp = array_namespace(p)
    member = xp.astype(labels[:, None] == xp.arange(classes, dtype=labels.dtype)[None, :], p.dtype)
    count = xp.sum(member, axis=0)
    return (member.T @ p) / xp.where(count > 0, count, xp.ones_like(count))[:, None]
