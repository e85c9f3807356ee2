"""What the page The paper shows: which experiment, what the reader expected of it, which bug of the lab. In the session and the
link; what was expected is left out of a link that is copied, so that whoever opens it is asked too."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kdviz import experiments
from kdviz.errors import UnknownName, quoted
from kdviz.experiments import Experiment
from kdviz.i18n import N_
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.ui import link

PAGE = "paper"
EXPERIMENT, PREDICTED, BUG = (f"{PAGE}_{name}" for name in ("experiment", "predicted", "bug"))
EXPECTED = f"{PAGE}_expected"
"""The session's key of what was expected of every experiment and every bug, by name."""
NOTHING = "skipped"
"""The reader wanted to see the result without saying what they expect."""
LAB = "misconceptions"
state = st.session_state


def settle() -> Experiment | None:
    """Read the link and the session; return the experiment that is open, None for the list of all."""
    state.setdefault(EXPECTED, {})
    link.read(PAGE, TABLE)
    if state[EXPERIMENT] is None:
        state[PREDICTED] = state[BUG] = None
        return None
    if state[PREDICTED] is not None:
        state[EXPECTED][state[EXPERIMENT]] = state[PREDICTED]
    if state[EXPERIMENT] != LAB:
        state[BUG] = None
    else:
        state[BUG] = state[BUG] if state[BUG] in MISCONCEPTIONS else next(iter(MISCONCEPTIONS))
    return experiments.find(state[EXPERIMENT])


def keep() -> None:
    """Write into the link what the reader changed. Call it at the end of the page."""
    link.write(PAGE, TABLE)
    link.full(PAGE).pop("predicted", None)


def open_experiment(name: str | None) -> None:
    """Open an experiment, None for the list of all."""
    state[EXPERIMENT], state[BUG] = name, None
    state[PREDICTED] = state[EXPECTED].get(name)


def expect(name: str, outcome: str) -> None:
    """Note what the reader expects of an experiment."""
    state[EXPECTED][name] = outcome
    state[PREDICTED] = outcome


def forget(name: str) -> None:
    """Forget what the reader expected of an experiment, so that they are asked again."""
    state[EXPECTED].pop(name, None)
    state[PREDICTED] = None


def expect_of_bug(bug: str, outcome: str) -> None:
    """Note what the reader expects of a bug of the lab."""
    state[EXPECTED][f"bug {bug}"] = outcome


def expected(name: str) -> str | None:
    """Return what the reader expects of an experiment or of `bug NAME`: an outcome, NOTHING, None where they were not asked."""
    outcome: str | None = state[EXPECTED].get(name)
    return outcome


def predicted(name: str) -> bool:
    """Return whether the reader has said what they expect of an experiment, not only that they want to see it."""
    return expected(name) not in (None, NOTHING)


def _read_predicted(text: str, values: dict[str, Any]) -> str | None:
    if values["experiment"] is None:
        return None
    known = [*experiments.find(values["experiment"]).predictions, NOTHING]
    if text not in known:
        raise UnknownName(N_("unknown prediction {name}; known: {known}"), name=quoted(text, 40), known=known)
    return text


def _read_bug(text: str, values: dict[str, Any]) -> str:
    if text not in MISCONCEPTIONS:
        raise UnknownName(N_("unknown bug {name}; known: {known}"), name=quoted(text, 40), known=list(MISCONCEPTIONS))
    return text


def _given(value: str | None) -> str | None:
    return value


TABLE = (
    link.Setting("experiment", EXPERIMENT, lambda text, values: experiments.find(text).name, lambda values: None, _given),
    link.Setting("predicted", PREDICTED, _read_predicted, lambda values: state[EXPECTED].get(values["experiment"]), _given),
    link.Setting("bug", BUG, _read_bug, lambda values: None, _given),
)
