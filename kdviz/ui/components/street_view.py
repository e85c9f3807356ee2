"""From car to truck: one drawing whose shape the reader changes, the teacher's answer beside the true probability.

Drawn in the browser (browser/street.js and browser/distance.js), where both follow the dial; Python gives them pictures and
numbers, of every shape at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data
from kdviz.data import street
from kdviz.figures import PALETTE, Kind, numbers
from kdviz.i18n import _
from kdviz.soft_targets import cross_entropy, entropy, log_softmax
from kdviz.teachers import Card
from kdviz.ui import asking, served
from kdviz.ui.components import parts, pictures
from kdviz.ui.galleries import SCALE, Answers

SEED = 11
SHAPES = np.linspace(0, 1, 41)
SIDE = 208  # pixels of the picture on the page

_morph = served.component("street", "street.js", '<div class="part street"></div>\n', parts.style("lines.css", "street.css"))
_distance = served.component("distance", "distance.js", '<div class="part distance"></div>\n', parts.style("lines.css"))


def truth_of(answers: Answers, number: int) -> np.ndarray:
    """Return the true probabilities of a test image, (classes,)."""
    assert answers.shapes is not None
    return np.asarray(street.posterior(answers.labels[[number]], answers.shapes[[number]])[0])


def morph(card: Card, T: float, names: Sequence[str]) -> None:
    """Show the range of the body shape, the picture, the teacher's shares and the true ones, and both along all shapes."""
    st.header(_("From car to truck"), anchor=False)
    st.markdown(
        _(
            "kdviz draws these pictures, so it knows what no photograph tells: how probable a truck is. Cars and trucks lie on "
            "one body shape s. Each class draws its s from a density of its own, and where the two overlap nobody can be sure."
        )
    )
    answer = asking.see(card, _pictures())
    given = {
        "T": T,
        "shapes": SHAPES.round(3).tolist(),
        "logits": None if answer is None else np.asarray(answer.logits, dtype=np.float64).tolist(),
        "truth": street.posterior(np.full(len(SHAPES), street.CAR), SHAPES).tolist(),
        "truck": street.TRUCK,
        "names": list(names),
        "shown": list(range(len(names))),
        "picture": pictures.data_uri(np.concatenate(list(_pictures()), axis=1)),  # all of them, side by side
        "side": SIDE,
        "lines": [
            _line("truth", "ground_truth", 4), _line("at_one", "teacher", 3), {**_line("at_T", "teacher", 2), "dash": "solid"},
        ],
        **parts.colours(),
        "strings": {
            **parts.words(),
            "shape": _("Body shape s"),
            "shape_help": _("0 is a typical car, 1 a typical truck; the background and everything else stay as they are"),
            "picture": _("A vehicle of shape {s}", s="{s}"),
            "teacher": _("teacher"),
            "teacher_one": _("teacher, T = 1"),
            "teacher_T": _("teacher, T = {T}", T="{T}"),
            "truth": _("true probability"),
            "given": _("given s"),
            "along": _("body shape s: 0 a car, 1 a truck"),
            "up": _("probability of truck"),
            "fact": _(
                "At shape {s} the true probability of truck is {truth}; the teacher gives it {at_one} at T = 1 and {at_T} at "
                "T = {T}.",
                s="{s}", truth="{truth}", at_one="{at_one}", at_T="{at_T}", T="{T}",
            ),
            "fact_of_truth": _("At shape {s} the true probability of truck is {truth}.", s="{s}", truth="{truth}"),
        },
    }  # fmt: skip
    _morph(key="street", data=given)


def _line(name: str, kind: Kind, width: int) -> dict[str, Any]:
    return {"id": name, "kind": kind, "dash": PALETTE[kind].dash, "width": width}


@st.cache_resource(show_spinner=False)
def _pictures() -> np.ndarray:
    return street.morph(SEED, SHAPES)


def distance(card: Card, answers: Answers, T: float) -> None:
    """Say how far a teacher is from the true probabilities over the test images, at T = 1 and where it is nearest."""
    st.header(_("How far is the teacher from the truth?"), anchor=False)
    distances = _distances(card.sha256, data.load(card.dataset).sha256, answers)
    one, best = SCALE.index(1.0), int(distances.argmin())
    fields = dict(
        at_one=f"{distances[one]:.3f}", least=f"{distances[best]:.3f}", best=numbers.temperature(SCALE[best]),
        images=f"{len(answers):,}",
    )  # fmt: skip
    st.markdown(
        _(
            "Over {images} test images the teacher's shares are, on average, {at_one} nats from the true probabilities at T = 1, "
            "as KL(truth ‖ teacher), and at no other T of the scale nearer.",
            **fields,
        )
        if best == one
        else _(
            "Over {images} test images the teacher's shares are, on average, {at_one} nats from the true probabilities at T = 1, "
            "as KL(truth ‖ teacher), and nearest, {least} nats, at T = {best}.",
            **fields,
        )
    )
    st.markdown(
        _(
            "It answers {accuracy} rightly. Who reads the shape off every picture without fail, and answers with the likelier "
            "class, is expected to be right in {bayes}; nobody can do better.",
            accuracy=f"{card.accuracy:.2%}", bayes=f"{street.bayes_accuracy():.2%}",
        )
    )  # fmt: skip
    _distance(key="street_distance", data=_distance_data(distances, T))
    st.caption(
        _(
            "Pedestrians and dogs overlap with nothing by construction: their true probability is 1. That T is best on these "
            "test images for being true; the T that teaches a student best may be another."
        )
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _distances(weights_sha256: str, data_sha256: str, _answers: Answers) -> np.ndarray:
    assert _answers.shapes is not None
    p = street.posterior(_answers.labels, _answers.shapes)
    least = entropy(p)
    return np.asarray([float((cross_entropy(p, log_softmax(_answers.logits, T)) - least).mean()) for T in SCALE])


def _distance_data(distances: np.ndarray, T: float) -> dict[str, Any]:
    """Return what the browser is given of the distances: (temperatures,), in nats."""
    one, best = SCALE.index(1.0), int(distances.argmin())
    marks = [{"x": SCALE[at], "y": float(distances[at]), "text": text, "below": below} for at, text, below in (
        [(one, _("T = 1, the best"), False)] if best == one else [(one, "T = 1", False), (best, _("best"), True)]
    )]  # fmt: skip
    top = float(distances.max())
    step = next(step for step in (size * 10.0 ** floor(log10(top)) for size in (0.2, 0.25, 0.5, 1, 2)) if top / step <= 6)
    return {
        "T": T,
        "temperatures": list(SCALE),
        "distances": distances.tolist(),
        "marks": marks,
        "ticks": [round(step * number, 6) for number in range(ceil(top / step) + 1)],
        "lines": [_line("teacher", "teacher", 3)],
        **parts.colours(),
        "strings": {
            "teacher": _("teacher"),
            "along": _("temperature T"),
            "up": _("KL from the truth (nats)"),
            "fact": _(
                "The teacher is {at_one} nats from the true probabilities at T = 1, and nearest to them, {least} nats, at "
                "T = {best}.",
                at_one=f"{distances[one]:.3f}", least=f"{distances[best]:.3f}", best=numbers.temperature(SCALE[best]),
            ),
        },
    }  # fmt: skip
