"""What this machine's store has of an experiment: the runs of its parts, found by their specs, and the result they give."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from kdviz import __version__
from kdviz.experiments import Experiment
from kdviz.spec import RunSpec
from kdviz.store import OVER, Run, Store
from kdviz.ui import language

ASKED = "paper_concluding"
"""The session's key of the questions that it waits for, by the name of the fact."""


@dataclass(frozen=True)
class Found:
    """runs: the newest of each part that has one; done: the newest that are done; missing: the parts without such a one; result:
    what those that are done gave, as a committed one, or None; fact: the name it is kept under, None while any is missing."""

    runs: Mapping[str, Run]
    done: Mapping[str, Run]
    missing: list[str]
    result: dict[str, Any] | None
    fact: str | None

    @property
    def unfinished(self) -> list[tuple[str, Run]]:
        """The newest runs that are not done, those first that still train or wait to."""
        open_ones = [(name, run) for name, run in self.runs.items() if run.state != "done"]
        return sorted(open_ones, key=lambda one: one[1].over)

    @property
    def active(self) -> bool:
        return any(run.state not in OVER for run in self.runs.values())


def find(store: Store, experiment: Experiment) -> Found:
    """Look for the runs of an experiment's quick form."""
    runs, done = {}, {}
    for name, spec in experiment.specs(full=False).items():
        newest = store.newest(spec)
        if newest is not None:
            runs[name] = newest
            finished = newest if newest.state == "done" else store.newest(spec, "done")
            if finished is not None:
                done[name] = finished
    missing = [name for name in experiment.quick if name not in done]
    if missing:
        return Found(runs, done, missing, None, None)
    decides = repr([__version__, *(run.id for run in done.values())])
    fact = f"experiment/{experiment.name}/{hashlib.sha256(decides.encode()).hexdigest()[:16]}"
    return Found(runs, done, missing, store.fact(fact), fact)


def start(store: Store, experiment: Experiment, parts: list[str], again: bool = False) -> None:
    """Put runs of some parts into the queue, but none that another reader has put there already.

    again: also of those that have been run to their end.
    """
    specs = experiment.specs(full=False)
    for name in parts:
        start_one(store, specs[name], again)


def start_one(store: Store, spec: RunSpec, again: bool) -> None:
    """Put a run into the queue, unless it is there or trains; again: also if one was run to its end."""
    newest = store.newest(spec)
    if newest is not None and not newest.over:
        return
    if again or store.newest(spec, "done") is None:
        store.add_run(spec)


def conclude(store: Store, experiment: Experiment, found: Found) -> str | None:
    """Have the engine compute the result of runs that are done, if it was not asked yet; return why it cannot, or None."""
    assert found.fact is not None
    asked: dict[str, str] = st.session_state.setdefault(ASKED, {})
    question = store.question(asked[found.fact]) if found.fact in asked else None
    if question is None or question.state == "done":  # done, and yet there is no result: it was removed
        runs = {name: run.id for name, run in found.done.items()}
        asked[found.fact] = store.ask("conclude", {"experiment": experiment.name, "runs": runs, "fact": found.fact})
        return None
    return question.error if question.state == "failed" else None


def ask_again(fact: str) -> None:
    """Forget that a result could not be computed."""
    st.session_state.get(ASKED, {}).pop(fact, None)


def wait(store: Store, fact: str) -> None:
    """Run the page again when a result is there, or why it cannot be."""

    @language.fragment(0.5)
    def look() -> None:
        question = store.question(st.session_state[ASKED][fact])
        if question is None or question.state not in ("queued", "running"):
            st.rerun()

    look()
