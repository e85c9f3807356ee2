"""Teachers: which there are; one more, trained here, live; and the reader's own images to train one on."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kdviz import data, engine, pace, teachers
from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.spec import TeacherSpec
from kdviz.ui import server, teachers_state
from kdviz.ui.components import own_folder, prepare, run_list, run_view, teacher_form

ROWS = 8
state = st.session_state

store = server.store()


open_run, choose = partial(teachers_state.open_run, store), teachers_state.choose


def start() -> None:
    asked = teacher_form.read()
    if not isinstance(asked, UserError):
        state["teachers_run"] = store.add_run(asked)
        own_folder.forget()


teachers_state.settle(store)
own_folder.settle(store, choose)
if state[teacher_form.DATASET] not in data.names():  # removed, here or in another tab
    choose(next(iter(data.SOURCES)))
opened: str | None = state["teachers_run"]
run = store.run(opened) if opened is not None else None
if run is None:  # deleted, here or in another tab
    opened = state["teachers_run"] = None
teachers_state.keep(store)

st.markdown(_("A teacher is a trained network whose soft targets students learn from. These are here:"))
cards = teachers.cards()
rows = [
    {
        _("dataset"): data.title(card.dataset),
        _("network"): card.short,
        _("accuracy"): 100 * card.accuracy,
        _("errors"): card.errors,
        _("test images"): card.test_images,
        _("members"): card.members,
        _("parameters"): card.members * card.parameters,
        _("size in MB"): card.members * card.bytes / 1e6,
        _("trained on"): card.date,
        _("copy of the images"): _(card.copy) if card.copy else "",
    }
    for card in cards
]
column = st.column_config.NumberColumn
st.dataframe(
    rows, hide_index=True, height="auto" if len(rows) <= ROWS else 35 * (ROWS + 1) + 3,
    column_order=None if any(card.copy for card in cards) else list(rows[0])[:-1] if rows else None,
    column_config={
        _("accuracy"): column(format="%.2f %%", help=_("of the test images answered rightly")),
        _("errors"): column(format="localized"),
        _("test images"): column(format="localized"),
        _("members"): column(help=_("networks that answer together, by the mean of their logits")),
        _("parameters"): column(format="localized", help=_("of all members")),
        _("size in MB"): column(format="%.2f", help=_("of the weights of all members, in fp32")),
    },
    alt=_("The trained teachers, with their accuracy and size"),
)  # fmt: skip

st.header(_("Train a teacher"), anchor=False)
own_folder.show(store, choose)
teacher_form.form()
asked = teacher_form.read()
running = run is not None and not run.over
if isinstance(asked, UserError):
    st.error(asked.translated())
elif data.prepared_folder(asked.dataset) is None:
    st.info(_("{dataset} is not on this machine yet.", dataset=data.title(asked.dataset)))
    prepare.button(asked.dataset)
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Start"), icon=":material/play_arrow:", key="teachers_start", on_click=start, disabled=running,
            type="secondary" if own_folder.undecided() else "primary",
        )  # fmt: skip
        seconds = pace.teacher_seconds(asked, store.fact)
        if seconds is not None:
            st.caption(teacher_form.expected(seconds))
        if engine.state(store) != "ready":
            st.caption(_("The engine is starting."))
    taken = teacher_form.replaced(asked)
    if taken is not None and not running:
        st.caption(taken)

if run is not None:
    run_view.live(store, run.id)
    if run.state == "done" and isinstance(run.spec, TeacherSpec):
        trained = {"dataset": run.spec.dataset, "teacher": run.spec.network}
        with st.container(horizontal=True):
            st.page_link(
                "app_pages/soft_targets.py", label=_("See its soft targets"), icon=":material/bar_chart:", query_params=trained
            )
            st.page_link(
                "app_pages/distill.py", label=_("Distill a student from it"), icon=":material/school:", query_params=trained
            )

st.header(_("Earlier runs"), anchor=False)
run_list.show(store, opened, open_run, TeacherSpec)
