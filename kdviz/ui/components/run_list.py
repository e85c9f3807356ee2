"""The runs of this store: open, overlay, rename, delete."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import streamlit as st

from kdviz.i18n import N_, _
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import Run, Store, shown_error
from kdviz.ui import shown

FIRST = 8
STATES = {
    "queued": N_("waiting"),
    "running": N_("training"),
    "paused": N_("paused"),
    "done": N_("done"),
    "stopped": N_("stopped"),
    "failed": N_("failed"),
}


def overlaid() -> list[str]:
    """Return the ids of the runs that the reader has asked to lay over the one that is shown."""
    prefix = "overlay_"
    return [str(key).removeprefix(prefix) for key, on in st.session_state.items() if str(key).startswith(prefix) and on]


def show(store: Store, opened: str | None, open_run: Callable[[str], None], kind: type[RunSpec] | type[TeacherSpec]) -> None:
    """List the newest runs of a kind. open_run: called with the id of the run that the reader opens."""
    runs = [run for run in store.runs() if isinstance(run.spec, kind)]
    if not runs:
        st.caption(_("No runs yet. Those you start are kept here, also after a restart."))
        return
    for run in runs[:FIRST]:
        _entry(store, run, opened, open_run)
    if len(runs) > FIRST:
        # Made only while it is open: there may be a hundred, and each has six elements.
        older = st.expander(_("Older runs ({count})", count=len(runs) - FIRST), key="older_runs", on_change="rerun")
        with older:
            for run in runs[FIRST:] if older.open else []:
                _entry(store, run, opened, open_run)


def _entry(store: Store, run: Run, opened: str | None, open_run: Callable[[str], None]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=run.id == opened):
        st.button(
            shown.name(run), key=f"open_{run.id}", type="tertiary", on_click=open_run, args=(run.id,), width="content",
            help=shown.summary(run.spec) if run.name else None,
        )  # fmt: skip
        when = datetime.datetime.fromtimestamp(run.created, datetime.UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        st.caption(_("{state}, {when}", state=_(STATES[run.state]), when=when), width="content")
        if run.error:
            st.caption(f":red[{shown_error(run.error)}]", width="content")
        if run.id != opened and isinstance(run.spec, RunSpec):
            st.checkbox(_("overlay"), key=f"overlay_{run.id}", help=_("lay this run's curves, faint, over those shown"))
        with st.popover(_("More"), icon=":material/more_horiz:", help=_("rename or delete")):
            st.text_input(
                _("Name"), value=run.name, key=f"name_{run.id}", max_chars=80, on_change=_rename, args=(store, run.id),
                placeholder=shown.summary(run.spec),
            )  # fmt: skip
            st.button(
                _("Delete this run"), icon=":material/delete:", key=f"delete_{run.id}", on_click=store.delete, args=(run.id,)
            )


def _rename(store: Store, run_id: str) -> None:
    store.rename(run_id, st.session_state[f"name_{run_id}"].strip())
