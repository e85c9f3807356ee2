"""The button that runs something of the page The paper here, how long that takes, and what keeps it from starting at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from kdviz import engine
from kdviz.i18n import _
from kdviz.store import Store


def show(store: Store, key: str, again: bool, duration: str | None, run: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Show it. again: whether it has been run here; duration: a text, None where it is not known; run, args: what is called."""
    st.button(
        _("Run it again") if again else _("Run it here"), icon=":material/play_arrow:", key=key,
        type="secondary" if again else "primary", on_click=run, args=args,
    )  # fmt: skip
    if duration is not None:
        st.caption(duration, width="content")
    if engine.state(store) != "ready":
        st.caption(_("The engine is starting."), width="content")


def start_over(key: str, run: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Show the button that does the whole again where it was stopped."""
    st.button(_("Start over"), icon=":material/restart_alt:", key=key, type="tertiary", on_click=run, args=args)


def seconds(of: float) -> str:
    """Say how long it takes as this machine has measured its runs."""
    return _("about {seconds} s on this machine", seconds=f"{max(1.0, of):.0f}")
