"""What a page shows of training: a run of the store, or a recorded one; both as the same thing, so that they look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from kdviz import data, presets
from kdviz.i18n import _
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import Run, Store


@dataclass(frozen=True)
class Shown:
    """A run with its points. run: None for a record; made: of a record, its date, machine and versions."""

    spec: RunSpec | TeacherSpec
    points: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any] | None
    run: Run | None = None
    made: Mapping[str, Any] | None = None


def record(preset: str) -> Shown:
    content = presets.record(preset)
    return Shown(RunSpec.from_dict(content["result"]["spec"]), content["points"], content["result"], made=content["made"])


def stored(store: Store, run: Run) -> Shown:
    """Return a run of the store; only the points that this session has not seen yet are read."""
    known: dict[str, list[dict[str, Any]]] = st.session_state.setdefault("points", {})
    points = known.setdefault(run.id, [])
    points += store.points(run.id, points[-1]["id"] if points else 0)
    return Shown(run.spec, points, run.result, run=run)


def name(run: Run) -> str:
    """Return the name that the reader gave a run, or what it is in short."""
    return run.name or summary(run.spec)


def summary(spec: RunSpec | TeacherSpec) -> str:
    """Return a spec in short."""
    if isinstance(spec, TeacherSpec):
        return _(
            "{dataset}, teacher {network}, seed {seed}", dataset=data.title(spec.dataset), network=spec.network, seed=spec.seed
        )
    fields = dict(
        dataset=data.title(spec.dataset), teacher=spec.teacher, student=", ".join(spec.student),
        T=", ".join(f"{T:g}" for T in spec.temperature), seeds=spec.seeds, epochs=spec.epochs,
    )  # fmt: skip
    if "soft_weight" in spec.swept:
        return _(
            "{dataset} ({share} of the images), teacher {teacher}, student {student}, T = {T}, weights of the soft targets "
            "{weights}, {seeds} seeds, {epochs} epochs",
            share=", ".join(f"{share:.3g}" for share in spec.fraction),
            weights=", ".join(f"{weight:g}" for weight in spec.soft_weight), **fields,
        )  # fmt: skip
    if spec.fraction != (1.0,):
        return _(
            "{dataset} ({share} of the images), teacher {teacher}, student {student}, T = {T}, {seeds} seeds, {epochs} epochs",
            share=", ".join(f"{share:.3g}" for share in spec.fraction), **fields,
        )  # fmt: skip
    return _("{dataset}, teacher {teacher}, student {student}, T = {T}, {seeds} seeds, {epochs} epochs", **fields)
