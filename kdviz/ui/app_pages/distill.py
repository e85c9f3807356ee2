"""Distill: a student on soft targets and the same student on hard labels, trained here, live, with seeds and a verdict."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kdviz import data, engine, pace, presets
from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.spec import RunSpec
from kdviz.ui import distill_state, hiding, server, shown
from kdviz.ui.components import prepare, run_list, run_view, spec_form

state = st.session_state

store = server.store()


opened = distill_state.settle(store)
open_run = partial(distill_state.open_run, store)

sweep = state["distill_kind"] == "sweep"
kinds = {"comparison": _("One comparison"), "sweep": _("Sweep")}
if not hiding.instead("kind", _("Kind of run"), kinds[state["distill_kind"]]):
    st.segmented_control(
        _("Kind of run"), list(kinds), key="distill_kind", required=True, label_visibility="collapsed",
        format_func=kinds.__getitem__, on_change=distill_state.change_kind,
    )  # fmt: skip
if hiding.hidden("start"):
    about = (
        _(
            "Students are trained for every setting of a grid, each with several seeds and beside the same students on hard "
            "labels alone. The map is blue where the soft targets helped, orange where they harmed."
        )
        if sweep
        else _(
            "A small student learns from the teacher's soft targets. Its twin, with the same initial weights and batches, learns "
            "from hard labels alone."
        )
    )
else:
    about = (
        _(
            "Students are trained for every setting of a grid, each with several seeds and beside the same students on hard "
            "labels alone. Press Start and watch the map fill in: blue where the soft targets helped, orange where they harmed."
        )
        if sweep
        else _(
            "A small student learns from the teacher's soft targets. Its twin, with the same initial weights and batches, learns "
            "from hard labels alone. Press Start and watch which one does better."
        )
    )
st.markdown(about)
if not hiding.hidden("presets"):
    with st.container(horizontal=True, vertical_alignment="center"):
        for preset in presets.PRESETS.values():
            if preset.sweep == sweep:
                st.button(
                    _(preset.title), key=f"preset_{preset.name}", on_click=distill_state.choose, args=(preset.name,),
                    type="secondary" if preset.name != state["distill_preset"] else "primary",
                )  # fmt: skip
chosen = presets.PRESETS[state["distill_preset"]]
asked = spec_form.read()
if asked == chosen.spec and chosen.sweep:
    st.caption(_(chosen.reason))
elif asked == chosen.spec:
    held_out = presets.record(chosen.name, on_validation=True)["result"]["comparisons"][0]
    numbers = {name: f"{100 * held_out[field]:+.1f}" for name, field in (("points", "mean"), ("low", "low"), ("high", "high"))}
    st.caption(_(chosen.reason, **numbers))

running = opened is not None and (shown_run := store.run(opened)) is not None and not shown_run.over
with st.container(horizontal=True, vertical_alignment="center"):
    ready = isinstance(asked, UserError) or data.prepared_folder(asked.dataset) is not None
    if ready:
        if not hiding.hidden("start"):
            st.button(
                _("Start"), icon=":material/play_arrow:", type="primary", on_click=distill_state.start, key="start",
                args=(store,), disabled=isinstance(asked, UserError) or running,
            )  # fmt: skip
        if not isinstance(asked, UserError):
            seconds = pace.seconds(asked, store.fact)
            students = len(asked.students)
            st.caption(
                _(
                    "{students} students, about {seconds} s on this machine.",
                    students=students,
                    seconds=f"{max(1.0, seconds):.0f}",
                )
                if seconds is not None
                else _("{students} students.", students=students)
            )
            if engine.state(store) != "ready":
                st.caption(_("The engine is starting."))
if isinstance(asked, UserError):
    st.error(asked.translated())
elif not ready:
    st.info(_("{dataset} is not on this machine yet.", dataset=asked.dataset))
    prepare.button(asked.dataset)

# By its key it stays open when what stands above it comes or goes; without one it closes at the first change (seen with 1.67).
# The form is made only while it is open: its nineteen widgets were a quarter of what a run of this page takes.
with st.expander(_("Settings"), icon=":material/tune:", key="settings", on_change="rerun") as settings:
    if hiding.hidden("settings"):
        spec_form.table()
    elif settings.open:
        spec_form.form()

if opened is not None:
    run_view.live(store, opened, run_list.overlaid())
else:
    others = isinstance(asked, RunSpec) and asked != chosen.spec
    run_view.recorded(shown.record(chosen.name), _(chosen.title), others)

if not hiding.hidden("runs"):
    st.header(_("Earlier runs"), anchor=False)
    run_list.show(store, opened, open_run, RunSpec)
