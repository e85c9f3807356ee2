"""What a teacher thinks of one image, said in a sentence and written as a formula: every number computed from its logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdviz.figures.numbers import percent, ratio, temperature
from kdviz.i18n import _
from kdviz.soft_targets import softmax

ALIKE = 1.5
"""Shares whose quotient is smaller than this are called much alike."""
NOTHING = 0.001
"""A teacher that leaves less than this share to all other classes together shows nothing of its opinion on them."""


def sentence(logits: np.ndarray, label: int, T: float, class_names: Sequence[str]) -> str:
    """Return in words what the shares at T say: logits (classes,), at least two classes; label: the true class."""
    q = np.asarray(softmax(np.asarray(logits, dtype=np.float64), T))
    order = np.argsort(-np.asarray(logits), kind="stable")
    answer, second, third, last = int(order[0]), int(order[1]), int(order[min(2, len(q) - 1)]), int(order[-1])
    rest = float(q.sum() - q[answer])
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
    }
    if answer != label:
        return _wrong(q, rest, answer, facts)
    if q[answer] < ALIKE * q[last]:
        return _(
            "At T = {T} all shares are much alike, from {share} for **{answer}** down to {last_share} for **{last}**: "
            "so high a temperature blurs the teacher's opinion away.",
            **facts,
        )
    if rest < NOTHING:
        return _(
            "At T = {T} the teacher gives **{answer}** a share of {share} and leaves less than 0.1% to all others together: "
            "what it thinks of them cannot be seen. Raise T.",
            **facts,
        )
    if percent(float(q[answer])) == percent(float(q[second])):
        return _("At T = {T} the teacher cannot decide: it gives **{answer}** and **{second}** a share of {share} each.", **facts)
    facts["times"] = ratio(float(q[second] / max(float(q[last]), 1e-300)))
    if q[second] >= 1000 * q[last]:
        if T == 1:
            return _(
                "At T = 1 the teacher gives **{second}** a share of {second_share}, over 1,000 times that of **{last}**.", **facts
            )
        return _(
            "At T = {T} the teacher gives **{second}** a share of {second_share} ({second_at_one} at T = 1), "
            "over 1,000 times that of **{last}**.",
            **facts,
        )
    if q[second] < ALIKE * q[last]:
        return _("At T = {T} the teacher gives **{answer}** a share of {share} and finds all other classes much alike.", **facts)
    if len(q) > 3 and facts["second_share"] == facts["third_share"]:
        return _(
            "At T = {T} the teacher gives **{second}** and **{third}** a share of {second_share} each, "
            "{times} times that of **{last}**.",
            **facts,
        )
    if T == 1:
        return _("At T = 1 the teacher gives **{second}** a share of {second_share}, {times} times that of **{last}**.", **facts)
    return _(
        "At T = {T} the teacher gives **{second}** a share of {second_share} ({second_at_one} at T = 1), "
        "{times} times that of **{last}**.",
        **facts,
    )


def _wrong(q: np.ndarray, rest: float, answer: int, facts: dict[str, object]) -> str:
    if rest < NOTHING:
        return _(
            "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. At T = {T} it leaves less than "
            "0.1% to all other classes together; **{label}** has rank {rank} of {classes}.",
            **facts,
        )
    if facts["rank"] == 2:
        return _(
            "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. Yet **{label}** comes second: "
            "at T = {T} it gets a share of {label_share}.",
            **facts,
        )
    return _(
        "The teacher is wrong here: it answers **{answer}**, the label says **{label}**. At T = {T} it gives **{label}** "
        "a share of {label_share}, rank {rank} of {classes}.",
        **facts,
    )


def formula(logits: np.ndarray, T: float, explained: int, class_names: Sequence[str]) -> str:
    """Return the softmax of one class at T in LaTeX, with this image's numbers: logits (classes,); explained: an index.

    The denominator shows the two largest terms and the explained one; dots stand for the others.
    """
    z = np.asarray(logits, dtype=np.float64)
    q = float(softmax(z, T)[explained])
    order = [int(index) for index in np.argsort(-z, kind="stable")]
    place = order.index(explained)
    shown = order[:2] if place < 2 else [*order[:2], explained]

    def term(index: int) -> str:
        exponent = rf"e^{{\,{z[index]:.2f}/{temperature(T)}}}"
        return rf"\boldsymbol{{{exponent}}}" if index == explained else exponent

    terms = [term(index) for index in shown]
    if place > 2:
        terms.insert(2, r"\cdots")
    if place < len(z) - 1 and len(z) > len(shown):
        terms.append(r"\cdots")
    worked_out = ""
    if z.max() / T < 600:  # e to the 709 is the largest double
        exponentials = np.exp(z / T)
        worked_out = rf"\frac{{{_latex_number(float(exponentials[explained]))}}}{{{_latex_number(float(exponentials.sum()))}}} = "
    return (
        rf"\begin{{aligned}} q_{{{_latex(class_names[explained])}}} &= \frac{{{term(explained)}}}{{{' + '.join(terms)}}} \\[2ex] "
        rf"&= {worked_out}{_latex_share(q)} \end{{aligned}}"
    )


def _latex(name: str) -> str:
    if name.isalnum() and name.isascii() and len(name) == 1:
        return name
    escaped = "".join(f"\\{letter}" if letter in "%$&#_{}" else letter for letter in name if letter not in "\\^~")
    return rf"\text{{{escaped}}}"


def _latex_number(value: float) -> str:
    """Return three digits, as a power of ten where that is shorter."""
    if value == 0.0:
        return "0"
    if 0.01 <= value < 99_950:
        return f"{value:#.3g}".rstrip(".") if value < 999.5 else f"{value:.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def _latex_share(q: float) -> str:
    if q < 0.9995:
        return f"{q:.3f}" if q >= 0.001 else _latex_number(q)
    return "1" if 1.0 - q < 1e-12 else f"1 - {_latex_number(1.0 - q)}"
