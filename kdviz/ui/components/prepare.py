"""Asks the engine to fetch and prepare a dataset, and shows how far it is."""

from __future__ import annotations

import streamlit as st

from kdviz import data
from kdviz.errors import UserError
from kdviz.i18n import N_, _
from kdviz.store import shown_error
from kdviz.ui import language, server

LOOK_SECONDS = 0.5
STAGES = {"download": N_("downloading"), "arrays": N_("preparing the images"), "logits": N_("asking the teachers")}


def button(dataset: str) -> None:
    """Show a button that prepares a dataset and the answers of its teachers; while that runs, its progress."""
    key = f"prepare_{dataset}"
    try:
        store = server.store()
    except UserError as error:
        st.error(error.translated())
        return
    asked = st.session_state.get(key)
    question = store.question(asked) if asked is not None else None
    if question is not None and question.state == "failed" and question.error:
        st.error(shown_error(question.error))
    if question is None or question.state in ("done", "failed"):
        megabytes = data.source(dataset).megabytes
        label = (
            _("Prepare {dataset} (about {megabytes} MB to download)", dataset=dataset, megabytes=megabytes)
            if megabytes and data.prepared_folder(dataset) is None
            else _("Prepare {dataset}", dataset=dataset)
        )
        if st.button(label, type="primary", icon=":material/download:", key=f"{key}_button"):
            st.session_state[key] = store.ask("prepare", {"dataset": dataset})
            st.rerun()
        return
    _progress(key)


@language.fragment(LOOK_SECONDS)
def _progress(key: str) -> None:
    question = server.store().question(st.session_state[key])
    if question is None or question.state in ("done", "failed"):
        st.rerun()
    progress = question.progress
    if progress is None:
        st.progress(0.0, _("waiting for the engine"))
    else:
        st.progress(float(progress["share"]), _(STAGES[progress["stage"]]))
