"""The words a learner may not know, each with its explanation: one place for tooltips and for the list at the foot of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdviz import data, misconceptions
from kdviz.i18n import N_, _

WORDS: dict[str, tuple[str, str]] = {
    "logit": (
        N_("Logit"),
        N_("The number a network gives a class before the softmax: any real number, higher where the class fits better."),
    ),
    "softmax": (
        N_("Softmax"),
        N_("Turns logits into shares: every logit is exponentiated and divided by the sum of them all. The shares sum to 1."),
    ),
    "temperature": (
        N_("Temperature T"),
        N_("Divides the logits before the softmax. T = 1 changes nothing; a higher T makes the shares more alike."),
    ),
    "soft_targets": (
        N_("Soft targets"),
        N_("A teacher's shares at a temperature, for a student to learn from. They say how alike the teacher finds the classes."),
    ),
    "hard_label": (
        N_("Hard label"),
        N_("The true class and nothing else: all of the share on one class. Also called one-hot, or ground truth."),
    ),
    "entropy": (
        N_("Entropy"),
        N_("How spread out the shares are: 0 where one class has everything, largest where all have the same."),
    ),
    "nats": (
        N_("Nats"),
        N_("The unit of entropy with the natural logarithm. Ten equal shares have ln 10 = 2.30 nats; two have ln 2 = 0.69."),
    ),
    "kl": (
        N_("KL"),
        N_("The Kullback-Leibler divergence: how far some shares are from others, in nats; 0 where they are the same."),
    ),
}


NAMES: dict[str, dict[str, str]] = {
    "conditions": {
        "hard_labels": N_("hard labels"),
        "distilled": N_("soft targets"),
        "permuted_non_targets": N_("wrong classes permuted"),
        "confidence_weighted": N_("labels weighted by confidence"),
        "label_smoothing": N_("label smoothing"),
        "random_teacher": N_("untrained teacher"),
        "specialists": N_("with specialists"),
    },
    "loss": misconceptions.TITLES,
}
"""What a page calls the values of the knobs whose values are names: messages. Links and the command line have the names."""


def value(knob: str, name: Any) -> Any:
    """Return a name that is a knob's value in words, any other value as it is."""
    return _(NAMES[knob][name]) if name in NAMES.get(knob, {}) else name


def setting(knob: str, given: Any) -> str:
    """Return a knob's whole value in words."""
    if knob in NAMES or isinstance(given, list):
        return ", ".join(value(knob, name) for name in given)
    from kdviz import knobs  # not for the first page, whose title would wait for it

    return knobs.written(given) or _("none")


def class_names(dataset: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return a dataset's class names in the reader's language; those of somebody's own folder stay as they are."""
    return tuple(_(name) if dataset in data.SOURCES else name for name in names)


def explain(*words: str) -> str:
    """Return the explanations of some words, one paragraph each, in the reader's language."""
    return "\n\n".join(_("**{word}**: {explanation}", word=_(WORDS[word][0]), explanation=_(WORDS[word][1])) for word in words)
