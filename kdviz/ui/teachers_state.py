"""What the Teachers page shows: the training of a teacher, and the settings in the form. In the session and in the link."""

from __future__ import annotations

import streamlit as st

from kdviz import data
from kdviz.errors import UserError, quoted
from kdviz.i18n import N_
from kdviz.spec import TeacherSpec
from kdviz.store import Store
from kdviz.ui import link
from kdviz.ui.components import teacher_form as form

PAGE = "teachers"
RUN = f"{PAGE}_run"
KEYS = {"run": RUN, "dataset": form.DATASET, "network": form.NETWORK, "members": form.MEMBERS, "epochs": form.EPOCHS}
KEYS["seed"] = form.SEED
state = st.session_state


def settle(store: Store) -> None:
    """Read the link into the session."""
    if RUN not in state:
        choose(next(iter(data.SOURCES)))
    link.restore(PAGE, KEYS)
    given = link.sent(PAGE, KEYS)
    if given is not None:
        link.opened(PAGE, KEYS, _follow(store, given))
    link.tell(PAGE)


def keep(store: Store) -> None:
    """Write what changed into the link. Call it when the page has settled what it shows."""
    run = store.run(state[RUN]) if state[RUN] is not None else None
    asked = form.read()
    texts = {name: text for name, text in state[f"{PAGE}_link"].items() if name != "run"}
    if run is not None and isinstance(run.spec, TeacherSpec):
        texts = {"run": run.id, **run.spec.to_query()}
    elif isinstance(asked, TeacherSpec):
        texts = asked.to_query()
    link.keep(PAGE, KEYS, texts)


def choose(dataset: str) -> None:
    """Choose a dataset to train a teacher of."""
    form.choose(dataset)
    state[RUN] = None


def open_run(store: Store, run_id: str) -> None:
    """Show a run and put its settings into the widgets, if the store has it."""
    run = store.run(run_id)
    if run is not None and isinstance(run.spec, TeacherSpec):
        state[RUN] = run_id
        form.fill(run.spec)


def _follow(store: Store, given: dict[str, str]) -> list[UserError]:
    """Open what a link says, and return what was wrong with it."""
    problems: list[UserError] = []
    texts = {name: text for name, text in given.items() if name != "run"}
    run_id = given.get("run")
    if f"{PAGE}_shown" in state and not given:  # the browser's back, to the page as it opened
        choose(next(iter(data.SOURCES)))
    if link.is_id(run_id):
        open_run(store, run_id)
        if state[RUN] is not None:
            return []
    if texts:
        spec, problems = TeacherSpec.from_query(texts, form.suited)
        form.fill(spec)
        state[RUN] = None
    if run_id is not None:
        sentence = N_("The run {run} of this link is not in this store.")
        if texts:
            sentence = N_("The run {run} of this link is not in this store; its settings are here: press Start.")
        problems.insert(0, link.Elsewhere(sentence, run=quoted(run_id, 40)))
    return problems
