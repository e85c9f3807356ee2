"""Which test images are worth a look, by rule: computed from a teacher's stored logits, never picked by hand.

Indices are positions among the test images. Knows no page; the logits of ten thousand images take about 0.2 s, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from kdviz import data, teachers
from kdviz.i18n import N_
from kdviz.soft_targets import entropy, softmax
from kdviz.teachers import Card

_DECADE = (1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
SCALE: tuple[float, ...] = tuple(
    round(step * power, 3)
    for power, steps in ((0.01, _DECADE[13:]), (0.1, _DECADE), (1.0, _DECADE), (10.0, _DECADE), (100.0, (1,)))
    for step in steps
)
"""60 temperatures from 0.05 to 100, evenly spread in log T as far as short numbers go, at which kdviz looks for the best."""

SURE = 0.999
"""The share of its answer at T = 1 from which on the rule for a telling image calls a teacher sure."""


@dataclass(frozen=True)
class Answers:
    """A teacher's answers to every test image.

    logits: (n, classes) float64; labels, answers: (n,) class indices; entropies: (n,) nats at T = 1; telling: see `telling`;
    members: (members, n, classes), the logits of an ensemble's networks; shapes: (n,), of street, see kdviz.data.street.
    """

    images: data.Images
    logits: np.ndarray
    labels: np.ndarray
    answers: np.ndarray
    entropies: np.ndarray
    telling: np.ndarray
    members: np.ndarray | None = None
    shapes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def surprising(self) -> np.ndarray:
        """Every image, the one with the highest entropy at T = 1 first."""
        return np.asarray(np.argsort(-self.entropies, kind="stable"))

    @property
    def wrong(self) -> np.ndarray:
        """The images the teacher answers wrongly, the highest entropy first."""
        order = self.surprising
        return np.asarray(order[self.answers[order] != self.labels[order]])

    @property
    def most_confused(self) -> tuple[int, int] | None:
        """The class and the answer of the most frequent mistake, or None where there is no mistake."""
        if not len(self.wrong):
            return None
        # Counted by hand, here and in `telling`: with its first use np.unique imports numpy.ma, for 20 ms of a first page.
        classes = self.logits.shape[1]
        counts = np.bincount(classes * self.labels[self.wrong] + self.answers[self.wrong])
        label, answer = divmod(int(counts.argmax()), classes)
        return label, answer

    @property
    def confused(self) -> np.ndarray:
        """The images of the most frequent mistake, the highest entropy first."""
        pair = self.most_confused
        if pair is None:
            return self.wrong
        return np.asarray(self.wrong[(self.labels[self.wrong] == pair[0]) & (self.answers[self.wrong] == pair[1])])

    def of_class(self, label: int, count: int, including: int) -> np.ndarray:
        """Return up to `count` images of a class, spread evenly from the highest entropy to the lowest, one surely among them.

        including: an image; where it is of this class, it takes the place of the listed one that is nearest to it in the order.
        """
        order = self.surprising
        order = order[self.labels[order] == label]
        places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64)
        own = np.flatnonzero(order == including)
        if len(own):
            places[np.argmin(np.abs(places - own[0]))] = own[0]
        return np.asarray(order[places])


@dataclass(frozen=True)
class Kind:
    """A gallery. title, rule: messages; pick: the images in order, of which the first few are shown."""

    title: str
    rule: str
    pick: Callable[[Answers], np.ndarray]


KINDS = {
    "telling": Kind(
        N_("Telling"),
        N_(
            "Chosen by rule: images that the teacher answers rightly and with at least {sure} at T = 1. Of every class first the "
            "one whose third-placed class gets the largest share at the T where the entropy is nearest to half of what it can be."
        ),
        lambda answers: answers.telling,
    ),
    "surprising": Kind(
        N_("Surprising"),
        N_("Chosen by rule: the images with the highest entropy at T = 1, the highest first."),
        lambda answers: answers.surprising,
    ),
    "certain": Kind(
        N_("Certain"),
        N_("Chosen by rule: the images with the lowest entropy at T = 1, the lowest first."),
        lambda answers: answers.surprising[::-1],
    ),
    "confused": Kind(
        N_("Most confused pair"),
        N_(
            "Chosen by rule: images of class {label} that the teacher answers with {answer}, its most frequent mistake, the "
            "highest entropy first."
        ),
        lambda answers: answers.confused,
    ),
    "wrong": Kind(
        N_("Wrong answers"),
        N_("Chosen by rule: the images that the teacher answers wrongly, the highest entropy first."),
        lambda answers: answers.wrong,
    ),
}


def telling_temperature(logits: np.ndarray) -> np.ndarray:
    """Return the temperature of the scale at which the entropy is nearest to half its largest value: (n, classes) -> (n,)."""
    scale = np.asarray([T for T in SCALE if T >= 1.0])
    half = math.log(logits.shape[-1]) / 2
    gaps = np.stack([np.abs(entropy(softmax(logits, float(T))) - half) for T in scale])
    return np.asarray(scale[gaps.argmin(axis=0)])


def telling(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return test images in which there is most to see, best first: logits (n, classes), labels (n,) -> indices.

    Among the images that the teacher answers rightly and, at T = 1, with SURE or more, those whose third class has the largest
    share at the telling temperature: the answer hides not one look-alike but two. The first of every class come first, then the
    second of every class, and so on. Without such images, all in order of entropy.
    """
    at_one = softmax(logits)
    sure = np.flatnonzero((logits.argmax(axis=1) == labels) & (at_one.max(axis=1) >= SURE))
    if not len(sure):
        return np.argsort(-entropy(at_one), kind="stable")
    chosen = logits[sure]
    shares = np.sort(softmax(chosen, telling_temperature(chosen)[:, None]), axis=1)
    third = shares[:, -min(3, logits.shape[1])]
    rank = np.zeros(len(sure), dtype=np.int64)
    for label in range(logits.shape[1]):
        members = np.flatnonzero(labels[sure] == label)
        rank[members[np.argsort(-third[members], kind="stable")]] = np.arange(len(members))
    return np.asarray(sure[np.lexsort((-third, rank))])


def answers(card: Card, dataset: data.Dataset) -> Answers | None:
    """Return a teacher's answers to the test images of a dataset, or None while its logits are not computed."""
    stored = teachers.stored_logits(card, dataset)
    if stored is None:
        return None
    members = teachers.stored_member_logits(card, dataset) if card.members > 1 else None
    return _answers(card.sha256, dataset.sha256, stored, members, dataset)


@st.cache_resource(max_entries=8, show_spinner=False)
def _answers(
    weights_sha256: str, data_sha256: str, _stored: np.ndarray, _members: np.ndarray | None, _dataset: data.Dataset
) -> Answers:
    # The two hashes are the key of the cache; the underscored arguments are what they stand for.
    images = _dataset.split("test")
    logits = np.asarray(_stored[_dataset.slice("test")], dtype=np.float64)
    labels = np.asarray(images.labels)
    where = _dataset.slice("test")
    return Answers(
        images, logits, labels, logits.argmax(axis=1), entropy(softmax(logits)), telling(logits, labels),
        None if _members is None else np.asarray(_members[:, where], dtype=np.float64),
        None if _dataset.shapes is None else np.asarray(_dataset.shapes[where], dtype=np.float64),
    )  # fmt: skip
