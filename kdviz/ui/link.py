"""A page's settings in its link: one table says how each is read; what it may be is checked there and nowhere else.

The link is read when a page is opened by it, and again after the browser's back or forward. It is written when the reader
changes something, so that a link copied then shows the same view. The values live in the session under the table's keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from kdviz.errors import UserError
from kdviz.i18n import _


@dataclass(frozen=True)
class Setting:
    """One setting of a page. name: in the link; key: in the session.

    read turns the link's text into the value, or raises UserError; default gives the value where the link says nothing. Both
    may use the values of the settings above theirs, which they are given by name. write turns the value into text.
    """

    name: str
    key: str
    read: Callable[[str, dict[str, Any]], Any]
    default: Callable[[dict[str, Any]], Any]
    write: Callable[[Any], str] = str


def read(page: str, table: Sequence[Setting]) -> None:
    """Put into the session what the link says, or the defaults; say in one sentence what it got wrong."""
    state = st.session_state
    given = {setting.name: st.query_params[setting.name] for setting in table if setting.name in st.query_params}
    # Streamlit drops the values of widgets, and empties the link, when the reader goes to another page. Coming back, they return.
    shown: dict[str, Any] = state.get(f"{page}_shown", {})
    for setting in table:
        if setting.name in shown and setting.key not in state:
            state[setting.key] = shown[setting.name]
    if shown and any(state[setting.key] != shown[setting.name] for setting in table):
        # The reader has gone on. A link that says otherwise is old: the browser sent it before it heard of the last one written.
        state[f"{page}_problems"] = []
    elif not shown or (given != state.get(f"{page}_link") and not (state.get("entering") and not given)):
        state[f"{page}_link"] = given
        state[f"{page}_problems"] = []
        values: dict[str, Any] = {}
        for setting in table:
            value = None
            if setting.name in given:
                try:
                    value = setting.read(given[setting.name], values)
                except UserError as error:
                    state[f"{page}_problems"].append(error)
            values[setting.name] = setting.default(values) if value is None else value
            state[setting.key] = values[setting.name]
        state[f"{page}_shown"] = values
    for problem in state[f"{page}_problems"]:
        st.warning(
            _("The link was not followed: {problem}; the page shows its own choice instead.", problem=problem.translated())
        )


def visit(page: str) -> None:
    """Note in the session whether this run comes to a page from another one. main.py says so before the page runs."""
    st.session_state["entering"] = st.session_state.get("page") != page
    st.session_state["page"] = page


def write(page: str, table: Sequence[Setting]) -> None:
    """Write the settings into the link if the reader has changed any since it was read or written."""
    state = st.session_state
    values = {setting.name: state[setting.key] for setting in table}
    link = {setting.name: setting.write(values[setting.name]) for setting in table}
    changed = values != state[f"{page}_shown"]
    if changed or (state[f"{page}_link"] and not any(name in st.query_params for name in link)):
        st.query_params.update(link)
        state[f"{page}_link"], state[f"{page}_shown"], state[f"{page}_problems"] = link, values, []
