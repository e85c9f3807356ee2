"""An experiment run on this machine: its quick form through the store and the queue, live; its full form as a command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from kdviz import data, pace
from kdviz.experiments import Experiment
from kdviz.i18n import _
from kdviz.spec import KNOBS, RunSpec, defaults
from kdviz.store import Store, shown_error
from kdviz.ui import found, shown, words
from kdviz.ui.components import prepare, run_button, run_view
from kdviz.ui.found import Found

SAID = ("dataset", "teacher", "student", "temperature", "seeds", "epochs", "fraction")
"""What the sentence about a run says already."""


def expected(store: Store, experiment: Experiment, parts: Sequence[str]) -> str:
    """Say how long parts of the quick form take: as measured here, else as the experiment says of two cores."""
    specs = experiment.specs(full=False)
    each = [pace.seconds(specs[name], store.fact) for name in parts]
    known = [seconds for seconds in each if seconds is not None]
    if len(known) == len(each):
        return run_button.seconds(sum(known))
    return _("about {seconds} s on two cores", seconds=f"{experiment.seconds[0]:.0f}")


def about(store: Store, experiment: Experiment, folded: bool = False) -> None:
    """Say what is run: how many students, of what, for how long, and every setting that is not the usual one.

    folded: all of it behind one line, where a result stands there that is to be seen first.
    """
    specs = experiment.specs(full=False)
    short = (
        _(
            "The quick form trains {students} students, {duration}:",
            students=sum(len(spec.students) for spec in specs.values()),
            duration=expected(store, experiment, list(specs)),
        )
        + "\n"
        + "\n".join(f"- {run}" for run in summaries(experiment, specs))
    )
    if not folded:
        st.markdown(short)
    name = _("What is run here, every setting, and the full form") if folded else _("Every setting, and the full form")
    with st.expander(name, key="paper_settings"):
        if folded:
            st.markdown(short)
        every_setting(experiment, specs)
        seconds = experiment.seconds[1]
        st.markdown(
            _(
                "The full form takes about {seconds} s on two cores. It runs by this command, which goes on where it was when it "
                "is interrupted; its result then stands here:",
                seconds=f"{seconds:.0f}",
            )
            if seconds < 120
            else _(
                "The full form takes about {minutes} minutes on two cores. It runs by this command, which goes on where it was "
                "when it is interrupted; its result then stands here:",
                minutes=f"{seconds / 60:.0f}",
            )
        )
        record = f"assets/experiments/{experiment.name}.full.json"
        st.code(
            f".venv/bin/python -m kdviz experiment {experiment.name} --full --record {record}", language=None, wrap_lines=True
        )


def every_setting(experiment: Experiment, specs: Mapping[str, RunSpec]) -> None:
    """Show, for each of an experiment's runs, what it is and the settings that are not the usual ones."""
    for name, spec in specs.items():
        st.caption(titled(experiment, name, spec))
        st.table(unusual(spec), border="horizontal")


def titled(experiment: Experiment, part: str, spec: RunSpec) -> str:
    """Return a run in short, after the title of the part that it is, if that has one."""
    summary = shown.summary(spec)
    return _("{title}: {value}", title=_(experiment.titles[part]), value=summary) if part in experiment.titles else summary


def summaries(experiment: Experiment, specs: Mapping[str, RunSpec]) -> list[str]:
    """Return each run in short; those that differ in nothing that is said there once, with their number."""
    counted = Counter(titled(experiment, name, spec) for name, spec in specs.items())
    return [
        run if count == 1 else _("{run}: {count} runs, which differ in settings below", run=run, count=count)
        for run, count in counted.items()
    ]  # fmt: skip


def unusual(spec: RunSpec) -> dict[str, str]:
    """Return the settings of a run that its sentence does not say and that are not the dataset's usual ones, in words."""
    usual = defaults(spec.dataset)
    changed = {name: getattr(spec, name) for name in KNOBS if name not in SAID and getattr(spec, name) != usual[name]}
    changed.setdefault("learning_rate", spec.learning_rate)
    changed.setdefault("batch_size", spec.batch_size)
    return {_(KNOBS[name].metadata["label"]): words.setting(name, value) for name, value in changed.items()}


def control(store: Store, experiment: Experiment, there: Found, busy: bool) -> None:
    """Show the button that starts it, or what trains: how far it is, its curves, and how to stop it and let it go on.

    busy: whether another run is shown live on this page, where there is room for one.
    """
    missing = [name for name in {spec.dataset: None for spec in experiment.specs(full=False).values()}
               if data.prepared_folder(name) is None]  # fmt: skip
    if missing:
        st.info(
            _("{dataset} is not on this machine yet; with it, this experiment can be run here.", dataset=data.title(missing[0]))
        )
        prepare.button(missing[0])
        return
    unfinished = there.unfinished
    if not unfinished:
        _start(store, experiment, there)
        return
    name, run = unfinished[0]
    parts, specs = list(experiment.quick), experiment.specs(full=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(parts) > 1:
            st.markdown(
                _(
                    "Run {number} of {count}: {run}",
                    number=parts.index(name) + 1,
                    count=len(parts),
                    run=titled(experiment, name, specs[name]),
                ),
                width="content",
            )
        active = [one.id for _part, one in unfinished if not one.over]
        if len(active) > (0 if busy else 1):
            st.button(_("Stop all"), icon=":material/stop:", key="paper_stop_all", on_click=_stop, args=(store, active))
        if not active:
            stopped = [one.id for _part, one in unfinished]
            if len(stopped) > 1:
                st.button(
                    _("Let all go on"), icon=":material/resume:", key="paper_resume_all", on_click=_resume, args=(store, stopped)
                )
            run_button.start_over("paper_over", found.start, (store, experiment, parts, True))
    if busy:
        st.caption(_("Its curves follow when the run above has ended or is stopped."))
    else:
        run_view.live(store, run.id)


def _stop(store: Store, runs: Sequence[str]) -> None:
    for run_id in runs:
        store.request_stop(run_id)


def _resume(store: Store, runs: Sequence[str]) -> None:
    for run_id in runs:
        store.resume(run_id)


def _start(store: Store, experiment: Experiment, there: Found) -> None:
    parts = there.missing or list(experiment.quick)
    with st.container(horizontal=True, vertical_alignment="center"):
        again = not there.missing
        run_button.show(
            store, "paper_run", again, expected(store, experiment, parts), found.start, (store, experiment, parts, again)
        )


def conclusion(store: Store, experiment: Experiment, there: Found) -> dict[str, Any] | None:
    """Return the result of this machine's own runs; while it is being computed, say so."""
    if there.fact is None or there.result is not None:
        return there.result
    wrong = found.conclude(store, experiment, there)
    if wrong is not None:
        st.error(_("The result of the runs here could not be computed: {reason}", reason=shown_error(wrong)))
        st.button(_("Try again"), icon=":material/refresh:", key="paper_conclude", on_click=found.ask_again, args=(there.fact,))
    else:
        st.info(_("The verdict of the runs that are done is being computed."), icon=":material/hourglass_top:")
        found.wait(store, there.fact)
    return None


def links(experiment: Experiment, there: Found) -> None:
    """Show the way to the curves of this machine's runs, on the page Distill."""
    with st.container(horizontal=True):
        for number, (name, run) in enumerate(there.done.items(), 1):
            title = experiment.titles.get(name)
            st.page_link(
                "app_pages/distill.py", icon=":material/school:", query_params={"run": run.id},
                label=_("Its curves")
                if len(there.done) == 1
                else _("Curves of run {number}", number=number)
                if title is None
                else _("Curves: {title}", title=_(title)),
            )  # fmt: skip
