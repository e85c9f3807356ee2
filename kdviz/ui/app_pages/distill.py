"""Distill: a student on soft targets and the same student on hard labels, trained here, live, with seeds and a verdict."""

from __future__ import annotations

import streamlit as st

from kdviz import data, engine, pace, presets
from kdviz.errors import UserError
from kdviz.figures import grid
from kdviz.i18n import _
from kdviz.spec import KNOBS, RunSpec
from kdviz.ui import server, shown
from kdviz.ui.components import prepare, run_list, run_view, spec_form

state = st.session_state

try:
    store = server.store()
except UserError as error:
    st.error(error.translated())
    st.stop()


def kind_of(spec: RunSpec) -> str:
    """Return the side of the page on which a run is shown."""
    return "sweep" if grid.is_sweep(spec) else "comparison"


def choose(preset: str) -> None:
    """Take a preset's settings and show its record."""
    state["distill_preset"] = preset
    spec_form.fill(presets.PRESETS[preset].spec)
    state["distill_run"] = None


def open_run(run_id: str) -> None:
    """Show a run, and put its settings into the widgets."""
    run = store.run(run_id)
    if run is not None and isinstance(run.spec, RunSpec):
        state["distill_run"] = run_id
        state["distill_kind"] = kind_of(run.spec)
        spec_form.fill(run.spec)


def change_kind() -> None:
    """Go to comparisons or to sweeps: take the first preset of that kind."""
    choose(next(name for name, preset in presets.PRESETS.items() if preset.sweep == (state["distill_kind"] == "sweep")))


def start() -> None:
    asked = spec_form.read()
    if not isinstance(asked, UserError):
        state["distill_run"] = store.add_run(asked)
        state["distill_kind"] = kind_of(asked)


if "distill_preset" not in state:
    state["distill_kind"] = "comparison"
    choose(next(iter(presets.PRESETS)))
    linked = st.query_params.get("run")
    if linked is not None:
        open_run(linked)
        if state["distill_run"] is None:
            state["distill_problem"] = linked
state["distill_kind"] = state["distill_kind"]  # Streamlit forgets widgets that another page does not show
for name in KNOBS:
    kept = state.setdefault("spec_kept", {})
    if spec_form.key(name) in state:
        kept[name] = state[spec_form.key(name)]
    else:
        state[spec_form.key(name)] = kept[name]
if state.get("distill_problem"):
    st.warning(
        _(
            "The run {run} of this link is not in this store; the page shows a recorded run instead.",
            run=repr(state["distill_problem"][:40]),
        )
    )
    state["distill_problem"] = None
if state["distill_run"] is not None and store.run(state["distill_run"]) is None:  # deleted, here or in another tab
    state["distill_run"] = None
    state["distill_kind"] = kind_of(presets.PRESETS[state["distill_preset"]].spec)
opened: str | None = state["distill_run"]
if opened is not None:
    st.query_params["run"] = opened
elif "run" in st.query_params:
    del st.query_params["run"]

sweep = state["distill_kind"] == "sweep"
st.segmented_control(
    _("Kind of run"), ["comparison", "sweep"], key="distill_kind", required=True, label_visibility="collapsed",
    format_func=lambda kind: _("One comparison") if kind == "comparison" else _("Sweep"), on_change=change_kind,
)  # fmt: skip
st.markdown(
    _(
        "Students are trained for every setting of a grid, each with several seeds and beside the same students on hard labels "
        "alone. Press Start and watch the map fill in: blue where the soft targets helped, orange where they harmed."
    )
    if sweep
    else _(
        "A small student learns from the teacher's soft targets. Its twin, with the same initial weights and batches, learns "
        "from hard labels alone. Press Start and watch which one does better."
    )
)
with st.container(horizontal=True, vertical_alignment="center"):
    for preset in presets.PRESETS.values():
        if preset.sweep == sweep:
            st.button(
                _(preset.title), key=f"preset_{preset.name}", on_click=choose, args=(preset.name,),
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
        st.button(
            _("Start"), icon=":material/play_arrow:", type="primary", on_click=start, key="start",
            disabled=isinstance(asked, UserError) or running,
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
with st.expander(_("Settings"), icon=":material/tune:", key="settings"):
    spec_form.form()

if opened is not None:
    run_view.live(store, opened, run_list.overlaid())
else:
    run_view.recorded(shown.record(chosen.name))

st.subheader(_("Earlier runs"), anchor=False)
run_list.show(store, opened, open_run, RunSpec)
