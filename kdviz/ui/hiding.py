"""Controls that a link hides, so that a class sees fewer: `hide=settings,runs`. A table says which there are.

A hidden control hides no result: what it was set to stands in its place as text. A link is an arrangement, no protection:
whoever likes brings the controls back.
"""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from kdviz.errors import UnknownName, quoted
from kdviz.i18n import N_, Message, _


class Control(NamedTuple):
    """A control or a group of them that may be hidden. page: the only one that has it, by its address; empty for every page."""

    title: Message
    page: str = ""


CONTROLS = {
    "pages": Control(N_("The other pages")),
    "dataset": Control(N_("Choice of the dataset"), "soft-targets"),
    "teacher": Control(N_("Choice of the teacher"), "soft-targets"),
    "T": Control(N_("Temperature T"), "soft-targets"),
    "log": Control(N_("Log scale"), "soft-targets"),
    "own": Control(N_("Your own picture"), "soft-targets"),
    "gallery": Control(N_("Gallery of test images"), "soft-targets"),
    "kind": Control(N_("Choice between comparison and sweep"), "distill"),
    "presets": Control(N_("Ready-made settings"), "distill"),
    "settings": Control(N_("Settings"), "distill"),
    "start": Control(N_("Start"), "distill"),
    "runs": Control(N_("Earlier runs"), "distill"),
}
LINK, HIDDEN, WRONG = "hide", "hidden", "hidden_wrong"


def settle() -> None:
    """Read from the link what is hidden. Call it before the first control."""
    state, asked = st.session_state, st.query_params.get(LINK)
    state.setdefault(HIDDEN, [])
    if asked is not None and asked != written(state[HIDDEN]):
        names = dict.fromkeys(name for part in asked.split(",") if (name := part.strip()))
        unknown = [name for name in names if name not in CONTROLS]
        state[HIDDEN] = [name for name in names if name in CONTROLS]
        state[WRONG] = unknown[0] if unknown else None
    if state[HIDDEN]:  # Streamlit empties the link when the reader goes to another page
        if asked != written(state[HIDDEN]):
            st.query_params[LINK] = written(state[HIDDEN])
    elif asked is not None:
        del st.query_params[LINK]


def hidden(name: str) -> bool:
    """Return whether the link hides a control of the table."""
    assert name in CONTROLS
    return name in st.session_state.get(HIDDEN, ())


def instead(name: str, label: str, value: str) -> bool:
    """Return whether the link hides a control, and if so, say in its place what it is set to."""
    if hidden(name):
        st.markdown(_("{label}: **{value}**", label=label, value=value), width="content")
    return hidden(name)


def written(names: list[str]) -> str:
    """Return what the link says to hide these controls."""
    return ",".join(names)


def note(page: str) -> None:
    """Say that controls of this page are hidden and give them back on request; say what the link asked for and is unknown."""
    state = st.session_state
    if any(CONTROLS[name].page in ("", page) for name in state[HIDDEN]):
        with st.container(horizontal=True, vertical_alignment="center", key="hiding"):
            st.markdown(_("This link hides some of the controls."), width="content")
            st.button(_("Show all"), key="show_all", type="tertiary", on_click=_show_all)
    if state.get(WRONG) is not None:
        error = UnknownName(
            N_("unknown control {name}; known: {known}"), name=quoted(state[WRONG], 40), known=list(CONTROLS)
        )  # fmt: skip
        st.warning(_("The link was not followed: {problem}; that part of it hides nothing.", problem=error.translated()))
        state[WRONG] = None


def _show_all() -> None:
    st.session_state[HIDDEN] = []
    if LINK in st.query_params:
        del st.query_params[LINK]
