"""A sweep's points gathered into the cells of a grid: two of its knobs as axes, the others held. Pure: points in, cells out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kdviz import misconceptions
from kdviz.figures.sweep import Axis, Cell
from kdviz.i18n import N_, _
from kdviz.spec import GRID, RunSpec, Setting, TeacherSpec

TITLES = {
    "temperature": N_("temperature T"),
    "student": N_("student"),
    "soft_weight": N_("weight of the soft targets"),
    "fraction": N_("fraction of the images"),
    "loss": N_("loss"),
}


@dataclass(frozen=True)
class Grid:
    """The two axes and every cell of a sweep, or of one slice of it."""

    columns: Axis
    rows: Axis
    cells: list[Cell]


def is_sweep(spec: RunSpec | TeacherSpec) -> bool:
    """Return whether a run is one to be read as a grid: up to three temperatures alone are told apart as curves."""
    if isinstance(spec, TeacherSpec):
        return False
    return len(spec.settings) > 3 or spec.swept not in ([], ["temperature"])


def axes(spec: RunSpec) -> tuple[str, str, list[str]]:
    """Return the knobs across and down, and the knobs that are swept besides."""
    across, *others = spec.swept or ["temperature"]
    down = others[0] if others else next(name for name in ("student", *GRID) if name != across)
    return across, down, others[1:]


def gains(result: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the comparisons of distilled students with hard labels, leaving out those of further conditions."""
    comparisons = (result or {}).get("comparisons", [])
    return [
        one for one in comparisons if (one.get("condition"), one.get("against")) in (("distilled", "hard_labels"), (None, None))
    ]


def grid(
    spec: RunSpec,
    points: Iterable[Mapping[str, Any]],
    result: Mapping[str, Any] | None,
    held: Mapping[str, Any] | None = None,
) -> Grid:
    """Return a sweep as it stands. held: the values of the knobs that are neither across nor down.

    A cell shows the last evaluation that all its students and their controls have reached; its interval comes with the result.
    """
    across, down, others = axes(spec)
    columns, rows = getattr(spec, across), getattr(spec, down)
    accuracies: dict[int, dict[float, float]] = {}
    for point in points:
        accuracies.setdefault(point["student"], {})[point["epoch"]] = point["accuracy"]
    intervals = {}
    for comparison in gains(result):
        if comparison["low"] is not None:
            # A result of before there were sweeps names the temperature alone.
            key = Setting(*(comparison.get(name, getattr(spec, name)[0]) for name in Setting._fields))
            intervals[key] = (comparison["mean"], (comparison["low"], comparison["high"]))
    cells = []
    for setting in spec.settings:
        if any(getattr(setting, name) != (held or {}).get(name, getattr(spec, name)[0]) for name in others):
            continue
        column, row = columns.index(getattr(setting, across)), rows.index(getattr(setting, down))
        distilled, control = spec.compared(setting)
        both = [accuracies.get(number, {}) for number in distilled + control]
        reached = set.intersection(*map(set, both)) if all(both) else set()
        if not reached or max(reached) == 0:  # an untrained student says nothing
            cells.append(Cell(column, row, None, None, None, None, None, None, None, None))
            continue
        now = max(reached)
        d, c = ([accuracies[number][now] for number in group] for group in (distilled, control))
        mean, control_mean = sum(d) / len(d), sum(c) / len(c)
        difference, interval = intervals.get(setting, (mean - control_mean, None))
        cells.append(Cell(column, row, mean, min(d), max(d), control_mean, min(c), max(c), difference, interval))
    return Grid(Axis(_(TITLES[across]), _named(across, columns)), Axis(_(TITLES[down]), _named(down, rows)), cells)


def _named(knob: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of an axis as they are read: losses by their titles."""
    return tuple(_(misconceptions.TITLES[value]) for value in values) if knob == "loss" else values
