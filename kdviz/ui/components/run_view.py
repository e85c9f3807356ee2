"""A run on the page: what can be done with it, its curves, its verdict, its table. Live while it trains."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data, figures, i18n, misconceptions, stats, strategy, teachers
from kdviz.errors import UserError
from kdviz.figures import curves, grid
from kdviz.i18n import _
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import PACES, Run, Store, shown_error
from kdviz.ui import language, shown
from kdviz.ui.components import live_curves, sweep_view

ACTIVE = {"queued", "running"}
VERDICT = sweep_view.VERDICT


def live(store: Store, run_id: str, overlaid: Sequence[str] = ()) -> None:
    """Show a run of the store. While it trains, the browser hears of its points by itself; the page is rerun at its end."""
    run = store.run(run_id)
    if run is None:
        return
    handles(store, run)
    others = [other for each in overlaid if each != run.id and (other := store.run(each)) is not None]
    view = shown.stored(store, run)
    _curves(store, view, [shown.stored(store, other) for other in others])
    if view.result is not None and run.over:
        result(view)


def recorded(view: shown.Shown, title: str = "", of_others: bool = False) -> None:
    """Show a recorded run: title, of the preset that it is of; of_others: the settings that the reader has are others."""
    made = view.made or {}
    fields = dict(version=made["versions"]["kdviz"], date=made["date"], machine=made["machine"], cores=made["cores"])
    if of_others:
        st.markdown(
            _(
                "There is no recorded run of these settings. The one below is of “{preset}”: {summary}. Start trains what the "
                "settings say.",
                preset=title, summary=shown.summary(view.spec),
            )
        )  # fmt: skip
        st.caption(_("Recorded run, made by kdviz {version} on {date} ({machine}, {cores} cores).", **fields))
    else:
        st.caption(
            _(
                "Recorded run, made by kdviz {version} on {date} ({machine}, {cores} cores). Start trains the same students "
                "here.",
                **fields,
            )
        )
    _curves(None, view)
    result(view)


def handles(store: Store, run: Run) -> None:
    """Show what can be done with a run: stop, pause and slow down one that trains; for one that is over, say how it ended."""
    if run.state == "failed":
        reason = shown_error(run.error) if run.error else ""
        st.error(_("This run failed: {reason}. Its points are kept.", reason=reason.rstrip(".")), icon=":material/error:")
        _resume(store, run)
        return
    if run.state == "stopped":
        st.info(
            _(
                "This run was stopped at step {step} of {steps}; what it had computed is kept.",
                step=f"{run.step:,}",
                steps=f"{run.steps:,}",
            )
        )
        _resume(store, run)
        return
    if run.state == "done":
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state == "paused":
            _resume(store, run)
        else:
            st.button(
                _("Pause"), icon=":material/pause:", key=f"pause_{run.id}", on_click=store.request_pause, args=(run.id,),
                disabled=run.pause_requested or run.stop_requested,
            )  # fmt: skip
        st.button(
            _("Stop"), icon=":material/stop:", key=f"stop_{run.id}", on_click=store.request_stop, args=(run.id,),
            disabled=run.stop_requested,
        )  # fmt: skip
        key = f"pace_{run.id}"
        st.session_state[key] = run.pace  # another reader may have changed it

        def slow() -> None:
            store.set_pace(run.id, st.session_state[key])

        st.segmented_control(
            _("Pace"), PACES, key=key, required=True, on_change=slow, label_visibility="collapsed", width="content",
            format_func=_pace, help=_("slow motion: the run waits between its steps; its numbers are the same"),
        )  # fmt: skip


def _pace(pace: float) -> str:
    return _("full speed") if pace == 1 else f"1/{1 / pace:.0f} ×"


def _resume(store: Store, run: Run) -> None:
    st.button(
        _("Resume"), icon=":material/resume:", key=f"resume_{run.id}", on_click=store.resume, args=(run.id,),
        help=_("goes on from where it was"),
    )  # fmt: skip


def _curves(store: Store | None, view: shown.Shown, others: Sequence[shown.Shown] = ()) -> None:
    """Draw what a run has computed so far: a sweep as its grid, other runs as curves. store: None for a record."""
    teaching = isinstance(view.spec, TeacherSpec)
    teacher = None if teaching else (view.result or {}).get("teacher") or _teacher(view)
    if grid.is_sweep(view.spec):
        language.fragment()(_sweep)(store, view, teacher["accuracy"] if teacher else None)
        return
    others = [other for other in others if not grid.is_sweep(other.spec)]
    theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"
    epochs = max(_epochs(one) for one in [view, *others])
    known = {name: teacher[name] for name in ("accuracy", "errors")} if teacher else None
    live_curves.show(store, view, others, live_curves.Facts(epochs, known), theme)


def _sweep(store: Store | None, view: shown.Shown, teacher_accuracy: float | None) -> None:
    """Draw a sweep as it is now. As a fragment, it is rerun where the browser has heard of something new."""
    if store is not None and view.run is not None:
        run = store.run(view.run.id)
        if run is None or (run.state != view.run.state and {run.state, view.run.state} != ACTIVE) or run.pace != view.run.pace:
            st.rerun()  # the whole page: its buttons, its verdict
        view = shown.stored(store, run)
    until = live_curves.clock(store, view)
    if until is not None:
        view = replace(view, points=[point for point in view.points if point["seconds"] <= until], result=None)
    sweep_view.show(view, teacher_accuracy, replayed=until is not None)


def _epochs(view: shown.Shown) -> int:
    """Return the epochs of a run; those of a teacher's recipe are known when it has begun."""
    if view.spec.epochs is not None:
        return view.spec.epochs
    settings = view.run.settings if view.run is not None else None
    return int((settings or {}).get("epochs", 1))


def _teacher(view: shown.Shown) -> dict[str, float] | None:
    """Return the teacher's accuracy and errors on the images that judge, or None if they are not known yet."""
    assert isinstance(view.spec, RunSpec)
    try:
        opened = data.load(view.spec.dataset)
        card = teachers.find(view.spec.dataset, view.spec.teacher)
    except UserError:
        return None
    logits = teachers.stored_logits(card, opened)
    if logits is None:
        return None
    errors, images = _errors(card.sha256, opened.sha256, view.spec.judged_on, logits, opened)
    return {"accuracy": 1 - errors / images, "errors": errors}


@st.cache_data(max_entries=64)
def _errors(
    weights_sha256: str, data_sha256: str, split: data.Split, _logits: np.ndarray, _opened: data.Dataset
) -> tuple[int, int]:
    # The two hashes are the key of the cache; the underscored arguments are what they stand for.
    where = _opened.slice(split)
    wrong = _logits[where].argmax(-1) != _opened.labels[where]
    return int(wrong.sum()), len(wrong)


def result(view: shown.Shown) -> None:
    """Show the verdict in words, and the table of teacher and students."""
    assert view.result is not None
    if isinstance(view.spec, TeacherSpec):
        _taught(view)
        return
    if grid.is_sweep(view.spec):
        sweep_view.table(view)
        _caption(view)
        return
    comparisons = grid.gains(view.result)
    for comparison in comparisons:
        known = {name: comparison[name] for name in ("mean", "low", "high", "verdict", "seeds", "seeds_better")}
        words = stats.sentence(stats.Difference(**known))
        if len(comparisons) > 1:
            words = _("T = {T}: {verdict}", T=f"{comparison['temperature']:g}", verdict=words)
        with st.container(key=VERDICT if len(comparisons) == 1 else None):
            st.markdown(f"## {words}" if len(comparisons) == 1 else f"**{words}**", anchors=False)
    st.dataframe(_rows(view), hide_index=True, width="stretch")
    _caption(view)


def _taught(view: shown.Shown) -> None:
    """Say how good the teacher is that came out, and each of its members."""
    teacher = (view.result or {})["teacher"]
    fields = dict(name=data.title(teacher["name"]), accuracy=f"{teacher['accuracy']:.2%}", errors=f"{teacher['errors']:,}")
    each = teacher["member_errors"]
    words = (
        _("{name} answers {accuracy} of the test images rightly: {errors} errors.", **fields)
        if len(each) == 1
        else _(
            "{name} answers {accuracy} of the test images rightly: {errors} errors together, its members alone {each}.",
            each=", ".join(f"{errors:,}" for errors in each), **fields,
        )
    )  # fmt: skip
    with st.container(key=VERDICT):
        st.markdown(f"## {words}", anchors=False)


def _caption(view: shown.Shown) -> None:
    """Say what the interval is conditional on."""
    assert isinstance(view.spec, RunSpec)
    judged = _("validation images") if view.spec.evaluate_on == "validation" else _("test images")
    how = (view.result or {}).get("settings", {})
    if how.get("batch_order", strategy.BATCH_ORDER) != strategy.BATCH_ORDER:
        st.caption(_("This run was made by an earlier kdviz: all its students, of every seed, saw the same batches."))
    st.caption(
        _(
            "The interval counts seeds and {judged}. Seeds differ in their initial weights and in the order of the batches; the "
            "students of one seed, distilled and hard-label, share both. "
            "One teacher and one training set are held fixed: it says nothing of others. ± is the standard deviation over seeds.",
            judged=judged,
        )
    )
    if how.get("why"):
        st.caption(
            _(
                "{students} students trained as {programs} program(s) in {seconds} s, {precision}, threads: {threads}, compiled: "
                "{compiled}.",
                students=len(view.spec.students), programs=how["programs"], seconds=f"{(view.result or {})['seconds']:.1f}",
                precision=how["precision"], threads=how["threads"], compiled=_("yes") if how["compiled"] else _("no"),
            ),
            help=how["why"] if i18n.current() == "en" else None,  # as the worker logged it: not translated
        )  # fmt: skip


def _rows(view: shown.Shown) -> list[dict[str, Any]]:
    assert view.result is not None and isinstance(view.spec, RunSpec)
    teacher = view.result["teacher"]
    rows = [
        _row(
            _("teacher ({network})", network=view.spec.teacher),
            f"{teacher['accuracy']:.2%}",
            str(teacher["errors"]),
            "",
            "",
            teacher["parameters"],
        )
    ]
    groups: dict[tuple[str, float | None, str], list[Mapping[str, Any]]] = {}
    for entry in view.result["students"]:
        groups.setdefault((entry["condition"], entry["temperature"], entry.get("loss", misconceptions.RIGHT)), []).append(entry)
    for (condition, temperature, loss), entries in groups.items():
        rows.append(
            _row(
                curves.label(condition, temperature, loss),
                _spread([100 * entry["accuracy"] for entry in entries], 2, "%"),
                _spread([entry["errors"] for entry in entries], 1),
                _spread([100 * entry["agreement"] for entry in entries], 1, "%"),
                _spread([entry["kl"] for entry in entries], 3),
                entries[0]["parameters"],
            )
        )
    return rows


def _row(name: str, accuracy: str, errors: str, agreement: str, kl: str, parameters: int) -> dict[str, Any]:
    return {
        _("network"): name,
        _("accuracy"): accuracy,
        _("errors"): errors,
        _("agreement with the teacher"): agreement,
        _("KL from the teacher (nats)"): kl,
        _("parameters"): f"{parameters:,}",
        _("size"): f"{4 * parameters / 1e6:.2f} MB" if parameters >= 250_000 else f"{4 * parameters / 1e3:.1f} kB",
    }


def _spread(values: Sequence[float], digits: int, unit: str = "") -> str:
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}{unit}"
    return f"{mean:.{digits}f}{unit} ± {statistics.stdev(values):.{digits}f}"
