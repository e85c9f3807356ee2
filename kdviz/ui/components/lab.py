"""The misconception lab: one bug at a time, its wrong line beside the right one, a prediction, a run of a few seconds."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kdviz import data, experiments, figures, pace
from kdviz.experiments import lab
from kdviz.figures import paper
from kdviz.i18n import _
from kdviz.misconceptions import MISCONCEPTIONS, Misconception
from kdviz.store import Store
from kdviz.ui import found, paper_state, shown
from kdviz.ui.components import run_button, run_view, verdicts

GITHUB = "https://github.com/"


def show(store: Store) -> bool:
    """Show the choice of a bug and everything of the one that is chosen; return whether a run of it is shown live."""
    st.markdown(_("Code that thousands have read got one line wrong. Choose a bug and say what it will do, then run it."))
    st.pills(
        _("Bug"), list(MISCONCEPTIONS), key=paper_state.BUG, required=True, label_visibility="collapsed", wrap=True,
        format_func=lambda name: _(MISCONCEPTIONS[name].title),
    )  # fmt: skip
    bug = MISCONCEPTIONS[st.session_state[paper_state.BUG]]
    _lines(bug)
    name = f"bug {bug.name}"
    if paper_state.expected(name) is None:
        verdicts.ask(lab.EXPECTED, "bug", lambda outcome: paper_state.expect_of_bug(bug.name, outcome))
        return False
    return _result(store, bug, name)


def _lines(bug: Misconception) -> None:
    """Show the wrong line and the right one, and who had it."""
    with st.container(horizontal=True):
        for title, line in ((_("The wrong line"), bug.wrong), (_("The right line"), bug.right)):
            with st.container(width=520):
                st.markdown(f"**{title}**")
                st.code(line, language=None, wrap_lines=True)  # Streamlit's colours for Python have too little contrast
    st.markdown(_(bug.claim))
    st.markdown(_("Reported in {sources}.", sources=", ".join(_linked(source) for source in bug.sources)))


def _linked(source: str) -> str:
    """Return an issue of GitHub, owner/repository#number, as a link; another source, a library with its version, as it is."""
    repository, sign, number = source.partition("#")
    return f"[{source}]({GITHUB}{repository}/issues/{number})" if sign else source


def _result(store: Store, bug: Misconception, name: str) -> bool:
    """Show what came out, of the reader's own run or of the one that ships, and the button that runs it or how it trains."""
    whole = lab.spec(bug.name)
    spec = lab.spec(bug.name, data.prepared_folder(whole.dataset) is not None)
    newest, done = store.newest(spec), store.newest(spec, "done")
    record = experiments.recorded(paper_state.LAB)
    row: dict[str, Any] | None = None
    if done is not None and done.result is not None:
        row = lab.row(bug.name, done.result)
    elif record is not None:
        row = lab.committed(bug.name, record)
    if row is not None:
        outcome, said = lab.verdict(row)
        verdicts.prediction(lab.EXPECTED, paper_state.expected(name), outcome)
        st.markdown(verdicts.sentence(said.message, said.fields))
    if newest is None or newest.state == "done":
        seconds, again = pace.seconds(spec, store.fact), done is not None
        with st.container(horizontal=True, vertical_alignment="center"):
            run_button.show(
                store, "lab_run", again, None if seconds is None else run_button.seconds(seconds), found.start_one,
                (store, spec, again),
            )  # fmt: skip
    live = newest is not None and not newest.over
    if newest is not None and live:
        run_view.live(store, newest.id)
    elif newest is not None and newest.state != "done":  # stopped, or failed
        run_view.handles(store, newest)
        run_button.start_over("lab_over", found.start_one, (store, spec, True))
    if row is not None:
        if done is not None:
            st.caption(_("Run on this machine: {run}.", run=shown.summary(spec)))
        elif record is not None:
            st.caption(_("As it ships with kdviz, run on {date}.", date=record["made"]["date"]))
        theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"
        drawing = paper.bugs([row], theme)
        st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="lab_figure")
        st.markdown(_("Where it shows: {tells}", tells=_(bug.tells)))
    if spec.dataset != whole.dataset:
        st.caption(
            _(
                "{dataset} is not on this machine: this bug is run on {other} instead, where there is less to lose.",
                dataset=data.title(whole.dataset), other=data.title(spec.dataset),
            )
        )  # fmt: skip
    return live
