"""What the Distill page shows: a run of this store or a recorded one, and the settings in the form. In the session and the link.

The link has the run's id and its settings, or the settings of the form where no run is open. So it opens here as a run, and on
another machine as settings to start. Which side of the page, and which recorded run, follow from the settings.
"""

from __future__ import annotations

import streamlit as st

from kdviz import presets, teachers
from kdviz.errors import UserError, quoted
from kdviz.figures import grid
from kdviz.i18n import N_
from kdviz.spec import KNOBS, RunSpec
from kdviz.store import Store
from kdviz.ui import link
from kdviz.ui.components import spec_form

PAGE = "distill"
RUN, KIND, PRESET = (f"{PAGE}_{name}" for name in ("run", "kind", "preset"))
KEYS = {"run": RUN, "kind": KIND, **{name: spec_form.key(name) for name in KNOBS}}
FIRST = next(iter(presets.PRESETS))
state = st.session_state


def settle(store: Store) -> str | None:
    """Read the link and the session, write what changed into the link, and return the id of the run that is open."""
    if PRESET not in state:
        state[KIND] = "comparison"
        choose(FIRST)
    link.restore(PAGE, KEYS)
    given = link.sent(PAGE, KEYS)
    if given is not None:
        link.opened(PAGE, KEYS, _follow(store, given))
    if state[RUN] is not None and store.run(state[RUN]) is None:  # deleted, here or in another tab
        state[RUN] = None
        state[KIND] = kind_of(presets.PRESETS[state[PRESET]].spec)
    link.tell(PAGE)
    link.keep(PAGE, KEYS, _link(store))
    opened: str | None = state[RUN]
    return opened


def kind_of(spec: RunSpec) -> str:
    """Return the side of the page on which a run is shown."""
    return "sweep" if grid.is_sweep(spec) else "comparison"


def choose(preset: str) -> None:
    """Take a preset's settings and show its record."""
    state[PRESET] = preset
    spec_form.fill(presets.PRESETS[preset].spec)
    state[RUN] = None
    state["record_replay"] = None


def change_kind() -> None:
    """Go to comparisons or to sweeps: take the first preset of that kind."""
    choose(next(name for name, preset in presets.PRESETS.items() if preset.sweep == (state[KIND] == "sweep")))


def open_run(store: Store, run_id: str) -> None:
    """Show a run and put its settings into the widgets, if the store has it."""
    run = store.run(run_id)
    if run is not None and isinstance(run.spec, RunSpec):
        state[RUN] = run_id
        state[KIND] = kind_of(run.spec)
        spec_form.fill(run.spec)


def start(store: Store) -> None:
    """Put the run that the form says into the queue, and open it."""
    link.restore(PAGE, KEYS)  # a callback: what a closed form says has been dropped since the page was made
    asked = spec_form.read()
    if not isinstance(asked, UserError):
        state[RUN] = store.add_run(asked)
        state[KIND] = kind_of(asked)


def _follow(store: Store, given: dict[str, str]) -> list[UserError]:
    """Open what a link says, and return what was wrong with it."""
    run_id = given.get("run")
    texts = {name: text for name, text in given.items() if name in KNOBS}
    problems: list[UserError] = []
    state[KIND] = "comparison"
    choose(FIRST)
    if link.is_id(run_id):
        open_run(store, run_id)
        if state[RUN] is not None:
            return []
    if texts:
        spec, problems = RunSpec.from_query(texts)
        if "teacher" in texts:
            try:
                teachers.find(spec.dataset, spec.teacher)
            except UserError as error:
                problems.append(error)
                spec, _problems = RunSpec.from_query({**spec.to_query(), "teacher": _trained(spec)})
        state[KIND] = kind_of(spec)
        choose(_nearest(spec))
        spec_form.fill(spec)
    if run_id is not None:
        sentence = N_("The run {run} of this link is not in this store; the page shows a recorded run instead.")
        if texts:
            sentence = N_("The run {run} of this link is not in this store; its settings are here: press Start.")
        problems.insert(0, link.Elsewhere(sentence, run=quoted(run_id, 40)))
    return problems


def _trained(spec: RunSpec) -> str:
    """Return a teacher of a spec's dataset that is there, the usual one if it is."""
    there = [card.short for card in teachers.of(spec.dataset)]
    usual = RunSpec.from_query({"dataset": spec.dataset})[0].teacher
    return usual if usual in there or not there else there[0]


def _nearest(spec: RunSpec) -> str:
    """Return the preset whose recorded run is nearest to a spec: the same settings, or the same kind of run and the dataset."""
    kind = kind_of(spec)
    alike = {name: preset.spec for name, preset in presets.PRESETS.items() if kind_of(preset.spec) == kind}
    return min(alike, key=lambda name: (alike[name] != spec, alike[name].dataset != spec.dataset))


def _link(store: Store) -> dict[str, str]:
    """Return the link of what is shown; while the form says something wrong, the last one."""
    run = store.run(state[RUN]) if state[RUN] is not None else None
    if run is not None and isinstance(run.spec, RunSpec):
        return {"run": run.id, **run.spec.to_query()}
    asked = spec_form.said()
    if isinstance(asked, RunSpec):
        return asked.to_query()
    return {name: text for name, text in state[f"{PAGE}_link"].items() if name in KNOBS}
