"""One experiment of the paper: its question, what the reader expects, what came out, and why that may differ from the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from kdviz import experiments, figures
from kdviz.experiments import Experiment, beside
from kdviz.figures import paper
from kdviz.i18n import _
from kdviz.spec import RunSpec
from kdviz.store import Store
from kdviz.ui import found, paper_state
from kdviz.ui.components import bias_curve, experiment_run, lab, verdicts

ARXIV = "https://arxiv.org/abs/"


def show(store: Store, experiment: Experiment) -> None:
    """Show an experiment. Nothing of a result stands there until the reader has said what they expect."""
    _way(experiment)
    st.header(_(experiment.title), anchor=False)
    busy = False
    if experiment.name == paper_state.LAB:
        busy = lab.show(store)
        st.header(_("All seven together"), anchor=False)
    if experiment.others:
        _kinds(experiment)
    st.markdown(f"### {_(experiment.question, **experiment.fields)}", anchors=False)
    if experiment.name != paper_state.LAB:  # there each bug says who had it
        # No caption: a link in its faint colour has too little contrast.
        source = _linked(_cited(experiment.section))
        st.markdown(
            _("Who says so: {source}.", source=source) if experiment.one_of is None else _("After {source}.", source=source)
        )
    if paper_state.expected(experiment.name) is None:
        verdicts.ask(experiment.predictions, "predict", partial(paper_state.expect, experiment.name))
        experiment_run.about(store, experiment)
        return
    there = found.find(store, experiment)
    own = experiment_run.conclusion(store, experiment, there)
    record = experiments.recorded(experiment.name)
    if own is not None and record is not None and not _own_is_chosen(experiment):
        own = None
    result = own or record
    if result is not None:
        verdicts.prediction(experiment.predictions, paper_state.expected(experiment.name), result["outcome"])
        st.button(
            _("Ask me again"), icon=":material/replay:", key="paper_forget", type="tertiary", on_click=paper_state.forget,
            args=(experiment.name,), help=_("hides the result until you have said what you expect"),
        )  # fmt: skip
    elif not there.active and there.fact is None:
        st.info(_("No result of this experiment ships with kdviz: run it here."))
    experiment_run.control(store, experiment, there, busy)
    experiment_run.about(store, experiment, folded=result is not None)
    if result is not None:
        _result(experiment, result, own is not None)
    if own is not None:
        experiment_run.links(experiment, there)
    if result is not None:
        _next(experiment, "paper_next_below")


def _own_is_chosen(experiment: Experiment) -> bool:
    """Ask which of two results is to be seen: that of this machine, which stands there first, or the one that ships."""
    names = {"own": _("run on this machine"), "record": _("as it ships with kdviz")}
    chosen = st.segmented_control(
        _("Which result"), list(names), default="own", required=True, key=f"paper_which_{experiment.name}",
        label_visibility="collapsed", format_func=names.__getitem__,
    )  # fmt: skip
    return chosen != "record"


def _kinds(experiment: Experiment) -> None:
    """Ask which kind of a claim is to be seen: which digit is left out."""
    st.session_state["paper_kind"] = next(kind for kind, name in experiment.others.items() if name == experiment.name)
    st.pills(
        _("The digit that is left out"), list(experiment.others), key="paper_kind", required=True, wrap=True,
        on_change=lambda: paper_state.open_experiment(experiment.others[st.session_state["paper_kind"]]),
    )  # fmt: skip


def _way(experiment: Experiment) -> None:
    """Show the way back to all claims, and on to the next one."""
    names = experiments.names()
    at = names.index(experiment.listed)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("All claims"), icon=":material/list:", key="paper_all", on_click=paper_state.open_experiment, args=(None,),
            type="tertiary",
        )  # fmt: skip
        st.markdown(_("{number} of {count}", number=at + 1, count=len(names)), width="content")
        _next(experiment, "paper_next")


def _next(experiment: Experiment, key: str) -> None:
    """Show the way on to the next claim, if there is one."""
    names = experiments.names()
    following = names[names.index(experiment.listed) + 1 :]
    if following:
        st.button(
            _("Next: {title}", title=_(experiments.find(following[0]).title)), icon=":material/arrow_forward:", key=key,
            on_click=paper_state.open_experiment, args=(following[0],), type="tertiary",
        )  # fmt: skip


def _cited(where: str) -> str:
    """Return where something is said, `section 3, table 1`, in the reader's language."""
    text = re.sub(r"section ([\d.]*\d)", lambda found: _("section {number}", number=found[1]), where.replace(" and ", ", "))
    return re.sub(r"table (\d+)", lambda found: _("table {number}", number=found[1]), text)


def _linked(section: str) -> str:
    """Return a citation with its arXiv number as a link."""
    before, arxiv, after = section.partition("arXiv:")
    number, comma, rest = after.partition(",")
    return f"{before}[arXiv:{number}]({ARXIV}{number}){comma}{rest}" if arxiv else section


def _result(experiment: Experiment, result: Mapping[str, Any], own: bool) -> None:
    """Show a result: the verdict, what it was made from, the figures beside those found elsewhere, why they may differ."""
    made(experiment, result, own)
    st.markdown("\n".join(f"- {verdicts.sentence(one['message'], one['fields'])}" for one in result["verdict"]))
    theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"
    drawn = paper.figures(experiment, result, theme)
    for number, drawing in enumerate(drawn.wide):
        st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key=f"paper_wide_{number}")
    for number, drawing in enumerate(drawn.panels):
        if number % 2 == 0:
            beside_each_other = st.columns(2)  # one below the other on a phone
        with beside_each_other[number % 2]:
            st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key=f"paper_panel_{number}")
    if "curve" in result["measured"]:
        bias_curve.show(result["measured"], f"{experiment.name} {result['made']}", theme)
    rows = beside.table(experiment, result["measured"])
    if rows:
        what, found, here, where = _("what"), _("found elsewhere"), _("here"), _("where it says so")
        shown = [
            {what: _(row.what), found: row.papers or "–", here: row.ours if isinstance(row.ours, str) else
             _(row.ours.message, **row.ours.fields), where: _cited(row.where) or "–"}
            for row in rows
        ]  # fmt: skip
        if not experiment.paper:
            shown = [{name: row[name] for name in (what, here)} for row in shown]
        st.table(shown, border="horizontal")
        if result["kind"] == "quick" and experiment.paper:
            st.caption(
                _(
                    "The quick form is smaller than what was done elsewhere: compare which does better, not how many errors it "
                    "makes. Every setting stands above."
                )
            )
    if "sources" in result["measured"]:
        (part,) = result["parts"].values()
        bias_curve.sources(RunSpec.from_dict(part["spec"]), result["measured"]["sources"])
    reasons = [_(reason) for reason in experiment.reasons]
    if experiment.one_of is not None:
        st.markdown(" ".join(reasons))
    elif reasons:
        st.markdown(_("Why it may differ from what was found elsewhere:") + "\n" + "\n".join(f"- {each}" for each in reasons))
    if result["kind"] == "quick":
        st.caption(_("The quick form's settings were chosen for it to be quick, not tuned."))
    elif experiment.chosen:
        st.caption(_("How the settings were chosen: {chosen}", chosen=_(experiment.chosen)))
    st.caption(
        _(
            "Intervals are 95%, each by itself, over seeds and test images: of twenty without any effect about one would still "
            "leave zero out. Teachers and training images are held fixed, so nothing is said of others. ± is the standard "
            "deviation over seeds."
        )
    )


def made(experiment: Experiment, result: Mapping[str, Any], own: bool) -> None:
    """Say what made a result: which kind of run, when and where, by what."""
    how = result["made"]
    fields = dict(
        date=how["date"], processor=how["processor"] or how["machine"], cores=how["cores"], seconds=f"{how['seconds']:,.0f}",
        kdviz=how["versions"]["kdviz"], torch=how["versions"]["torch"],
        seeds=", ".join(f"{seeds}" for seeds in dict.fromkeys(how["seeds"].values())),
        weights=", ".join(sha256[:12] for sha256 in dict.fromkeys(how["teacher_sha256"].values())),
    )  # fmt: skip
    if own:
        st.caption(
            _(
                "Quick form, run on this machine on {date} ({processor}, {cores} cores): {seeds} seeds, {seconds} s of training, "
                "kdviz {kdviz}, torch {torch}, teacher's weights {weights}.",
                **fields,
            )
        )
    elif result["kind"] == "quick":
        st.caption(
            _(
                "Quick form, as it ships with kdviz, run on {date} ({processor}, {cores} cores): {seeds} seeds, {seconds} s of "
                "training, kdviz {kdviz}, torch {torch}, teacher's weights {weights}.",
                **fields,
            )
        )
    else:
        specs = {name: RunSpec.from_dict(part["spec"]) for name, part in result["parts"].items()}
        st.caption(
            _(
                "Full form, as it ships with kdviz, run on {date} ({processor}, {cores} cores): {seeds} seeds, {seconds} s of "
                "training, kdviz {kdviz}, torch {torch}, teacher's weights {weights}.",
                **fields,
            )
        )
        with st.expander(_("What the full form trained"), key="paper_full"):
            experiment_run.every_setting(experiment, specs)
