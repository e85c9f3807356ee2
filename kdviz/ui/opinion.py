"""What a teacher thinks of one image at T, said in a sentence: every number computed from its logits.

The dial says it in the browser, by the same rules in browser/opinion.js: `rules` gives it the sentences and the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdviz.figures.numbers import percent, ratio, temperature
from kdviz.i18n import N_, _
from kdviz.soft_targets import softmax

ALIKE = 1.5
"""Shares whose quotient is smaller than this are called much alike."""
NOTHING = 0.001
"""A teacher that leaves less than this share to all other classes together shows nothing of its opinion on them."""
OVER = 1000
"""A share that is this many times another one is `over 1,000 times` as large."""

SENTENCES = {
    "all_alike": N_(
        "At T = {T} all shares are much alike, from {share} for **{answer}** down to {last_share} for **{last}**: "
        "so high a temperature blurs the teacher's opinion away."
    ),
    "alone": N_(
        "At T = {T} the teacher gives **{answer}** a share of {share} and leaves less than 0.1% to all others together: "
        "what it thinks of them cannot be seen. Raise T."
    ),
    "undecided": N_("At T = {T} the teacher cannot decide: it gives **{answer}** and **{second}** a share of {share} each."),
    "far_above_at_one": N_(
        "At T = 1 the teacher gives **{second}** a share of {second_share}, over 1,000 times that of **{last}**."
    ),
    "far_above": N_(
        "At T = {T} the teacher gives **{second}** a share of {second_share} ({second_at_one} at T = 1), "
        "over 1,000 times that of **{last}**."
    ),
    "others_alike": N_("At T = {T} the teacher gives **{answer}** a share of {share} and finds all other classes much alike."),
    "two_second": N_(
        "At T = {T} the teacher gives **{second}** and **{third}** a share of {second_share} each, "
        "{times} times that of **{last}**."
    ),
    "second_at_one": N_("At T = 1 the teacher gives **{second}** a share of {second_share}, {times} times that of **{last}**."),
    "second": N_(
        "At T = {T} the teacher gives **{second}** a share of {second_share} ({second_at_one} at T = 1), "
        "{times} times that of **{last}**."
    ),
    "wrong_alone": N_(
        "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. At T = {T} it leaves less than "
        "0.1% to all other classes together; **{label}** has rank {rank} of {classes}."
    ),
    "wrong_second": N_(
        "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. Yet **{label}** comes second: "
        "at T = {T} it gets a share of {label_share}."
    ),
    "wrong": N_(
        "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. At T = {T} it gives **{label}** "
        "a share of {label_share}, rank {rank} of {classes}."
    ),
}


def sentence(logits: np.ndarray, label: int, T: float, class_names: Sequence[str]) -> str:
    """Return in words what the shares at T say: logits (classes,), at least two classes; label: the true class."""
    q = np.asarray(softmax(np.asarray(logits, dtype=np.float64), T))
    order = np.argsort(-np.asarray(logits), kind="stable")
    answer, second, third, last = int(order[0]), int(order[1]), int(order[min(2, len(q) - 1)]), int(order[-1])
    facts = {
        "T": temperature(T),
        "answer": class_names[answer],
        "share": percent(float(q[answer])),
        "label": class_names[label],
        "second": class_names[second],
        "third": class_names[third],
        "last": class_names[last],
        "second_share": percent(float(q[second])),
        "third_share": percent(float(q[third])),
        "last_share": percent(float(q[last])),
        "label_share": percent(float(q[label])),
        "second_at_one": percent(float(softmax(np.asarray(logits, dtype=np.float64))[second])),
        "rank": int(np.flatnonzero(order == label)[0]) + 1,
        "classes": len(q),
        "times": ratio(float(q[second] / max(float(q[last]), 1e-300))),
    }
    rest = float(np.delete(q, answer).sum())
    if answer != label:
        which = "wrong_alone" if rest < NOTHING else "wrong_second" if facts["rank"] == 2 else "wrong"
    elif q[answer] < ALIKE * q[last]:
        which = "all_alike"
    elif rest < NOTHING:
        which = "alone"
    elif facts["share"] == facts["second_share"]:
        which = "undecided"
    elif q[second] >= OVER * q[last]:
        which = "far_above_at_one" if T == 1 else "far_above"
    elif q[second] < ALIKE * q[last]:
        which = "others_alike"
    elif len(q) > 3 and facts["second_share"] == facts["third_share"]:
        which = "two_second"
    else:
        which = "second_at_one" if T == 1 else "second"
    return _(SENTENCES[which], **facts)


def rules() -> dict[str, Any]:
    """Return what browser/opinion.js needs: every sentence in the reader's language, fields unfilled, and the limits."""
    return {
        "sentences": {which: _(text) for which, text in SENTENCES.items()},
        "limits": {"alike": ALIKE, "nothing": NOTHING, "over": OVER},
    }
