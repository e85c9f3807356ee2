"""The dial: T turned in the browser, and everything that follows from it drawn there on every move. Knows no page.

A component of Streamlit's second kind. Python gives it an image's logits and every word it may say; it computes and draws
(browser/dial.js), and Python hears of T when the reader lets go. The last of it, and the formulas, are held against
kdviz/soft_targets.py by tests/browser/test_dial.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from kdviz.errors import InvalidValue
from kdviz.figures import Kind
from kdviz.i18n import _
from kdviz.soft_targets import TEMPERATURE_RANGE, check_temperature
from kdviz.ui import opinion, served
from kdviz.ui.components import parts
from kdviz.ui.galleries import SCALE, telling_temperature
from kdviz.ui.words import WORDS

LEAPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Where Page up and Page down go, and each step of the sweep for whoever prefers less motion."""

_mount = served.component("dial", "dial.js", '<div class="part dial"></div>\n', parts.style("dial.css"))


@dataclass(frozen=True)
class Image:
    """What the dial is about. logits: (classes,); label: the true class (labelled), or the answer where nobody knows it.

    subject: what tells this image from every other one; shown: the classes that have bars; truth: (classes,), the true
    probabilities, where they are known.
    """

    subject: str
    logits: np.ndarray
    names: Sequence[str]
    label: int
    labelled: bool
    shown: Sequence[int]
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """One more panel: the mean soft targets at T of several networks, logits (networks, classes)."""

    kind: Kind
    label: str
    logits: np.ndarray


@dataclass(frozen=True)
class Students:
    """What is known of students: whether the reader wants to see them, their panels, and one sentence on what they are."""

    wanted: bool
    panels: Sequence[Panel] = ()
    note: str = ""


def dial(
    key: str,
    T: float,
    image: Image,
    students: Students | None,
    on_turn: Callable[[float], None],
    on_log: Callable[[bool], None],
    on_students: Callable[[bool], None],
    log: bool = False,
    hidden: Collection[str] = (),
) -> None:
    """Show the dial at T. on_turn: called with T, before the page runs again, when the reader lets go; on_log: when they choose
    the scale of the shares; on_students: when they ask for the students or have seen enough of them. students: None where they
    cannot be asked for; log: the scale; hidden: which of its controls, `T` and `log`, are not there."""

    def turned() -> None:
        if (sent := temperature(st.session_state[key].T)) is not None:
            on_turn(sent)

    _mount(
        key=key,
        data=data(key, T, image, students, log, hidden),
        on_T_change=turned,
        on_log_change=lambda: on_log(st.session_state[key].log is True),
        on_students_change=lambda: on_students(st.session_state[key].students is True),
    )


def temperature(sent: object) -> float | None:
    """Return the temperature that a browser sent, or None where it is anything else: a browser can send anything."""
    try:
        return check_temperature(sent) if isinstance(sent, (int, float)) else None
    except InvalidValue:
        return None


def data(
    key: str, T: float, image: Image, students: Students | None = None, log: bool = False, hidden: Collection[str] = ()
) -> dict[str, Any]:
    """Return what the dial is given: numbers in full, every sentence in the reader's language."""
    low, high = TEMPERATURE_RANGE
    logits = np.asarray(image.logits, dtype=np.float64)
    telling = float(telling_temperature(logits[None])[0])
    notes = []
    if len(image.shown) < len(image.names):
        notes = [_("The {shown} classes that matter here, of {classes}.", shown=len(image.shown), classes=len(image.names))]
    return {
        "key": key,
        "subject": image.subject,
        "T": T,
        "log": log,
        "hidden": list(hidden),
        "scale": {"low": low, "high": high, "telling": telling, "steps": SCALE, "leaps": LEAPS},
        "logits": logits.tolist(),
        "names": list(image.names),
        "label": image.label,
        "labelled": image.labelled,
        "shown": [int(index) for index in image.shown],
        "truth": None if image.truth is None else np.asarray(image.truth, dtype=np.float64).tolist(),
        "students": None if students is None else _students(students),
        "notes": notes,
        **parts.colours(),
        "rules": opinion.rules(),
        "strings": _strings(),
    }


def _students(students: Students) -> dict[str, Any]:
    panels = [
        {"kind": panel.kind, "label": panel.label, "logits": np.asarray(panel.logits, dtype=np.float64).tolist()}
        for panel in students.panels
    ]
    return {"wanted": students.wanted, "panels": panels, "note": students.note}


def _strings() -> dict[str, str]:
    low, high = TEMPERATURE_RANGE
    return {
        "temperature": _("Temperature T"),
        "temperature_help": _(WORDS["temperature"][1]),
        "temperature_entry": _("Temperature T, as a number from {low} to {high}", low=low, high=f"{high:g}"),
        "invalid": _("T is a number from {low} to {high}, not {value}.", low=low, high=f"{high:g}", value="{value}"),
        "mark_one": _("Turn to T = {T}, at which the teacher was trained", T="{T}"),
        "mark_telling": _("Turn to T = {T}, where this image's soft targets tell most", T="{T}"),
        "mark_high": _("Turn to T = {T}, the highest", T="{T}"),
        "tells_most": _("tells most"),
        "play": _("Play: sweep T"),
        "pause": _("Pause"),
        **parts.words(),
        "steps": _("Step by step"),
        "log": _("Log scale"),
        "log_note": _("The bars begin at 10⁻⁶; a smaller share has no bar."),
        "students": _("Students"),
        "teacher": _("teacher"),
        "ground_truth": _("ground truth"),
        "hard_label": _("hard label"),
        "true_probability": _("true probability"),
        "of_this": _("of this drawing"),
        "logit": _("logit"),
        "divided": _("divided by T"),
        "exponentiated": _("exponentiated"),
        "normalised": _("normalised"),
        "entropy": _("entropy"),
        "entropy_help": _(WORDS["entropy"][1]),
        "kl_one": _("KL from T = 1"),
        "kl_one_help": _("KL(shares at T ‖ shares at T = 1): how far this temperature has moved them."),
        "kl_uniform": _("KL from uniform"),
        "kl_uniform_help": _("KL(shares at T ‖ equal shares): how much of an opinion is left; 0 at a very high T."),
        "kl_truth": _("KL from the truth"),
        "kl_truth_help": _("KL(true probabilities ‖ shares at T): how far the teacher is from them on this drawing."),
        "in_nats": _("{value} nats", value="{value}"),
        "formula": _("The softmax of one class at T, with this image's numbers"),
        "term": _("The term of {name}", name="{name}"),
        "main_fact": _(
            "{name} {share} at T = {T}, rank {rank} of {classes}",
            name="{name}", share="{share}", T="{T}", rank="{rank}", classes="{classes}",
        ),
        "all_numbers": _("All the numbers of this image"),
        "class": _("Class"),
        "share_one": _("Share at T = 1"),
        "share_T": _("Share at T"),
    }  # fmt: skip
