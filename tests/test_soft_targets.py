"""The formulas against scipy and torch.nn.functional, their laws, and the bugs that much-read code had."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdviz import soft_targets as kd
from kdviz.errors import InvalidValue

Make = Callable[[Any], Any]


def torch_double(values: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float64)


both = pytest.mark.parametrize("make", [np.asarray, torch_double], ids=["numpy", "torch"])
temperatures = st.floats(*kd.TEMPERATURE_RANGE)
TEMPERATURES = [0.05, 0.5, 1.0, 4.0, 20.0, 100.0]


def logits(largest: float, rows: int = 3) -> st.SearchStrategy[np.ndarray]:
    """Arrays (rows, 2 to 12 classes) of float64 within +-largest."""
    return st.integers(2, 12).flatmap(
        lambda classes: arrays(np.float64, (rows, classes), elements=st.floats(-largest, largest, allow_subnormal=False))
    )


def pair(largest: float, rows: int = 3) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    return logits(largest, 2 * rows).map(lambda z: (z[:rows], z[rows:]))


def random(*shape: int, seed: int = 0, scale: float = 4.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape) * scale


def close(ours: Any, oracle: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(oracle), rtol=tolerance, atol=tolerance)


def gradient(loss: Callable[[torch.Tensor], torch.Tensor], at: np.ndarray) -> np.ndarray:
    z = torch_double(at).requires_grad_()
    loss(z).sum().backward()
    assert z.grad is not None
    return z.grad.numpy()


# Against an oracle: values, for numpy and torch


@both
@pytest.mark.parametrize("T", TEMPERATURES)
def test_softmax_is_scipys_and_torchs(make: Make, T: float) -> None:
    z = random(2, 5, 10)
    close(kd.softmax(make(z), T), scipy.special.softmax(z / T, axis=-1))
    close(kd.log_softmax(make(z), T), scipy.special.log_softmax(z / T, axis=-1))
    close(kd.log_softmax(make(z), T), F.log_softmax(torch_double(z) / T, dim=-1))


@both
def test_each_student_may_have_its_own_temperature(make: Make) -> None:
    z = random(3, 5, 10)
    T = np.asarray([1.0, 4.0, 20.0])
    together = np.asarray(kd.softmax(make(z), make(T)[:, None, None]))
    for s in range(3):
        close(together[s], kd.softmax(z[s], float(T[s])))


@both
def test_entropy_is_scipys(make: Make) -> None:
    p = scipy.special.softmax(random(7, 10), axis=-1)
    p[0] = np.eye(10)[3]
    close(kd.entropy(make(p)), scipy.stats.entropy(p, axis=-1))


@both
def test_entropy_of_a_certain_answer_is_zero_without_a_sign(make: Make) -> None:
    certain = float(kd.entropy(make([0.0, 1.0, 0.0])))
    assert f"{certain:.2f}" == "0.00"


@both
@pytest.mark.parametrize("T", TEMPERATURES)
def test_kl_is_scipys_and_torchs(make: Make, T: float) -> None:
    log_p, log_q = (kd.log_softmax(random(6, 10, seed=seed), T) for seed in (1, 2))
    ours = kd.kl(make(log_p), make(log_q))
    close(ours, scipy.special.rel_entr(np.exp(log_p), np.exp(log_q)).sum(-1), 1e-10)
    close(ours, F.kl_div(torch_double(log_q), torch_double(log_p), log_target=True, reduction="none").sum(-1), 1e-10)


@both
def test_kl_of_a_share_that_is_exactly_zero_is_its_limit(make: Make) -> None:
    log_p = np.log(np.asarray([1.0, 0.5]))
    ours = kd.kl(make([[log_p[0], -np.inf], [log_p[1], log_p[1]]]), make([[log_p[1], log_p[1]], [log_p[1], log_p[1]]]))
    close(ours, [math.log(2), 0.0])


@both
def test_cross_entropy_is_torchs(make: Make) -> None:
    p, z = kd.softmax(random(6, 10, seed=1)), random(6, 10, seed=2)
    ours = kd.cross_entropy(make(p), kd.log_softmax(make(z)))
    close(ours, F.cross_entropy(torch_double(z), torch_double(p), reduction="none"))


def tutorial_loss(
    student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor, T: float, soft_weight: float, hard_weight: float
) -> torch.Tensor:
    """The loss as PyTorch's tutorials write it; its soft term is KL, ours cross-entropy: they differ by the teacher's entropy."""
    soft = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean") * T * T
    return soft_weight * soft + hard_weight * F.cross_entropy(student, labels)


@both
@pytest.mark.parametrize("T", TEMPERATURES)
@pytest.mark.parametrize(("soft_weight", "hard_weight"), [(1.0, 0.1), (0.7, 0.3), (1.0, 0.0), (0.0, 1.0)])
def test_distillation_loss_is_torchs(make: Make, T: float, soft_weight: float, hard_weight: float) -> None:
    z, v, labels = random(8, 10, seed=1), random(8, 10, seed=2), np.arange(8)
    p = kd.softmax(v, T)
    ours = kd.distillation_loss(make(z), make(p), make(np.eye(10)[labels]), T, soft_weight, hard_weight)
    teachers_entropy = soft_weight * T**2 * scipy.stats.entropy(p, axis=-1).mean()
    oracle = tutorial_loss(torch_double(z), torch_double(v), torch.tensor(labels), T, soft_weight, hard_weight)
    close(float(ours.total) - teachers_entropy, oracle, 1e-10)
    close(ours.total, ours.soft + ours.hard)
    close(ours.hard, hard_weight * F.cross_entropy(torch_double(z), torch.tensor(labels)))


@both
def test_stacked_students_have_the_losses_they_have_alone(make: Make) -> None:
    z, v, one_hot = random(3, 8, 10, seed=1), random(8, 10, seed=2), np.eye(10)[np.arange(8)]
    T, soft, hard = np.asarray([1.0, 4.0, 20.0]), np.asarray([0.0, 1.0, 0.5]), np.asarray([1.0, 0.0, 0.1])
    p = np.stack([kd.softmax(v, t) for t in T])
    together = kd.distillation_loss(make(z), make(p), make(one_hot), make(T), make(soft), make(hard))
    for s in range(3):
        alone = kd.distillation_loss(make(z[s]), make(p[s]), make(one_hot), float(T[s]), float(soft[s]), float(hard[s]))
        close(together.soft[s], alone.soft)
        close(together.hard[s], alone.hard)


@both
def test_ensembles_are_what_their_names_say(make: Make) -> None:
    z, T = random(5, 4, 10), 3.0
    each = scipy.special.softmax(z / T, axis=-1)
    geometric = scipy.stats.gmean(each, axis=0)
    at_one = scipy.special.softmax(z, axis=-1).mean(0)
    tempered = at_one ** (1 / T)
    close(kd.ensemble_arithmetic(make(z), T), each.mean(0))
    close(kd.ensemble_geometric(make(z), T), geometric / geometric.sum(-1, keepdims=True), 1e-10)
    close(kd.ensemble_tempered(make(z), T), tempered / tempered.sum(-1, keepdims=True), 1e-10)


@both
def test_class_similarity_averages_the_images_of_each_class(make: Make) -> None:
    p, labels = kd.softmax(random(20, 4)), np.asarray([0, 1, 3, 3] * 5)
    integers = torch.tensor(labels) if make is torch_double else labels
    ours = np.asarray(kd.class_similarity(make(p), integers, 4))
    for c in (0, 1, 3):
        close(ours[c], p[labels == c].mean(0))
        close(ours[c].sum(), 1.0)
    assert (ours[2] == 0).all()


# Against an oracle: gradients


@pytest.mark.parametrize("T", TEMPERATURES)
def test_gradients_are_torchs(T: float) -> None:
    z, v, labels = random(8, 10, seed=1), random(8, 10, seed=2), torch.arange(8)
    p, one_hot = kd.softmax(torch_double(v), T), F.one_hot(labels, 10).double()
    ours = gradient(lambda z: kd.distillation_loss(z, p, one_hot, T, 0.9, 0.1).total, z)
    close(ours, gradient(lambda z: tutorial_loss(z, torch_double(v), labels, T, 0.9, 0.1), z), 1e-10)
    ours = gradient(lambda z: kd.softmax(z, T)[:, 2], z)
    close(ours, gradient(lambda z: F.softmax(z / T, dim=-1)[:, 2], z))
    ours = gradient(lambda z: kd.entropy(kd.softmax(z, T)), z)
    close(ours, gradient(lambda z: torch.distributions.Categorical(logits=z / T).entropy(), z), 1e-9)
    ours = gradient(lambda z: kd.kl(kd.log_softmax(torch_double(v), T), kd.log_softmax(z, T)), z)
    close(ours, gradient(lambda z: F.kl_div(F.log_softmax(z / T, -1), F.softmax(torch_double(v) / T, -1), reduction="sum"), z))


@both
@pytest.mark.parametrize("classes_on", [-1, -2])
def test_the_written_gradient_is_autograds_of_the_loss(make: Make, classes_on: int) -> None:
    """Four students of their own temperatures and weights, classes on either axis."""
    z, teacher, labels = random(4, 6, 10), random(4, 6, 10, seed=1), np.eye(10)[np.arange(24).reshape(4, 6) % 10]
    T, soft, hard = np.asarray([0.5, 1.0, 4.0, 20.0]), np.asarray([1.0, 0.7, 0.0, 2.0]), np.asarray([0.1, 0.0, 1.0, 0.3])
    each = T[:, None, None]
    p = kd.softmax(teacher, each)
    expected = gradient(
        lambda leaf: kd.distillation_loss(leaf, *(torch_double(values) for values in (p, labels, T, soft, hard))).total, z
    )
    given = (p, kd.softmax(z, each), labels, kd.softmax(z))
    turned = (make(values if classes_on == -1 else values.swapaxes(-1, -2)) for values in given)
    ours = np.asarray(kd.distillation_gradient(*turned, *(make(values[:, None, None]) for values in (T, soft / 6, hard / 6))))
    close(ours if classes_on == -1 else ours.swapaxes(-1, -2), expected)
    assert np.abs(expected).max() > 0.01


@given(pair(50), temperatures)
def test_the_written_gradient_has_the_papers_law(z: tuple[np.ndarray, np.ndarray], T: float) -> None:
    """Of the soft term, before T^2: (q - p) / T, equation 2; each row sums to 0, since a constant changes nothing."""
    p, q = kd.softmax(z[0], T), kd.softmax(z[1], T)
    labels = np.eye(z[0].shape[1])[[0, 0, 1]]
    soft = kd.distillation_gradient(p, q, labels, kd.softmax(z[1]), T, 1.0, 0.0)
    close(soft / T**2, (q - p) / T, 1e-10)
    close(soft.sum(-1) / T, np.zeros(3), 1e-12)
    hard = kd.distillation_gradient(p, q, labels, kd.softmax(z[1]), T, 0.0, 1.0)
    close(hard, gradient(lambda leaf: F.cross_entropy(leaf, torch_double(labels), reduction="sum"), z[1]), 1e-9)


def test_gradients_of_ensembles_are_torchs() -> None:
    z, T = random(3, 4, 10), 2.5
    close(
        gradient(lambda z: kd.ensemble_arithmetic(z, T)[..., 0], z),
        gradient(lambda z: F.softmax(z / T, -1).mean(0)[..., 0], z),
    )
    close(
        gradient(lambda z: kd.ensemble_geometric(z, T)[..., 0], z),
        gradient(lambda z: F.softmax(z.mean(0) / T, -1)[..., 0], z),
    )
    close(
        gradient(lambda z: kd.ensemble_tempered(z, T)[..., 0], z),
        gradient(lambda z: F.softmax(F.softmax(z, -1).mean(0).log() / T, -1)[..., 0], z),
        1e-10,
    )


def test_in_numpy_the_loss_rises_as_its_gradient_says() -> None:
    z, v, T, step = random(1, 6, seed=1), random(1, 6, seed=2), 3.0, 1e-6
    p, one_hot = kd.softmax(v, T), np.eye(6)[[2]]
    analytic = T**2 * (kd.softmax(z, T) - p) / T + 0.1 * (kd.softmax(z) - one_hot)
    for i in range(6):
        up, down = (kd.distillation_loss(z + sign * step * np.eye(6)[[i]], p, one_hot, T, 1.0, 0.1).total for sign in (1, -1))
        assert (up - down) / (2 * step) == pytest.approx(analytic[0, i], abs=1e-7)


# Laws


@given(logits(1e4), temperatures)
def test_probabilities_sum_to_one_and_nothing_overflows(z: np.ndarray, T: float) -> None:
    for array in (z, torch_double(z), z.astype(np.float32), torch.tensor(z, dtype=torch.float32)):
        q, log_q = np.asarray(kd.softmax(array, T)), np.asarray(kd.log_softmax(array, T))
        assert np.isfinite(log_q).all()
        assert (q >= 0).all() and (q <= 1).all()
        np.testing.assert_allclose(q.sum(-1), 1, rtol=1e-12 if q.dtype == np.float64 else 1e-5)


@given(logits(1e4), temperatures)
def test_numpy_and_torch_say_the_same(z: np.ndarray, T: float) -> None:
    close(kd.log_softmax(z, T), kd.log_softmax(torch_double(z), T))


@given(logits(1e4), temperatures)
def test_gradients_are_finite(z: np.ndarray, T: float) -> None:
    p = kd.softmax(torch_double(z[::-1].copy()), T)
    one_hot = torch.nn.functional.one_hot(p.argmax(-1), p.shape[-1]).double()
    assert np.isfinite(gradient(lambda z: kd.distillation_loss(z, p, one_hot, T).total, z)).all()


@given(logits(50), st.floats(-1e3, 1e3), temperatures)
def test_a_constant_added_to_all_logits_changes_nothing(z: np.ndarray, constant: float, T: float) -> None:
    close(kd.softmax(z + constant, T), kd.softmax(z, T), 1e-9)


@given(logits(10), st.floats(1, 1e6))
def test_a_high_temperature_tends_to_uniform(z: np.ndarray, T: float) -> None:
    classes, spread = z.shape[-1], np.ptp(z, axis=-1).max()
    # Every share lies within exp(+-spread/T) of 1/classes.
    assert np.abs(kd.softmax(z, T) * classes - 1).max() <= math.expm1(spread / T) + 1e-12
    assert np.abs(kd.softmax(z, 1e9) * classes - 1).max() < 1e-6


@given(logits(10))
def test_a_low_temperature_tends_to_the_largest_logit(z: np.ndarray) -> None:
    z = np.sort(z, axis=-1)
    z[:, -1] = z[:, -2] + 1  # a winner by one
    assert (kd.softmax(z, 0.05)[:, -1] > 1 - z.shape[-1] * math.exp(-20)).all()


@given(logits(50), temperatures, st.randoms(use_true_random=False))
def test_permuting_the_classes_commutes(z: np.ndarray, T: float, chance: Any) -> None:
    order = list(range(z.shape[-1]))
    chance.shuffle(order)
    close(kd.softmax(z[:, order], T), kd.softmax(z, T)[:, order])
    close(kd.entropy(kd.softmax(z[:, order], T)), kd.entropy(kd.softmax(z, T)), 1e-10)


@given(logits(1e3), temperatures)
def test_no_temperature_changes_the_order_of_the_classes(z: np.ndarray, T: float) -> None:
    ranked = np.take_along_axis(kd.softmax(z, T), np.argsort(z, axis=-1, kind="stable"), axis=-1)
    assert (np.diff(ranked, axis=-1) >= 0).all()


@given(pair(50), temperatures)
def test_kl_is_at_least_what_pinsker_says_so_zero_only_if_equal(z: tuple[np.ndarray, np.ndarray], T: float) -> None:
    log_p, log_q = kd.log_softmax(z[0], T), kd.log_softmax(z[1], T)
    far = np.abs(np.exp(log_p) - np.exp(log_q)).sum(-1) / 2
    assert (kd.kl(log_p, log_q) >= 2 * far**2 - 1e-12).all()
    assert (kd.kl(log_p, log_p) == 0).all()


@given(logits(50), temperatures, temperatures)
def test_entropy_grows_with_the_temperature_up_to_log_classes(z: np.ndarray, a: float, b: float) -> None:
    low, high = (kd.entropy(kd.softmax(z, T)) for T in sorted((a, b)))
    assert (low >= 0).all()
    assert (low <= high + 1e-9).all()
    assert (high <= math.log(z.shape[-1]) + 1e-12).all()


@given(pair(50), temperatures)
def test_cross_entropy_is_entropy_plus_kl(z: tuple[np.ndarray, np.ndarray], T: float) -> None:
    log_p, log_q = kd.log_softmax(z[0], T), kd.log_softmax(z[1], T)
    p = np.exp(log_p)
    close(kd.cross_entropy(p, log_q), kd.entropy(p) + kd.kl(log_p, log_q), 1e-9)


@given(pair(50), temperatures)
def test_the_soft_terms_gradient_is_q_minus_p_over_T(z: tuple[np.ndarray, np.ndarray], T: float) -> None:
    student, teacher = z
    p = kd.softmax(torch_double(teacher), T)
    without_T2 = gradient(lambda z: kd.cross_entropy(p, kd.log_softmax(z, T)), student)
    close(without_T2, (kd.softmax(student, T) - p.numpy()) / T, 1e-9)


def test_at_high_temperature_distillation_is_matching_logits() -> None:
    z, v = (random(5, 10, seed=seed, scale=2.0) for seed in (1, 2))
    z, v = (a - a.mean(-1, keepdims=True) for a in (z, v))
    limit = (z - v) / 10

    def distance(T: float) -> float:
        p = kd.softmax(torch_double(v), T)
        without_T2 = gradient(lambda z: kd.cross_entropy(p, kd.log_softmax(z, T)), z)
        return float(np.abs(T**2 * without_T2 - limit).max() / np.abs(limit).max())

    assert distance(1) > distance(10) > distance(100) > distance(1e4)
    assert distance(1) > 0.3  # "exactly so only in the limit of high T"
    assert distance(1e4) < 1e-3


@given(logits(30, rows=4), temperatures)
def test_ensembles_are_distributions_and_one_member_is_itself(z: np.ndarray, T: float) -> None:
    for join in (kd.ensemble_arithmetic, kd.ensemble_geometric, kd.ensemble_tempered):
        close(join(z, T).sum(-1), 1.0)
        close(join(z[:1], T), kd.softmax(z[0], T), 1e-9)


@given(logits(30, rows=4))
def test_tempered_is_arithmetic_at_one(z: np.ndarray) -> None:
    close(kd.ensemble_tempered(z), kd.ensemble_arithmetic(z))


@given(logits(30, rows=4), temperatures)
def test_geometric_is_the_softmax_of_averaged_logits_at_every_temperature(z: np.ndarray, T: float) -> None:
    close(kd.ensemble_geometric(z, T), scipy.special.softmax(z.mean(0) / T), 1e-9)


def test_the_three_ensembles_differ() -> None:
    z = np.asarray([[4.0, 0.0, 0.0], [0.0, 3.0, 1.0]])
    answers = [join(z, 2.0) for join in (kd.ensemble_arithmetic, kd.ensemble_geometric, kd.ensemble_tempered)]
    for i in range(3):
        assert np.abs(answers[i] - answers[i - 1]).max() > 0.01
    # At T = 1 only two are left.
    close(kd.ensemble_arithmetic(z), kd.ensemble_tempered(z))
    assert np.abs(kd.ensemble_arithmetic(z) - kd.ensemble_geometric(z)).max() > 0.01


# The bugs that much-read code had (PAPER.md), each beside the right value

STUDENT, TEACHER = random(8, 10, seed=3), random(8, 10, seed=4)
LABELS = np.eye(10)[np.arange(8)]


def soft_gradient(T: float, student: np.ndarray = STUDENT, teacher: np.ndarray = TEACHER, hard_weight: float = 0.0) -> np.ndarray:
    """kdviz's gradient of the soft term, in the student's logits."""
    p, one_hot = kd.softmax(torch_double(teacher), T), torch_double(LABELS[: len(student)])
    return gradient(lambda z: kd.distillation_loss(z, p, one_hot, T, 1.0, hard_weight).soft, student)


def right_gradient(T: float, student: np.ndarray = STUDENT, teacher: np.ndarray = TEACHER) -> np.ndarray:
    """The mean over examples of T^2 KL(p || q), by the closed formula."""
    q, p = scipy.special.softmax(student / T, axis=-1), scipy.special.softmax(teacher / T, axis=-1)
    return np.asarray(T * (q - p) / len(student))


def torch_kl(z: torch.Tensor, T: float, reduction: str) -> torch.Tensor:
    return F.kl_div(F.log_softmax(z / T, -1), F.softmax(torch_double(TEACHER) / T, -1), reduction=reduction)


@pytest.mark.filterwarnings("ignore:reduction. 'mean':UserWarning")  # torch itself warns of this very bug
@pytest.mark.parametrize("T", [1.0, 4.0, 20.0])
def test_not_the_bug_of_averaging_over_classes(T: float) -> None:
    buggy = gradient(lambda z: torch_kl(z, T, "mean") * T**2, STUDENT)
    close(soft_gradient(T), right_gradient(T), 1e-10)
    close(soft_gradient(T), 10 * buggy, 1e-10)


@pytest.mark.parametrize("T", [4.0, 20.0])
def test_not_the_bug_of_leaving_T2_out(T: float) -> None:
    buggy = gradient(lambda z: torch_kl(z, T, "batchmean"), STUDENT)
    close(soft_gradient(T), right_gradient(T), 1e-10)
    close(soft_gradient(T), T**2 * buggy, 1e-10)
    # Without it, raising T switches distillation off; with it, the gradient keeps its size.
    assert np.abs(soft_gradient(100.0)).max() > 0.2 * np.abs(soft_gradient(10.0)).max()


@pytest.mark.parametrize("T", [1.0, 4.0, 20.0])
def test_not_the_bug_of_the_teacher_on_both_sides(T: float) -> None:
    p, one_hot = kd.softmax(torch_double(TEACHER), T), torch_double(LABELS)
    constant = [kd.distillation_loss(torch_double(TEACHER), p, one_hot, T).soft for _ in range(2)]
    learning = [kd.distillation_loss(torch_double(z), p, one_hot, T).soft for z in (STUDENT, STUDENT * 0.5)]
    assert constant[0] == constant[1]  # the buggy loss, whatever the student says
    assert learning[0] != learning[1]
    assert learning[0] > constant[0]  # and the teacher's own answer is the best one
    close(soft_gradient(T), right_gradient(T), 1e-10)
    assert np.abs(soft_gradient(T)).max() > 1e-3
    close(soft_gradient(T, student=TEACHER), np.zeros_like(TEACHER))


@pytest.mark.parametrize("T", [1.0, 4.0, 20.0])
def test_not_the_bug_of_dividing_by_the_number_of_elements(T: float) -> None:
    summed = T**2 * float(torch_kl(torch_double(STUDENT), T, "sum"))
    p = kd.softmax(TEACHER, T)
    ours = float(kd.distillation_loss(STUDENT, p, LABELS, T).soft) - T**2 * float(kd.entropy(p).mean())
    buggy, undivided = summed / STUDENT.size, summed
    assert ours == pytest.approx(summed / len(STUDENT), rel=1e-9)
    assert ours > 5 * buggy and ours < undivided / 5
    # A batch said twice is the same loss.
    student, teacher, labels = (np.concatenate([a, a]) for a in (STUDENT, p, LABELS))
    twice = kd.distillation_loss(student, teacher, labels, T)
    close(twice.total, kd.distillation_loss(STUDENT, p, LABELS, T).total)


@pytest.mark.parametrize("T", [4.0, 20.0])
def test_not_the_bug_of_squared_error_between_softmaxes(T: float) -> None:
    student = np.zeros_like(TEACHER)  # uniform, as at the start of training
    p = F.softmax(torch_double(TEACHER) / T, -1)
    buggy = gradient(lambda z: T**2 * F.mse_loss(F.softmax(z / T, -1), p), student)
    right = soft_gradient(T, student=student)
    close(right, right_gradient(T, student=student), 1e-10)
    assert np.linalg.norm(buggy) / np.linalg.norm(right) == pytest.approx(0.02, abs=0.001)


@pytest.mark.parametrize("T", [4.0, 10.0])
def test_not_the_bug_of_a_zero_weight_dropping_T2(T: float) -> None:
    p = kd.softmax(TEACHER, T)
    buggy = kd.cross_entropy(p, kd.log_softmax(STUDENT, T)).mean()
    soft_only = kd.distillation_loss(STUDENT, p, LABELS, T, soft_weight=1.0, hard_weight=0.0)
    close(soft_only.total, T**2 * buggy)
    assert float(soft_only.hard) == 0
    close(soft_only.soft, kd.distillation_loss(STUDENT, p, LABELS, T, 1.0, 0.3).soft)
    close(soft_gradient(T, hard_weight=0.0), soft_gradient(T, hard_weight=0.3))
    hard_only = kd.distillation_loss(STUDENT, p, LABELS, T, soft_weight=0.0, hard_weight=1.0)
    close(hard_only.total, kd.cross_entropy(LABELS, kd.log_softmax(STUDENT)).mean())


@pytest.mark.parametrize("T", [1.0, 4.0, 20.0])
def test_not_the_bug_of_averaged_logits_for_averaged_probabilities(T: float) -> None:
    members = random(5, 8, 10, seed=5)
    right = np.stack([scipy.special.softmax(z / T, axis=-1) for z in members]).mean(0)
    buggy = scipy.special.softmax(members.mean(0) / T, axis=-1)
    close(kd.ensemble_arithmetic(members, T), right)
    assert np.abs(right - buggy).max() > 1e-3
    close(kd.ensemble_geometric(members, T), buggy)  # a thing of its own, under its own name


# A temperature as a person types it


@pytest.mark.parametrize("value", [0, -1, math.nan, "hot", math.inf, -math.inf, 1e9, 0.049, 100.001, None, True, "x\ny", 10**400])
def test_a_wrong_temperature_is_one_sentence_with_value_and_range(value: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        kd.check_temperature(value)
    sentence = str(caught.value)
    assert sentence.startswith("temperature must be")
    assert "0.05" in sentence and "100" in sentence and "\n" not in sentence
    assert repr(str(value))[1:20].rstrip("'") in sentence


@pytest.mark.parametrize("value", [0.05, 100, "4", "2.5", np.float32(3), 1])
def test_a_temperature_becomes_a_float(value: Any) -> None:
    checked = kd.check_temperature(value)
    assert type(checked) is float and checked == float(value)
