"""The figures of the paper's experiments: of a result, committed or computed here, a drawing or several. Pure.

Every experiment but those with a bias to be raised, which has a figure of its own (kdviz.figures.bias), is shown by rows with
intervals, by lines over a knob, or by the map and the panels of a sweep.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.experiments import Experiment
from kdviz.experiments.claims.bugs import hottest
from kdviz.figures import Drawing, Kind, Theme, intervals, knob, sweep
from kdviz.figures.curves import label
from kdviz.figures.intervals import Other, Row
from kdviz.i18n import _
from kdviz.misconceptions import MISCONCEPTIONS
from kdviz.spec import LABELS_ALONE

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Figures:
    """wide: as wide as the page, one below the other; panels: side by side where there is room."""

    wide: Sequence[Drawing] = ()
    panels: Sequence[Drawing] = ()


def figures(experiment: Experiment, result: Result, theme: Theme) -> Figures:
    """Return what is drawn of a result; nothing for an experiment that has no figure of these kinds."""
    drawn = DRAWN.get(experiment.name)
    return drawn(experiment, result, theme) if drawn is not None else Figures()


def _points(difference: Mapping[str, Any], times: float = 100.0) -> dict[str, Any]:
    """Return the mean and the interval of a paired difference as fields of a row."""
    low, high = difference["low"], difference["high"]
    return {"mean": times * difference["mean"], "interval": None if low is None else (times * low, times * high)}


def _found(experiment: Experiment, key: str, number: int = 0) -> float:
    return [found.value for found in experiment.paper if found.key == key][number]


def _seeds(of: Mapping[str, Any], times: float = 1.0) -> dict[str, Any]:
    return {"mean": times * of["mean"], "seeds": [times * value for value in of["seeds"]]}


def _table(experiment: Experiment, result: Result, theme: Theme) -> Figures:
    of, papers = result["measured"], Other(_("the paper"))
    names: dict[Kind, str] = {"hard_labels": _("hard labels"), "distilled": _("soft targets")}
    rows = [Row(_("teacher"), "teacher", of["teacher"], other=_found(experiment, "teacher"))]
    rows += [
        Row(name, kind, **_seeds(of["students"][kind]["errors"]), other=_found(experiment, kind)) for kind, name in names.items()
    ]
    gain = Row(_("fewer by soft targets"), "distilled", **_points(of["gain"], of["images"]))
    return Figures([
        intervals.draw(rows, _("errors on {images} test images", images=f"{of['images']:,}"), theme, 0, other=papers),
        intervals.draw([gain], _("errors fewer than with hard labels, 95% interval"), theme, 0, signed=True),
    ])  # fmt: skip


def _by_width(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    measured = result["measured"]["rows"]
    columns = sweep.Axis(_("temperature T"), tuple(sorted({row["temperature"] for row in measured})))
    rows = sweep.Axis(_("hidden units a layer"), tuple(sorted({row["width"] for row in measured})))
    images = _images(result)
    cells = []
    for row in measured:
        errors, control, gain = row["errors"]["seeds"], row["hard_labels"]["seeds"], row["gain"]
        right, alone = ([1 - each / images for each in counted] for counted in (errors, control))
        cells.append(
            sweep.Cell(
                columns.values.index(row["temperature"]), rows.values.index(row["width"]),
                sum(right) / len(right), min(right), max(right), sum(alone) / len(alone), min(alone), max(alone),
                gain["mean"], None if gain["low"] is None else (gain["low"], gain["high"]),
            )
        )  # fmt: skip
    panels = []
    for number, width in enumerate(rows.values):
        own = [dataclasses.replace(cell, row=0) for cell in cells if cell.row == number]
        there = [cell.column for cell in own]
        across = sweep.Axis(columns.title, tuple(columns.values[column] for column in sorted(there)))
        own = [dataclasses.replace(cell, column=sorted(there).index(cell.column)) for cell in own]
        panels.append(sweep.small_multiples(across, sweep.Axis(rows.title, (width,)), own, None, theme))
    return Figures([sweep.heat_map(columns, rows, cells, theme, final=True)], panels)


def _images(result: Result) -> int:
    """Return how many images judge: what errors and accuracy of any student that has errors say."""
    rows = [row for part in result["parts"].values() for row in part["students"] if row["errors"]]
    return round(rows[0]["errors"] / (1 - rows[0]["accuracy"])) if rows else 1


def _apart(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    drawn = []
    for name, of in result["measured"].items():
        T = result["parts"][name]["spec"]["temperature"][0]
        rows = [
            Row(label(condition, T), "hard_labels" if condition in LABELS_ALONE else "distilled", **_points(gain))
            for condition, gain in of["gains"].items()
        ]
        across = _("points gained over hard labels, {images} images", images=f"{of['images']:,}")
        drawn.append(intervals.draw(rows, across, theme, 2, signed=True))
    return Figures(drawn)


def _bugs(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    return Figures([bugs(list(hottest(result["measured"]["rows"]).values()), theme)])


def bugs(measured: Sequence[Mapping[str, Any]], theme: Theme) -> Drawing:
    """Draw what bugs cost against the right loss: rows as kdviz.experiments.lab has them."""
    rows = [
        Row(
            _("{bug}, T = {T}", bug=_(MISCONCEPTIONS[one["loss"]].title), T=f"{one['temperature']:g}"), "distilled",
            **_points(one["harm"]), other=-100 * one["gain_of_right"]["mean"],
        )
        for one in measured
    ]  # fmt: skip
    across = _("points against the right loss, 95% interval")
    return intervals.draw(rows, across, theme, 2, signed=True, other=Other(_("hard labels alone"), "hard_labels"))


def _little(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    rows = result["measured"]["rows"]
    names: dict[Kind, str] = {"hard_labels": _("hard labels"), "distilled": _("soft targets")}
    shares = [100 * row["fraction"] for row in rows]
    right, gaps = [], []
    for kind, name in names.items():
        of = [row["students"][kind]["accuracy"] for row in rows]
        low, high = ([100 * end(each["seeds"]) for each in of] for end in (min, max))
        right.append(knob.Line(name, kind, shares, [100 * each["mean"] for each in of], low, high))
        gaps.append(knob.Line(name, kind, shares, [100 * row["gap"][kind] for row in rows]))
    across = _("percent of the training images")
    return Figures(panels=[
        knob.draw(right, across, _("accuracy on test images"), theme, 2, unit="%"),
        knob.draw(gaps, across, _("points lost from training to test images"), theme, 2, zero=True),
    ])  # fmt: skip


def _kdtf(experiment: Experiment, result: Result, theme: Theme) -> Figures:
    of = result["measured"]
    first = of["rows"][0]["students"]["hard_labels"]["accuracy"]
    rows = [Row(_("teacher"), "teacher", 100 * of["teacher"]),  # kdtf has another for each T
            Row(_("hard labels"), "hard_labels", **_seeds(first, 100), other=_found(experiment, "hard_labels"))]  # fmt: skip
    rows += [
        Row(label("distilled", row["temperature"]), "distilled", **_seeds(row["students"]["distilled"]["accuracy"], 100),
            other=_found(experiment, "distilled", number))
        for number, row in enumerate(of["rows"])
    ]  # fmt: skip
    return Figures([intervals.draw(rows, _("accuracy in percent"), theme, 2, other=Other("kdtf"))])


def _squared(experiment: Experiment, result: Result, theme: Theme) -> Figures:
    lines = []
    for name, rows in result["measured"].items():
        means = [100 * row["harm"]["mean"] for row in rows]
        ends: dict[str, list[float]] = {}
        if all(row["harm"]["low"] is not None for row in rows):
            ends = {end: [100 * row["harm"][end] for row in rows] for end in ("low", "high")}
        lines.append(knob.Line(_(experiment.titles[name]), "distilled", [row["temperature"] for row in rows], means, **ends))
    up = _("points, T² left out against right")
    return Figures([knob.draw(lines, _("temperature T"), up, theme, 2, zero=True)])


def _matching(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    of = result["measured"]
    angle = knob.Line(_("angle"), "teacher", of["temperatures"], of["degrees"])
    rows = [Row(label("distilled", row["temperature"]), "distilled", **_seeds(row["errors"])) for row in of["rows"]]
    return Figures(panels=[
        knob.draw([angle], _("temperature T"), _("degrees between the gradients"), theme, 1, unit="°"),
        intervals.draw(rows, _("errors on test images"), theme, 0),
    ])  # fmt: skip


def _teachers(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    errors, agreement = [], []
    for name, of in result["measured"]["rows"].items():
        errors += [Row(_("teacher {network}", network=name), "teacher", of["teacher_errors"]),
                   Row(_("students of {network}", network=name), "distilled", **_seeds(of["errors"]))]  # fmt: skip
        agreement.append(Row(_("students of {network}", network=name), "distilled", **_seeds(of["agreement"], 100)))
    return Figures(panels=[
        intervals.draw(errors, _("errors on test images"), theme, 0),
        intervals.draw(agreement, _("images on which students agree with their teacher, percent"), theme, 2),
    ])  # fmt: skip


def _ensemble(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    of = result["measured"]
    members = of["members"]
    rows = [
        Row(_("each network of five"), "teacher", sum(members) / len(members), seeds=members),
        Row(_("the five together"), "teacher", of["ensemble"]),
        Row(_("hard-label students"), "hard_labels", **_seeds(of["hard_labels"])),
        Row(_("students of one network"), "distilled", **_seeds(of["students"]["one"])),
        Row(_("students of all five"), "distilled", **_seeds(of["students"]["several"])),
    ]
    return Figures([intervals.draw(rows, _("errors on {images} test images", images=f"{of['images']:,}"), theme, 1)])


def _specialists(_experiment: Experiment, result: Result, theme: Theme) -> Figures:
    of = result["measured"]
    T = result["parts"]["students"]["spec"]["temperature"][0]
    rows = [Row(label(condition, T), "distilled", **_points(gain)) for condition, gain in of["gains"].items()]
    across = _("points gained over hard labels, {images} images", images=f"{of['learned']:,}")
    return Figures([intervals.draw(rows, across, theme, 2, signed=True)])


DRAWN: dict[str, Callable[[Experiment, Result, Theme], Figures]] = {
    "mnist-table": _table,
    "temperature-by-width": _by_width,
    "where-from": _apart,
    "misconceptions": _bugs,
    "little-data": _little,
    "kdtf-table": _kdtf,
    "t-squared": _squared,
    "logit-matching": _matching,
    "good-teacher-good-student": _teachers,
    "ensemble": _ensemble,
    "specialists": _specialists,
}
