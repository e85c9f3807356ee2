"""A page's settings in its link: one table says how each is read; what it may be is checked there and nowhere else.

The link is read when a page is opened by it, and again after the browser's back or forward. It is written when the reader
changes something, so that a link copied then shows the same view. The values live in the session under the table's keys.

Soft targets has its table in `subject.py`. That of Distill is RunSpec, whose knobs are right or wrong together: its state
(`distill_state.py`) reads and writes it by the same steps, `restore`, `sent`, `opened` and `keep`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import streamlit as st

from kdviz.errors import UserError
from kdviz.i18n import _


class Elsewhere(UserError):
    """What a link names is not on this machine. Its sentence says so whole, and what the page shows instead."""


@dataclass(frozen=True)
class Setting:
    """One setting of a page. name: in the link; key: in the session.

    read turns the link's text into the value, or raises UserError; default gives the value where the link says nothing. Both
    may use the values of the settings above theirs, which they are given by name. write turns the value into text, or into None
    where the link need not say it.
    """

    name: str
    key: str
    read: Callable[[str, dict[str, Any]], Any]
    default: Callable[[dict[str, Any]], Any]
    write: Callable[[Any], str | None] = str


def read(page: str, table: Sequence[Setting]) -> None:
    """Put into the session what the link says, or the defaults; say in one sentence what it got wrong."""
    state, keys = st.session_state, {setting.name: setting.key for setting in table}
    restore(page, keys)
    given = sent(page, keys)
    if given is not None:
        values: dict[str, Any] = {}
        problems: list[UserError] = []
        for setting in table:
            value = None
            if setting.name in given:
                try:
                    value = setting.read(given[setting.name], values)
                except UserError as error:
                    problems.append(error)
            values[setting.name] = setting.default(values) if value is None else value
            state[setting.key] = values[setting.name]
        opened(page, keys, problems)
    tell(page)


def write(page: str, table: Sequence[Setting]) -> None:
    """Write the settings into the link if the reader has changed any since it was read or written."""
    texts = {setting.name: setting.write(st.session_state[setting.key]) for setting in table}
    keep(page, {setting.name: setting.key for setting in table}, {name: text for name, text in texts.items() if text is not None})


def visit(page: str) -> None:
    """Note in the session whether this run comes to a page from another one. main.py says so before the page runs."""
    st.session_state["entering"] = st.session_state.get("page") != page
    st.session_state["page"] = page


def full(page: str) -> dict[str, str]:
    """Return all that a page's link says when nothing is left out, also where the address itself is still bare."""
    written: dict[str, str] = st.session_state.get(f"{page}_full", {})
    return written


def is_id(text: str | None) -> TypeGuard[str]:
    """Return whether a link's text may be the id of a run; a store need not be asked for anything else."""
    return text is not None and len(text) <= 40 and text.isascii() and text.isalnum()


# The steps. keys: the session's key of each name that a page has in its link.


def restore(page: str, keys: Mapping[str, str]) -> None:
    """Put back what Streamlit dropped when the reader went to another page: it drops the values of widgets."""
    state = st.session_state
    for name, value in state.get(f"{page}_shown", {}).items():
        if keys[name] not in state:
            state[keys[name]] = value


def sent(page: str, keys: Mapping[str, str]) -> dict[str, str] | None:
    """Return what the link says, by name, where the page is to follow it now; None where the session has the say."""
    state = st.session_state
    given = {name: st.query_params[name] for name in keys if name in st.query_params}
    shown: dict[str, Any] | None = state.get(f"{page}_shown")
    if shown is not None and any(state[key] != shown[name] for name, key in keys.items()):
        # The reader has gone on. A link that says otherwise is old: the browser sent it before it heard of the last one written.
        state[f"{page}_problems"] = []
        return None
    # Streamlit empties the link when the reader goes to another page: what is empty on coming back says nothing.
    if shown is not None and (given == state[f"{page}_link"] or (state.get("entering") and not given)):
        return None
    state[f"{page}_link"] = given
    return given


def opened(page: str, keys: Mapping[str, str], problems: Sequence[UserError]) -> None:
    """Note that the session is as the link says, but for what was wrong with it."""
    st.session_state[f"{page}_shown"] = {name: st.session_state[key] for name, key in keys.items()}
    st.session_state[f"{page}_problems"] = list(problems)


def tell(page: str) -> None:
    """Say what was wrong with the link, until the reader changes something."""
    for problem in st.session_state[f"{page}_problems"]:
        if isinstance(problem, Elsewhere):
            st.warning(problem.translated())
        else:
            st.warning(
                _("The link was not followed: {problem}; the page shows its own choice instead.", problem=problem.translated())
            )


def keep(page: str, keys: Mapping[str, str], link: Mapping[str, str]) -> None:
    """Write a link if the session is no longer as it was when one was read or written, or if Streamlit has emptied it."""
    state = st.session_state
    state[f"{page}_full"] = dict(link)
    values = {name: state[key] for name, key in keys.items()}
    emptied = state[f"{page}_link"] and not any(name in st.query_params for name in keys)
    if values != state[f"{page}_shown"] or emptied:
        for name in keys:
            if name not in link and name in st.query_params:
                del st.query_params[name]
        st.query_params.update(link)
        state[f"{page}_link"], state[f"{page}_shown"], state[f"{page}_problems"] = dict(link), values, []
    elif "run" in st.query_params and "run" not in link:  # one that is not in this store
        del st.query_params["run"]
        state[f"{page}_link"].pop("run", None)
