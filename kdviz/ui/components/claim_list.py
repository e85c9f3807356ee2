"""The list of the paper's claims: in chapters, each claim a button with its question beside it."""

from __future__ import annotations

import streamlit as st

from kdviz import experiments
from kdviz.i18n import _
from kdviz.ui import paper_state


def show() -> None:
    """Show every experiment; those of which the reader has said what they expect carry a tick."""
    st.markdown(
        _(
            "What Hinton, Vinyals and Dean claimed of distillation in 2015, and what was asked after them. Each claim is a "
            "button: say first what you expect, then see what came out, and run it on this machine yourself."
        )
    )
    number = 0
    for title, listed in experiments.chapters():
        st.header(_(title), anchor=False)
        for one in listed:
            number += 1
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    _("{number}. {title}", number=number, title=_(one.title)), key=f"claim_{one.name}", width=280,
                    on_click=paper_state.open_experiment, args=(one.name,),
                    icon=":material/check:" if any(map(paper_state.predicted, one.others.values() or [one.name])) else None,
                )  # fmt: skip
                st.markdown(_(one.question, **one.fields), width="content")
