"""What students learn from: the images of the transfer set, the teacher's answers to them, and controls that take those apart.

Every control differs from the teacher's soft targets in one thing, so that what it lacks of their gain is the part of that thing.
Logits in, logits out: whatever stands for the teacher is softened, weighted and learned in the same lines as the teacher. Numpy,
but for the untrained network. Knows no run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdviz import data, models, specialists, teachers
from kdviz.soft_targets import ensemble_arithmetic, softmax
from kdviz.spec import Answers, RunSpec

SEED = 2015
TRANSFER_SEED = 2015


def transfer_set(spec: RunSpec, dataset: data.Dataset, fraction: float) -> np.ndarray:
    """Return the indices of the images that students learn from, sorted: (n,) int64.

    A fraction takes its share of every class, at least one image; a smaller fraction's images are among a larger one's.
    """
    where = dataset.slice("train" if spec.evaluate_on == "validation" else "training")
    labels = np.asarray(dataset.labels[where])
    chosen = []
    for label in range(len(dataset.class_names)):
        if label in spec.classes_left_out:
            continue
        members = np.random.default_rng([TRANSFER_SEED, label]).permutation(np.flatnonzero(labels == label))
        chosen.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def permuted(logits: np.ndarray, labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return logits whose wrong classes have changed places among themselves, in each image its own way.

    logits: (n, classes), labels: (n,), numbers: (n,) of the images in their dataset; an image is permuted alike in whatever
    transfer set it lies. The true class keeps its probability at every T (Furlanello et al. 2018, arXiv:1805.04770, keep the
    largest; on images that a teacher learned from that is nearly always the same).
    """
    images, classes = logits.shape
    keys = np.random.default_rng(SEED).random((int(numbers.max()) + 1, classes - 1))[numbers]
    wrong = np.arange(classes - 1) + (np.arange(classes - 1) >= labels[:, None])
    row = np.arange(images)[:, None]
    changed = logits.copy()
    changed[row, wrong] = logits[row, np.take_along_axis(wrong, keys.argsort(1), 1)]
    return changed


def smoothed(logits: np.ndarray, labels: np.ndarray, T: float) -> np.ndarray:
    """Return logits that are at T the labels, smoothed as much as the soft targets are on average: (n, classes) -> (n, classes).

    Every image's true class has the mean probability that the soft targets give to true classes, the others share the rest.
    """
    images, classes = logits.shape
    true = confidence(logits, labels, T).mean()
    made = np.full(logits.shape, T * np.log(max((1 - true) / (classes - 1), 1e-30)))
    made[np.arange(images), labels] = T * np.log(true)
    return made.astype(logits.dtype)


def confidence(logits: np.ndarray, labels: np.ndarray, T: float) -> np.ndarray:
    """Return the probability of the true class at T: (n, classes), (n,) -> (n,)."""
    chosen: np.ndarray = softmax(logits.astype(np.float64), T)[np.arange(len(labels)), labels]
    return chosen


def weighting(logits: np.ndarray, labels: np.ndarray, T: float) -> np.ndarray:
    """Return how much each image's hard label weighs: the probability of the true class at T, over its mean: (n,) float32."""
    sure = confidence(logits, labels, T)
    relative: np.ndarray = (sure / sure.mean()).astype(np.float32)
    return relative


def averaged(member_logits: np.ndarray, T: float) -> np.ndarray:
    """Return logits that are at T the mean of the members' probabilities: (members, n, classes) -> (n, classes) float32."""
    p = ensemble_arithmetic(member_logits.astype(np.float64), T)
    made: np.ndarray = (T * np.log(np.maximum(p, 1e-300))).astype(np.float32)
    return made


def untrained(card: teachers.Card, dataset: data.Dataset, numbers: np.ndarray) -> np.ndarray:
    """Return the logits of a network of the teacher's kind with its initial weights: (n, classes) float32."""
    network = models.architecture(card.network, dataset.shape, len(dataset.class_names))
    parts = np.array_split(numbers, max(1, len(numbers) // 4096))
    parameters = models.initial_parameters(network, [SEED])
    logits = [models.logits(network, parameters, models.inputs(dataset.pixels[p], dataset.mean, dataset.std))[0] for p in parts]
    answered: np.ndarray = np.concatenate(logits)
    return answered


def asked_of_specialists(spec: RunSpec, dataset: data.Dataset, seen: np.ndarray) -> np.ndarray:
    """Return the indices of the images that specialists answer: those of the transfer set, `seen`, then those that judge."""
    return np.concatenate([seen, np.arange(len(dataset.labels))[dataset.slice(spec.judged_on)]])


def with_specialists(
    spec: RunSpec, card: teachers.Card, dataset: data.Dataset, logits: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """Return the logits of a teacher's answers joined with its specialists', who learn from the same images as the students:
    (n, classes) float32, those of the images `seen`. Their answers to the images that judge are kept with them."""
    found = specialists.of(card, dataset, logits, seen, asked_of_specialists(spec, dataset, seen))
    mine = [replace(one, p=one.p[: len(seen)]) for one in found]
    q = specialists.joined(softmax(np.asarray(logits[seen]).astype(np.float64)), mine)
    made: np.ndarray = np.log(np.maximum(q, 1e-30)).astype(np.float32)
    return made


def learned_from(
    spec: RunSpec,
    card: teachers.Card,
    dataset: data.Dataset,
    logits: np.ndarray,
    numbers: np.ndarray,
    member_logits: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return all that the students of a run learn from beside labels.

    logits: the teacher's over the whole dataset, and an ensemble's members', (members, n, classes); numbers: (n,) the images of
    the transfer set. Returns the logits in the order of spec.answers, (K, n, classes) float32, and the weightings of the images
    by temperature, (W, n), None where nobody needs them.
    """
    labels = np.asarray(dataset.labels[numbers])

    def own(T: float | None) -> np.ndarray:
        """The teacher's answers; an ensemble's at T, which are those to learn from, or its averaged logits."""
        if member_logits is None or T is None:
            return np.asarray(logits[numbers])
        return averaged(member_logits[:, numbers], T)

    def made(of: Answers) -> np.ndarray:
        if of.condition == "permuted_non_targets":
            return permuted(own(of.temperature), labels, numbers)
        if of.condition == "random_teacher":
            return untrained(card, dataset, numbers)
        if of.condition == "specialists":
            return with_specialists(spec, card, dataset, logits, numbers)
        if of.condition == "label_smoothing":
            assert of.temperature is not None
            return smoothed(own(of.temperature), labels, of.temperature)
        return own(of.temperature)

    weightings = None
    if "confidence_weighted" in spec.conditions:
        weightings = np.stack([weighting(own(T), labels, T) for T in spec.temperature])
    return np.stack([made(of) for of in spec.answers]), weightings
