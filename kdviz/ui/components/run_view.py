"""A run on the page: its progress, its curves, its verdict, its table. Live while it trains.

The polling of a live run stands here and nowhere else, so that a stream can take its place.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data, engine, figures, i18n, misconceptions, stats, strategy, teachers
from kdviz.errors import UserError
from kdviz.figures import curves, grid
from kdviz.i18n import _
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import Run, Store, shown_error
from kdviz.ui import language, shown
from kdviz.ui.components import sweep_view

POLL_SECONDS = 0.2
SWEEP_POLL_SECONDS = 0.7  # a map and its panels take the browser 0.3 s to draw, on a core that the training could use
REPLAY_SPEED = 2.0


def live(store: Store, run_id: str, overlaid: Sequence[str] = ()) -> None:
    """Show a run of the store, again and again until it is over."""
    run = store.run(run_id)
    if run is not None and not run.over:
        seconds = SWEEP_POLL_SECONDS if grid.is_sweep(run.spec) else POLL_SECONDS
        language.fragment(seconds)(_poll)(store, run_id, overlaid)
    elif run is not None:
        _stored(store, run, overlaid)


def _poll(store: Store, run_id: str, overlaid: Sequence[str]) -> None:
    run = store.run(run_id)
    if run is None or run.over:
        st.rerun()
    _stored(store, run, overlaid)


def _stored(store: Store, run: Run, overlaid: Sequence[str]) -> None:
    view = shown.stored(store, run)
    _progress(store, run, view.points)
    others = [other for run_id in overlaid if run_id != run.id and (other := store.run(run_id)) is not None]
    _curves(view, [shown.stored(store, other) for other in others])
    if view.result is not None:
        result(view)


def recorded(view: shown.Shown, key: str) -> None:
    """Show a recorded run, all of it, or again as it went after a click on Replay."""
    made = view.made or {}
    st.caption(
        _(
            "Recorded run, made by kdviz {version} on {date} ({machine}, {cores} cores). Start trains the same students here.",
            version=made["versions"]["kdviz"],
            date=made["date"],
            machine=made["machine"],
            cores=made["cores"],
        )
    )
    began = st.session_state.get(f"{key}_replay")
    if began is None:
        _curves(view)
        result(view)
        return

    @language.fragment(SWEEP_POLL_SECONDS if grid.is_sweep(view.spec) else POLL_SECONDS)
    def replay() -> None:
        seconds = (time.time() - began) * REPLAY_SPEED
        last = max(point["seconds"] for point in view.points)
        if seconds > last:
            st.session_state[f"{key}_replay"] = None
            st.rerun()
        st.progress(min(1.0, seconds / last), _("replay at {speed} times the speed", speed=f"{REPLAY_SPEED:g}"))
        _curves(shown.Shown(view.spec, [p for p in view.points if p["seconds"] <= seconds], None))

    replay()


def _progress(store: Store, run: Run, points: Sequence[Mapping[str, Any]]) -> None:
    """Say how far a run is, with Stop beside it; for one that is over, how it ended."""
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
        if run.state == "queued":
            ready = engine.state(store) == "ready"
            text = _("waiting for a free worker") if ready else _("the engine is starting; training begins in a few seconds")
            st.progress(0.0, text)
        else:
            share, teaching = run.step / run.steps if run.steps else 0.0, isinstance(run.spec, TeacherSpec)
            fields = dict(step=f"{run.step:,}", steps=f"{run.steps:,}")
            if share == 0:
                text = _("loading the images") if teaching else _("loading the images and the teacher's answers")
            elif (left := _trained(run, points) * (1 / share - 1)) < 120:
                text = _("step {step} of {steps}, about {seconds} s left", seconds=f"{left:.0f}", **fields)
            else:
                text = _("step {step} of {steps}, about {minutes} minutes left", minutes=f"{left / 60:.0f}", **fields)
            st.progress(share, text)
        st.button(
            _("Stop"),
            icon=":material/stop:",
            key=f"stop_{run.id}",
            on_click=store.request_stop,
            args=(run.id,),
            disabled=run.stop_requested,
        )


def _trained(run: Run, points: Sequence[Mapping[str, Any]]) -> float:
    """Return the seconds a run has trained, without the time for which it was stopped where a point was written since."""
    if points:
        return float(points[-1]["seconds"]) + time.time() - float(points[-1]["written"])
    return time.time() - (run.started or 0.0)


def _resume(store: Store, run: Run) -> None:
    st.button(
        _("Resume"), icon=":material/resume:", key=f"resume_{run.id}", on_click=store.resume, args=(run.id,),
        help=_("goes on from where it was"),
    )  # fmt: skip


def _curves(view: shown.Shown, others: Sequence[shown.Shown] = ()) -> None:
    """Draw what a run has computed so far: a sweep as its grid, other runs as curves."""
    if grid.is_sweep(view.spec):
        teacher = (view.result or {}).get("teacher") or _teacher(view)
        sweep_view.show(view, teacher["accuracy"] if teacher else None)
        return
    others = [other for other in others if not grid.is_sweep(other.spec)]
    theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"
    drawn = curves.curves(view.spec, view.points)
    for other in others:
        assert other.run is not None
        drawn += curves.curves(other.spec, other.points, prefix=f"{shown.name(other.run)}: ", faint=True)
    epochs = max(_epochs(one) for one in [view, *others])
    teaching = isinstance(view.spec, TeacherSpec)
    teacher = None if teaching else (view.result or {}).get("teacher") or _teacher(view)
    drawing = curves.learning(drawn, teacher["accuracy"] if teacher else None, epochs, theme)
    st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="run_curves")


def _epochs(view: shown.Shown) -> int:
    """Return the epochs of a run; those of a teacher's recipe are known when it has begun."""
    if view.spec.epochs is not None:
        return view.spec.epochs
    settings = view.run.settings if view.run is not None else None
    return int((settings or {}).get("epochs", 1))


def _teacher(view: shown.Shown) -> dict[str, float] | None:
    """Return the teacher's accuracy on the images that judge, before the run has said it, or None if it is not known yet."""
    assert isinstance(view.spec, RunSpec)
    try:
        opened = data.load(view.spec.dataset)
        card = teachers.find(view.spec.dataset, view.spec.teacher)
    except UserError:
        return None
    logits = teachers.stored_logits(card, opened)
    if logits is None:
        return None
    split: data.Split = "validation" if view.spec.evaluate_on == "validation" else "test"
    return {"accuracy": _accuracy(card.sha256, opened.sha256, split, logits, opened)}


@st.cache_data(max_entries=64)
def _accuracy(weights_sha256: str, data_sha256: str, split: data.Split, _logits: np.ndarray, _opened: data.Dataset) -> float:
    # The two hashes are the key of the cache; the underscored arguments are what they stand for.
    where = _opened.slice(split)
    return float((_logits[where].argmax(-1) == _opened.labels[where]).mean())


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
        st.markdown(f"#### {words}" if len(comparisons) == 1 else f"**{words}**", anchors=False)
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
    st.markdown(f"#### {words}", anchors=False)


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
