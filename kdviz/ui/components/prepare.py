"""Asks the engine to fetch and prepare a dataset, shows how far it is, and can call it off."""

from __future__ import annotations

import streamlit as st

from kdviz import data
from kdviz.data.prepare import to_download
from kdviz.errors import UserError
from kdviz.i18n import N_, _
from kdviz.ui import language, server

LOOK_SECONDS = 0.5
STAGES = {
    "waiting": N_("waiting for another process"),
    "download": N_("downloading"),
    "drawing": N_("drawing the pictures"),
    "files": N_("looking at the images"),
    "arrays": N_("preparing the images"),
    "nearness": N_("learning what its images are like"),
    "logits": N_("asking the teachers"),
}


def button(dataset: str) -> None:
    """Show a button that prepares a dataset and the answers of its teachers; while that runs, its progress and a way out."""
    key = f"prepare_{dataset}"
    try:
        store = server.store()
        # Where its files lie is of no interest once it is prepared.
        megabytes = 0 if data.prepared_folder(dataset) is not None else to_download(dataset)
    except UserError as error:
        st.error(error.translated())
        return
    asked = st.session_state.get(key)
    question = store.question(asked) if asked is not None else None
    if question is not None and question.state in ("queued", "running"):
        _progress(key)
        return
    if question is not None and question.state == "failed" and question.error:
        from kdviz.store import shown_error  # SQLAlchemy, which the first page does without

        st.error(shown_error(question.error))
    if question is not None and question.state == "stopped":
        st.info(_("The preparation of {dataset} was cancelled.", dataset=data.title(dataset)))
    label = (
        _("Prepare {dataset} (about {megabytes} MB to download)", dataset=data.title(dataset), megabytes=megabytes)
        if megabytes
        else _("Prepare {dataset}", dataset=data.title(dataset))
    )
    if st.button(label, type="primary", icon=":material/download:", key=f"{key}_button"):
        st.session_state[key] = store.ask("prepare", {"dataset": dataset})
        st.rerun()


@language.fragment(LOOK_SECONDS)
def _progress(key: str) -> None:
    store = server.store()
    question = store.question(st.session_state[key])
    if question is None or question.state not in ("queued", "running"):
        st.rerun()
    progress = question.progress
    if progress is None:
        st.progress(0.0, _("waiting for the engine"))
    else:
        st.progress(float(progress["share"]), _(STAGES[progress["stage"]]))
    st.button(_("Cancel"), icon=":material/close:", key=f"{key}_cancel", on_click=store.cancel_question, args=(question.id,))
