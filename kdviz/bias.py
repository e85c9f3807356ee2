"""Raising the bias of a class that a student never saw: what its errors become, and which bias is right.

A student of soft targets alone knows a class it saw no image of, but thinks it rare: its bias is too low (Hinton, Vinyals, Dean
2015, section 3). The paper raised it by 3.5, the best on the test set. A bias such that the class's mean predicted share is its
share of the training set needs no label of the test set. Works on stored logits, one student's or several'; knows no training.

Throughout, logits are (n, classes), labels (n,), and `classes` the numbers of those whose biases are raised together, all by the
same b; a negative b lowers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdviz.soft_targets import softmax

FARTHEST = 200.0
"""No bias beyond this is looked for."""


@dataclass(frozen=True)
class Errors:
    """What becomes of the errors at each b: biases (k,); all: of all images, of_classes: of those of the raised classes, (k,)."""

    biases: np.ndarray
    all: np.ndarray
    of_classes: np.ndarray


@dataclass(frozen=True)
class _Turns:
    """When each image's answer turns to the raised classes: at b > margin; and whether the answers before and after are right."""

    margin: np.ndarray
    right_before: np.ndarray
    right_after: np.ndarray
    theirs: np.ndarray


def _turns(logits: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> _Turns:
    raised = np.isin(np.arange(logits.shape[1]), classes)
    if not raised.any() or raised.all():
        raise ValueError(f"expected some classes of {logits.shape[1]} but not all, got {list(classes)}")
    inside, outside = np.where(raised, logits, -np.inf), np.where(raised, -np.inf, logits)
    return _Turns(
        margin=outside.max(1).astype(np.float64) - inside.max(1),
        right_before=outside.argmax(1) == labels,
        right_after=inside.argmax(1) == labels,
        theirs=raised[labels],
    )


def errors(logits: np.ndarray, labels: np.ndarray, classes: Sequence[int], biases: np.ndarray) -> Errors:
    """Return the errors at each b of `biases` (k,), any real: in n log n + k log n, so that a slider may ask for hundreds."""
    turns, b = _turns(logits, labels, classes), np.asarray(biases, np.float64)

    def wrong(of: np.ndarray) -> np.ndarray:
        order = np.argsort(turns.margin[of])
        change = turns.right_before[of][order].astype(np.int64) - turns.right_after[of][order]
        counted = np.concatenate([[0], np.cumsum(change)]) + int((~turns.right_before[of]).sum())
        # An image has turned once b is greater than its margin.
        found: np.ndarray = counted[np.searchsorted(turns.margin[of][order], b, side="left")]
        return found

    return Errors(b, wrong(np.ones(len(labels), bool)), wrong(turns.theirs))


def best(logits: np.ndarray, labels: np.ndarray, classes: Sequence[int], most: float = np.inf) -> float:
    """Return the b with the fewest errors of all images, of several the one nearest 0. Chosen on the very labels that judge it.

    most: only a b that leaves at most so many images of the classes wrong; raises ValueError where there is none.
    Errors change at margins alone, so the middle of every gap between them is tried, and 0.
    """
    margin = np.unique(_turns(logits, labels, classes).margin)
    margin = margin[np.abs(margin) < FARTHEST]
    ends = np.concatenate([[-FARTHEST], margin, [FARTHEST]])
    tried = np.concatenate([[0.0], np.clip((ends[1:] + ends[:-1]) / 2, ends[:-1] - 1, ends[:-1] + 1)])
    if len(margin):
        tried[1] = margin[0] - 1
    counted = errors(logits, labels, classes, tried)
    may = counted.of_classes <= most
    if not may.any():
        raise ValueError(f"no bias leaves {most:g} images of the classes wrong or fewer")
    fewest = tried[may & (counted.all == counted.all[may].min())]
    return float(fewest[np.abs(fewest).argmin()])


def share(logits: np.ndarray, classes: Sequence[int], b: float = 0.0) -> float:
    """Return the mean probability that all classes of `classes` have together at T = 1, their biases raised by b."""
    raised = np.isin(np.arange(logits.shape[1]), classes)
    p = softmax(logits.astype(np.float64) + b * raised)
    return float(p[:, raised].sum(1).mean())


def matched(logits: np.ndarray, classes: Sequence[int], wanted: float) -> float:
    """Return the b at which the mean predicted share of `classes` is what is wanted, 0 < wanted < 1: no label is looked at.

    The share grows with b, so halving an interval finds it, to 1e-9. Raises ValueError where wanted is no share.
    """
    if not 0 < wanted < 1:
        raise ValueError(f"expected a share above 0 and below 1, got {wanted}")
    low, high = -FARTHEST, FARTHEST
    while high - low > 1e-9:
        middle = (low + high) / 2
        if share(logits, classes, middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2
