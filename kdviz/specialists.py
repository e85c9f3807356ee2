"""Specialists: networks for the classes that a generalist confuses, and its answers joined with theirs.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 5. The generalist is a teacher. Classes that it predicts together are
found by clustering the covariance of its predictions; a specialist tells those of one cluster apart, all others being one class
to it, the dustbin. Of its own a specialist has its last layer here: it stands on the generalist's others as they are, so that all
are trained in seconds. Their answers are kept beside the teachers' logits; to read them needs no torch. Knows no run.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdviz import data, models, settings, strategy, teachers
from kdviz.soft_targets import softmax

if TYPE_CHECKING:
    from torch import Tensor

SEED = 2015
CLASSES_EACH = 2.5
"""Classes to a cluster on average: ten are four clusters."""
STEPS, BATCH, LEARNING_RATE = 300, 64, 1e-3
ROUNDS = 50


@dataclass(frozen=True)
class Specialist:
    """One specialist's answers. classes: those it tells apart; p: (n, classes + 1), its probabilities, the dustbin's last."""

    classes: tuple[int, ...]
    p: np.ndarray


def clusters(p: np.ndarray) -> list[tuple[int, ...]]:
    """Return the classes that are predicted together, in clusters of two or more: p (n, classes), a generalist's probabilities.

    K-means on the columns of the covariance of the predictions, as in section 5.2, each class scaled to unit variance: of ten
    classes it is else how often they are predicted at all that decides.
    """
    from sklearn.cluster import KMeans

    classes = p.shape[1]
    count = max(2, round(classes / CLASSES_EACH))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.nan_to_num(np.corrcoef(p.astype(np.float64), rowvar=False))  # a class whose share never changes is like none
    found = KMeans(count, n_init=10, random_state=SEED).fit_predict(scaled)
    together = (tuple(np.flatnonzero(found == number).tolist()) for number in range(count))
    return sorted(cluster for cluster in together if 1 < len(cluster) < classes)


def joined(p: np.ndarray, specialists: Sequence[Specialist]) -> np.ndarray:
    """Return the distribution over all classes that is nearest to a generalist's and its specialists' answers: (n, classes).

    p: (n, classes), the generalist's. Of each image those specialists are asked whose classes hold the generalist's first choice.
    The sum of KL(p || q) and, for each that is asked, KL(p_m || q), where q's shares outside its classes are one, is least
    (equation 5). By expectation and maximisation: the dustbin's share is divided as q has it, which never makes the sum greater.
    """
    first = p.argmax(1)
    counted = p.astype(np.float64)
    dustbins = []
    for one in specialists:
        asked = np.isin(first, one.classes)[:, None]
        counted[:, one.classes] += asked * one.p[:, :-1]
        dustbins.append((asked * one.p[:, -1:], ~np.isin(np.arange(p.shape[1]), one.classes)))
    q = p.astype(np.float64)
    for _ in range(ROUNDS):
        nearer = counted.copy()
        for share, outside in dustbins:
            nearer += share * outside * q / np.maximum((q * outside).sum(1, keepdims=True), 1e-300)
        q = nearer / nearer.sum(1, keepdims=True)
    return q


def of(card: teachers.Card, dataset: data.Dataset, logits: np.ndarray, seen: np.ndarray, asked: np.ndarray) -> list[Specialist]:
    """Return a teacher's specialists with their answers to the images `asked`, training and keeping them if need be.

    logits: the teacher's, one network's, over the dataset; seen: (n,) the numbers of the images that all learn from.
    """
    there = stored(card, dataset, seen, asked)
    if there is not None:
        return there
    import torch

    network, parameters = teachers.load(card)
    labels = np.asarray(dataset.labels[seen])
    lower = strategy.choose_precision("auto", [network])[0] == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=lower):
        features = {
            name: models.features(network, parameters, models.inputs(dataset.pixels[numbers], dataset.mean, dataset.std)).float()
            for name, numbers in (("seen", seen), ("asked", asked))
        }
    last = len(network.layers) - 1
    head = parameters[f"{last}.weight"][0], parameters[f"{last}.bias"][0]
    found = []
    for classes in clusters(softmax(np.asarray(logits[seen]).astype(np.float64))):
        weight, bias = _trained(features["seen"], labels, classes, head)
        answers = (features["asked"] @ weight.T + bias).numpy().astype(np.float64)
        found.append(Specialist(classes, softmax(answers).astype(np.float32)))
    content: dict[str, Any] = {f"p{number}": one.p for number, one in enumerate(found)}
    file = _file(card, dataset, seen, asked)
    teachers.write(file.parent, file.name, lambda to: np.savez(to, classes=json.dumps([one.classes for one in found]), **content))
    return found


def stored(card: teachers.Card, dataset: data.Dataset, seen: np.ndarray, asked: np.ndarray) -> list[Specialist] | None:
    """Return what `of` has kept, or None."""
    try:
        with _file(card, dataset, seen, asked).open("rb") as file, np.load(file) as held:
            each = json.loads(str(held["classes"]))
            return [Specialist(tuple(classes), held[f"p{number}"]) for number, classes in enumerate(each)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _file(card: teachers.Card, dataset: data.Dataset, seen: np.ndarray, asked: np.ndarray) -> Path:
    which = hashlib.sha256(seen.astype(np.int64).tobytes() + b"|" + asked.astype(np.int64).tobytes()).hexdigest()[:12]
    return settings.data_folder() / "specialists" / f"{card.name}-{card.sha256[:12]}-{dataset.sha256[:12]}-{which}.npz"


def _trained(
    features: Tensor, labels: np.ndarray, classes: tuple[int, ...], head: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return a specialist's last layer, (classes + 1, units) and (classes + 1,), begun with the generalist's.

    Half of every batch is of its classes, half of all others (section 5.3); then the dustbin's logit grows by the logarithm of
    how much less often it was drawn than its share of the images is, against its classes.
    """
    import torch

    inside = np.isin(labels, classes)
    outside = [number for number in range(len(head[1])) if number not in classes]
    targets = np.full(len(labels), len(classes))
    targets[inside] = np.searchsorted(classes, labels[inside])
    weight, bias = (torch.cat([of[list(classes)], of[outside].mean(0, keepdim=True)]).requires_grad_() for of in head)
    optimizer = torch.optim.Adam([weight, bias], LEARNING_RATE)
    rng = np.random.default_rng([SEED, *classes])
    halves = [np.flatnonzero(half) for half in (inside, ~inside)]
    for _ in range(STEPS):
        batch = np.concatenate([rng.choice(half, BATCH // 2) for half in halves])
        loss = torch.nn.functional.cross_entropy(features[batch] @ weight.T + bias, torch.from_numpy(targets[batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        bias[-1] += float(np.log(len(halves[1]) / len(halves[0])))
    return weight.detach(), bias.detach()
