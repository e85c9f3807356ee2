"""What a reader expects of an experiment, asked for before anything of its result is shown, and what came out beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from kdviz.i18n import _
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.ui.paper_state import NOTHING


def ask(predictions: Mapping[str, str], key: str, expect: Callable[[str], None]) -> None:
    """Ask what the reader expects: a button for each outcome. predictions: messages; expect: called with the one chosen."""
    st.markdown(f"### {_('What do you expect?')}", anchors=False)
    with st.container(gap="xsmall"):
        for outcome, words in predictions.items():
            if outcome != "unknown":  # nobody expects of a measurement that it tells nothing
                st.button(_(words), key=f"{key}_{outcome}", on_click=expect, args=(outcome,))
        st.button(
            _("Show me without predicting"), key=f"{key}_{NOTHING}", type="tertiary", on_click=expect, args=(NOTHING,)
        )  # fmt: skip


def prediction(predictions: Mapping[str, str], expected: str | None, outcome: str) -> None:
    """Say what came out beside what was expected."""
    here = _(predictions[outcome])
    if expected is None or expected == NOTHING:
        words = _("What came out: {outcome}", outcome=here)
    elif expected == outcome:
        words = _("You expected, and so it came out: {outcome}", outcome=here)
    else:
        st.markdown(_("You expected: {expected}", expected=_(predictions[expected])))
        words = _("What came out: {outcome}", outcome=here)
    st.markdown(f"### {words}", anchors=False)


def sentence(message: str, fields: Mapping[str, str]) -> str:
    """Return a sentence of a verdict in the reader's language; a bug by its title, not by the name the command line gives it;
    groups of classes by the names that the other pages have."""
    known = dict(fields)
    if "groups" in known:
        groups = [[_(name) for name in group.split(", ")] for group in known["groups"].split("; ")]
        known["groups"] = _("; ").join(_(", ").join(group) for group in groups)
    if known.get("bug") in MISCONCEPTIONS:
        known["bug"] = _(MISCONCEPTIONS[known["bug"]].title)
    return _(message, **known)
