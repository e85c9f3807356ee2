"""Widgets made from RunSpec: every knob with its range and unit, and the spec that they say."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kdviz import data, knobs, spec, teachers
from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.spec import GRID, KNOBS, RunSpec
from kdviz.ui import words

STUDENTS = ["linear", "mlp-30-30", "mlp-100", "mlp-300-300", "mlp-800-800", "cnn", "cnn-16-32-32"]
FIRST = ("dataset", "teacher", "student", "temperature", "seeds", "epochs")


def key(name: str) -> str:
    return f"spec_{name}"


def fill(values: RunSpec) -> None:
    """Put a spec into the widgets. Call before they are shown, or from a callback."""
    for name in KNOBS:
        st.session_state[key(name)] = _shown(name, getattr(values, name))


def _shown(name: str, value: Any) -> Any:
    """Return a knob's value as its widget has it."""
    if name == "student" or knobs.of_names(KNOBS[name]):
        return list(value)
    return knobs.written(value).replace(",", ", ") if isinstance(value, tuple) else value


def read() -> RunSpec | UserError:
    """Return the spec that the widgets say and that can be started here, or the one sentence about what is wrong with it."""
    asked = said()
    try:
        if isinstance(asked, RunSpec):
            teachers.verify(teachers.find(asked.dataset, asked.teacher))
    except UserError as error:
        return error
    return asked


def said() -> RunSpec | UserError:
    """Return the spec that the widgets say, whether or not its teacher is here, or what is wrong with it."""
    values: dict[str, Any] = {}
    for name, knob in KNOBS.items():
        value = st.session_state[key(name)]
        values[name] = spec.read(name, str(value)) if isinstance(knob.default, tuple) and not isinstance(value, list) else value
    try:
        return RunSpec.from_dict(values)
    except UserError as error:
        return error


def form() -> None:
    """Show all widgets, those most often turned first."""
    with st.container(horizontal=True):
        for name in FIRST:
            _widget(name)
    st.caption(_("Less often turned"))
    with st.container(horizontal=True):
        for name in KNOBS:
            if name not in FIRST:
                _widget(name)


def table() -> None:
    """Show what the widgets are set to, as text."""
    values = {name: st.session_state[key(name)] for name in KNOBS}
    shown = {name: words.setting(name, value) if isinstance(value, list) else str(value) for name, value in values.items()}
    st.table({_(knob.metadata["label"]): shown[name] or _("none") for name, knob in KNOBS.items()}, border="horizontal")


def _widget(name: str) -> None:
    knob = KNOBS[name]
    meta = knob.metadata
    label = _(meta["label"])
    if meta["low"] is not None and not isinstance(knob.default, tuple):
        limits = {"label": label, "low": f"{meta['low']:g}", "high": f"{meta['high']:g}"}
        label = (
            _("{label} ({low} to {high} {unit})", unit=_(meta["unit"]), **limits)
            if meta["unit"]
            else _("{label} ({low} to {high})", **limits)
        )
    help = _(meta["help"])
    width = 250
    if name == "dataset":
        known = data.names()
        if st.session_state[key(name)] not in known:  # its images were removed meanwhile
            fill(RunSpec())
        st.selectbox(
            label, known, key=key(name), help=help, on_change=_dataset_changed, width=width, format_func=data.title
        )  # fmt: skip
    elif name == "teacher":
        trained = [card.short for card in teachers.of(st.session_state[key("dataset")])]
        if st.session_state[key(name)] not in trained and trained:
            st.session_state[key(name)] = trained[0]
        st.selectbox(label, trained or [st.session_state[key(name)]], key=key(name), help=help, width=width)
    elif name == "student":
        networks = dict.fromkeys([*STUDENTS, *st.session_state[key(name)]])
        st.multiselect(
            label, list(networks), key=key(name), help=help, accept_new_options=True, placeholder=_("none"), select_all=False,
            width=width,
        )  # fmt: skip
    elif knobs.of_names(knob):
        st.multiselect(
            label, list(meta["choices"]), key=key(name), help=help, placeholder=_("none"), select_all=False, width=width,
            format_func=lambda value: words.value(name, value),
        )  # fmt: skip
    elif meta["choices"]:
        st.selectbox(label, list(meta["choices"]), key=key(name), help=help, width=width)
    elif isinstance(knob.default, tuple):
        limits = {"label": label, "low": f"{meta['low']:g}", "high": f"{meta['high']:g}"}
        label = _("{label} ({low} to {high})", **limits) if name in GRID else label
        st.text_input(label, key=key(name), help=help, placeholder=_("none"), width=width)
    else:
        whole = isinstance(knob.default, int)  # a default of None is a number that may be left out
        convert = int if whole else float
        st.number_input(
            label, min_value=convert(meta["low"]), max_value=convert(meta["high"]), key=key(name), help=help, width=width,
            step=1 if whole else None, format="%d" if whole else "%g",
            placeholder=_("as the others") if knob.default is None else None,
        )  # fmt: skip


def _dataset_changed() -> None:
    """Another dataset has other defaults: take them, and keep what does not depend on it."""
    chosen = st.session_state[key("dataset")]
    for name, knob in KNOBS.items():
        if knob.metadata["by_dataset"]:
            st.session_state[key(name)] = _shown(name, spec.defaults(chosen)[name])
    trained = [card.short for card in teachers.of(chosen)]
    if trained and st.session_state[key("teacher")] not in trained:
        st.session_state[key("teacher")] = trained[0]
    st.session_state[key("classes_left_out")] = ""
