"""From car to truck: one drawing whose shape the reader changes, the teacher's answer beside the true probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from kdviz import data, figures
from kdviz.data import street
from kdviz.figures import bars, numbers, truth
from kdviz.i18n import _
from kdviz.soft_targets import cross_entropy, entropy, log_softmax, softmax
from kdviz.teachers import Card
from kdviz.ui import asking, language
from kdviz.ui.components import pictures
from kdviz.ui.galleries import SCALE, Answers

SEED = 11
SHAPES = np.linspace(0, 1, 41)
SHAPE = "soft_targets_shape"
SIDE = 208  # pixels of the picture on the page


def truth_of(answers: Answers, number: int) -> np.ndarray:
    """Return the true probabilities of a test image, (classes,)."""
    assert answers.shapes is not None
    return np.asarray(street.posterior(answers.labels[[number]], answers.shapes[[number]])[0])


def morph(card: Card, T: float, names: Sequence[str], theme: figures.Theme) -> None:
    """Show the slider of the body shape, the picture, the teacher's shares and the true ones, and both along all shapes."""
    st.subheader(_("From car to truck"), anchor=False)
    st.markdown(
        _(
            "kdviz draws these pictures, so it knows what no photograph tells: how probable a truck is. Cars and trucks lie on "
            "one body shape s. Each class draws its s from a density of its own, and where the two overlap nobody can be sure."
        )
    )
    answer = asking.see(card, _pictures())
    st.session_state.setdefault(SHAPE, 0.5)
    language.fragment()(_morph)(None if answer is None else answer.logits, T, names, theme)


def _morph(logits: np.ndarray | None, T: float, names: Sequence[str], theme: figures.Theme) -> None:
    s = st.select_slider(
        _("Body shape s"), SHAPES.round(3).tolist(), key=SHAPE, format_func=lambda value: f"{value:.3g}",
        help=_("0 is a typical car, 1 a typical truck; the background and everything else stay as they are"),
    )  # fmt: skip
    at = int(np.abs(SHAPES - s).argmin())
    posterior = street.posterior(np.full(len(SHAPES), street.CAR), SHAPES)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=SIDE):
            drawn = _pictures()[at]
            st.image(pictures.png(drawn, SIDE), width=pictures.width(drawn, SIDE), alt=_("A vehicle of shape {s}", s=f"{s:.3g}"))
        if logits is None:
            return
        panels = [
            bars.Panel("teacher", _("teacher"), _("T = {T}", T=numbers.temperature(1.0)), softmax(logits[at])),
            bars.Panel("teacher", _("teacher"), _("T = {T}", T=numbers.temperature(T)), softmax(logits[at], T)),
            bars.Panel("ground_truth", _("true probability"), _("given s"), posterior[at]),
        ]
        drawing = bars.shares(panels, names, theme)
        with st.container(width="stretch"):
            st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="street_bars")
    drawing = truth.along_shape(
        SHAPES, posterior[:, street.TRUCK], softmax(logits)[:, street.TRUCK], softmax(logits, T)[:, street.TRUCK], T, s, theme
    )
    st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="street_curve")


@st.cache_resource(show_spinner=False)
def _pictures() -> np.ndarray:
    return street.morph(SEED, SHAPES)


def distance(card: Card, answers: Answers, T: float, theme: figures.Theme) -> None:
    """Say how far a teacher is from the true probabilities over the test images, at T = 1 and where it is nearest."""
    st.subheader(_("How far is the teacher from the truth?"), anchor=False)
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
    drawing = truth.over_temperature(SCALE, distances, T, theme)
    st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="street_distance")
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
