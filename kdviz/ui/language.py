"""The reader's language: chosen once, in one place, for every page. From the link, else the session, else the browser."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from kdviz import i18n
from kdviz.errors import UnknownName, quoted
from kdviz.i18n import N_, _

Given = ParamSpec("Given")

SHORT = {"en": "EN", "zh_Hant": "中文"}
OPEN = ("settings", "older_runs")
"""The keys of what a reader opens and closes, and what is made only while it is open."""


def settle() -> None:
    """Set the language of this run. Call it first: everything after it is translated."""
    state = st.session_state
    asked = st.query_params.get("lang")
    if asked is not None and re.split("[-_]", asked.lower())[0] not in ("en", "zh"):
        state["language_wrong"], asked = asked, None
        del st.query_params["lang"]
    if asked is not None and asked != state.get("language_link"):
        state["language"] = state["language_link"] = i18n.best_match(asked)
        if asked != state["language"]:  # zh-TW, say
            st.query_params["lang"] = state["language"]
    elif "language" not in state:
        state["language"] = i18n.best_match(st.context.locale)
    i18n.use(state["language"])
    if state.get("language_spoken", state["language"]) != state["language"]:
        _choose_again()
    state["language_spoken"] = state["language"]
    # Streamlit empties the link when the reader goes to another page; a language that was asked for stays in it.
    if asked is None and "language_link" in state:
        st.query_params["lang"] = state["language_link"]


def _choose_again() -> None:
    """Choose in every widget what is chosen there: the browser has the choice in words, and those of the other language."""
    state = st.session_state
    for key in list(state):
        if isinstance(value := state[key], (str, list, int)) and (not isinstance(value, bool) or key in OPEN):  # no buttons
            state[key] = value


def tell() -> None:
    """Say that the link asked for a language that is not there. Call it once the page has its title."""
    wrong = st.session_state.pop("language_wrong", None)
    if wrong is not None:
        error = UnknownName(N_("unknown language {name}; known: {known}"), name=quoted(wrong, 40), known=list(i18n.LANGUAGES))
        st.warning(_("The link was not followed: {problem}; the page shows its own choice instead.", problem=error.translated()))


def control() -> None:
    """Show the choice of language. It takes effect in the run that follows the click, and is kept in the link."""
    st.segmented_control(
        _("Language"),
        list(i18n.LANGUAGES),
        format_func=lambda code: SHORT[code],
        key="language",
        required=True,
        label_visibility="collapsed",
        on_change=_keep,
    )


def fragment(run_every: float | None = None) -> Callable[[Callable[Given, None]], Callable[Given, None]]:
    """Return st.fragment for a function that speaks: run again by itself, without main.py, it would speak English."""

    def decorated(function: Callable[Given, None]) -> Callable[Given, None]:
        @functools.wraps(function)
        def spoken(*args: Given.args, **kwargs: Given.kwargs) -> None:
            i18n.use(st.session_state["language"])
            function(*args, **kwargs)

        return st.fragment(spoken, run_every=run_every)

    return decorated


def _keep() -> None:
    st.session_state["language_link"] = st.session_state["language"]
    st.query_params["lang"] = st.session_state["language"]
