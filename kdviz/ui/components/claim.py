"""One experiment of the paper: its question, what the reader expects, what came out, and why that may differ from the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kdviz import experiments
from kdviz.experiments import Experiment, beside
from kdviz.i18n import _
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.spec import RunSpec
from kdviz.store import Store
from kdviz.ui import paper_state, shown

ARXIV = "https://arxiv.org/abs/"


def show(store: Store, experiment: Experiment) -> None:
    """Show an experiment. Nothing of a result stands there until the reader has said what they expect."""
    _way(experiment)
    st.subheader(_(experiment.title), anchor=False)
    st.markdown(f"#### {_(experiment.question)}", anchors=False)
    st.caption(_("Who says so: {source}.", source=_linked(experiment.section)))
    if paper_state.expected(experiment.name) is None:
        _ask(experiment)
        return
    result = experiments.recorded(experiment.name)
    if result is None:
        st.info(_("No result of this experiment is kept yet."))
        return
    _prediction(experiment, result)
    _result(experiment, result)


def _way(experiment: Experiment) -> None:
    """Show the way back to all claims, and on to the next one."""
    names = experiments.names()
    at = names.index(experiment.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("All claims"), icon=":material/list:", key="paper_all", on_click=paper_state.open_experiment, args=(None,),
            type="tertiary",
        )  # fmt: skip
        st.markdown(_("{number} of {count}", number=at + 1, count=len(names)), width="content")
        if at + 1 < len(names):
            st.button(
                _("Next: {title}", title=_(experiments.find(names[at + 1]).title)), icon=":material/arrow_forward:",
                key="paper_next", on_click=paper_state.open_experiment, args=(names[at + 1],), type="tertiary",
            )  # fmt: skip


def _linked(section: str) -> str:
    """Return a citation with its arXiv number as a link."""
    before, arxiv, after = section.partition("arXiv:")
    number, comma, rest = after.partition(",")
    return f"{before}[arXiv:{number}]({ARXIV}{number}){comma}{rest}" if arxiv else section


def _ask(experiment: Experiment) -> None:
    """Ask what the reader expects."""
    st.markdown(f"##### {_('What do you expect?')}", anchors=False)
    with st.container(gap="xsmall"):
        for outcome, words in experiment.predictions.items():
            if outcome == "unknown":  # nobody expects of a measurement that it tells nothing
                continue
            st.button(_(words), key=f"predict_{outcome}", on_click=paper_state.expect, args=(experiment.name, outcome))
        st.button(
            _("Show me without predicting"), key=f"predict_{paper_state.NOTHING}", type="tertiary",
            on_click=paper_state.expect, args=(experiment.name, paper_state.NOTHING),
        )  # fmt: skip


def _prediction(experiment: Experiment, result: Mapping[str, Any]) -> None:
    """Say what came out beside what was expected."""
    here = _(experiment.predictions[result["outcome"]])
    expected = paper_state.expected(experiment.name)
    if expected is None or expected == paper_state.NOTHING:
        st.markdown(_("Here: **{outcome}**", outcome=here))
    elif expected == result["outcome"]:
        st.markdown(_("You expected: **{outcome}** So it came out here.", outcome=here))
    else:
        words = _(experiment.predictions[expected])
        st.markdown(_("You expected: **{expected}** Here: **{outcome}**", expected=words, outcome=here))


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Return a verdict in the reader's language; a bug by its title, not by the name that the command line gives it."""
    said = []
    for one in result["verdict"]:
        fields = dict(one["fields"])
        if fields.get("bug") in MISCONCEPTIONS:
            fields["bug"] = _(MISCONCEPTIONS[fields["bug"]].title)
        said.append(_(one["message"], **fields))
    return said


def _result(experiment: Experiment, result: Mapping[str, Any]) -> None:
    """Show a result: the verdict, what it was made from, the figures beside those found elsewhere, why they may differ."""
    first, *others = sentences(result)
    st.markdown(f"#### {first}", anchors=False)
    if others:
        st.markdown("\n".join(f"- {sentence}" for sentence in others))
    rows = beside.table(experiment, result["measured"])
    if rows:
        found, here = _("found elsewhere"), _("here")
        st.table(
            [
                {
                    _("what"): _(row.what),
                    found: row.papers or "–",
                    here: row.ours if isinstance(row.ours, str) else _(row.ours.message, **row.ours.fields),
                    _("where it says so"): row.where or "–",
                }
                for row in rows
            ],
            border="horizontal",
        )
    made(result)
    reasons = [_(reason) for reason in experiment.reasons]
    if reasons:
        st.markdown(_("Why it may differ from what was found elsewhere:") + "\n" + "\n".join(f"- {each}" for each in reasons))
    if experiment.chosen:
        st.caption(_("How the settings were chosen: {chosen}", chosen=_(experiment.chosen)))


def made(result: Mapping[str, Any]) -> None:
    """Say what made a result: which kind of run, of what, when and where."""
    how = result["made"]
    fields = dict(
        date=how["date"], processor=how["processor"], cores=how["cores"], seconds=f"{how['seconds']:,.0f}",
        kdviz=how["versions"]["kdviz"], torch=how["versions"]["torch"],
        seeds=", ".join(f"{seeds}" for seeds in dict.fromkeys(how["seeds"].values())),
        weights=", ".join(sha256[:12] for sha256 in dict.fromkeys(how["teacher_sha256"].values())),
    )  # fmt: skip
    st.caption(
        _(
            "Quick run that ships with kdviz, made by `python -m kdviz experiment` on {date} ({processor}, {cores} cores): "
            "{seeds} seeds, {seconds} s of training, kdviz {kdviz}, torch {torch}, teacher's weights sha256 {weights}.",
            **fields,
        )
        if result["kind"] == "quick"
        else _(
            "Full run that ships with kdviz, made by `python -m kdviz experiment --full` on {date} ({processor}, {cores} cores): "
            "{seeds} seeds, {seconds} s of training, kdviz {kdviz}, torch {torch}, teacher's weights sha256 {weights}.",
            **fields,
        )
    )
    specs = [RunSpec.from_dict(part["spec"]) for part in result["parts"].values()]
    with st.expander(_("What was run")):
        st.markdown("\n".join(f"- {shown.summary(spec)}" for spec in specs))
