"""Learning curves: the mean of each condition over epochs and the band of its seeds, the teacher as a line.

Pure. `frame` says how everything looks, for every metric and scale; the browser gathers the points into it
(`kdviz/ui/browser/curves.js`), by the rule of `curve`, as they arrive. `in_words` says the same to who cannot see it. Conditions
keep the palette's colour, dash and symbol; several temperatures of one condition are told apart by lightness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Kind, Theme
from kdviz.figures.numbers import percent
from kdviz.i18n import N_, _
from kdviz.misconceptions import RIGHT, TITLES
from kdviz.spec import LABELS_ALONE, RunSpec, TeacherSpec

CONDITION_LABELS = {
    "distilled": N_("distilled, T = {T}"),
    "permuted_non_targets": N_("wrong classes permuted, T = {T}"),
    "confidence_weighted": N_("labels weighted by confidence, T = {T}"),
    "label_smoothing": N_("label smoothing, T = {T}"),
    "random_teacher": N_("untrained teacher, T = {T}"),
    "specialists": N_("with specialists, T = {T}"),
}


@dataclass(frozen=True)
class Series:
    """One condition of a run: which of its students belong to it. run: the id of the run they are of."""

    kind: Kind
    label: str
    run: str
    students: Sequence[int]
    faint: bool = False


@dataclass(frozen=True)
class Curve:
    """One condition over its seeds. epochs, mean, low, high: (evaluations,); low and high are the least and the greatest seed."""

    label: str
    epochs: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def label(condition: str, temperature: float | None, loss: str = RIGHT) -> str:
    """Return the name of a condition in the reader's language, its temperature with it, and its loss unless that is right."""
    if loss != RIGHT:
        return _("{condition}, loss {loss}", condition=label(condition, temperature), loss=_(TITLES[loss]))
    if condition == "hard_labels" or temperature is None:
        return _("hard labels")
    return _(CONDITION_LABELS[condition], T=f"{temperature:g}")


def series(spec: RunSpec | TeacherSpec, run: str, prefix: str = "", faint: bool = False) -> list[Series]:
    """Return a series for each condition, temperature and loss of a run, one for a teacher's. prefix: put before each label."""
    members: dict[tuple[str, float | None, str], list[int]] = {}
    for number, student in enumerate(spec.students):
        members.setdefault((student.condition, student.temperature, student.loss), []).append(number)
    teaching = isinstance(spec, TeacherSpec)
    return [
        Series(
            kind="teacher" if teaching else "hard_labels" if condition in LABELS_ALONE else "distilled",
            label=prefix + (_("teacher in training") if teaching else label(condition, temperature, loss)),
            run=run,
            students=students,
            faint=faint,
        )
        for (condition, temperature, loss), students in members.items()
    ]


def curve(of: Series, points: Iterable[Mapping[str, Any]], metric: str = "accuracy") -> Curve:
    """Gather the points of a series' run. An evaluation counts once all students of the series have written their point."""
    by_student: dict[int, dict[float, float]] = {number: {} for number in of.students}
    for point in points:
        if point["student"] in by_student and point[metric] is not None:
            by_student[point["student"]][point["epoch"]] = point[metric]
    epochs = sorted(set.intersection(*(set(found) for found in by_student.values())))
    values = [[found[epoch] for found in by_student.values()] for epoch in epochs]
    return Curve(of.label, epochs, [sum(v) / len(v) for v in values], [min(v) for v in values], [max(v) for v in values])


def frame(drawn: Sequence[Series], epochs: int, theme: Theme = "light") -> dict[str, Any]:
    """Return a figure without its numbers: {"series", "teacher", "metrics", "layout"}.

    series: for each Series its run and students, the style of its line and of its band, and of its lines by term of the loss;
    teacher: the style of the teacher's line; metrics: for each what its axis says and how numbers are written; layout: Plotly's.
    """
    per_kind: dict[str, int] = {}
    styled = []
    for one in drawn:
        mark = PALETTE[one.kind]
        number = per_kind[one.kind] = per_kind.get(one.kind, -1) + 1
        line = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": one.label,
            "opacity": 0.45 if one.faint else max(0.35, 1 - 0.2 * number),
            "line": {"color": mark.colour(theme), "dash": mark.dash, "width": 2 if one.faint else 3},
            "marker": {"color": mark.colour(theme), "symbol": mark.symbol, "size": 5 if one.faint else 8},
        }
        hard = {"line": {**line["line"], "width": 1.5}, "marker": {**line["marker"], "symbol": f"{mark.symbol}-open"}}  # type: ignore[dict-item]
        styled.append(
            {
                "run": one.run,
                "students": list(one.students),
                "line": line,
                "band": {
                    "type": "scatter",
                    "mode": "lines",
                    "name": one.label,
                    "fill": "toself",
                    "fillcolor": mark.colour(theme),
                    "opacity": 0.07 if one.faint else 0.18,
                    "line": {"width": 0},
                    "hoverinfo": "skip",
                },
                "terms": {
                    "loss_soft": {"name": _("{condition}: soft term", condition=one.label)},
                    "loss_hard": {"name": _("{condition}: hard term", condition=one.label), **hard},
                },
            }
        )
    mark = PALETTE["teacher"]
    teacher = {
        "type": "scatter",
        "mode": "lines",
        "name": _("teacher"),
        "line": {"color": mark.colour(theme), "dash": mark.dash, "width": 3},
    }
    metrics = {
        "accuracy": {"title": _("accuracy"), "errors": _("errors on the test images"), "number": ".2%", "tick": ".1~%"},
        "loss": {"title": _("loss, weighted, by term"), "number": ".3~g", "tick": "~g"},
        "agreement": {"title": _("agreement with the teacher"), "number": ".2%", "tick": ".1~%"},
        "kl": {"title": _("KL from the teacher (nats)"), "number": ".3~g", "tick": "~g"},
    }
    return {"series": styled, "teacher": teacher, "metrics": metrics, "layout": _layout(epochs, theme)}


def _layout(epochs: int, theme: Theme) -> dict[str, Any]:
    ink = INK[theme]
    axis = {
        "gridcolor": "rgba(128,128,128,0.25)",
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": 14, "color": ink},
    }
    return {
        "height": 400,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "showlegend": False,
        "hovermode": "x unified",
        "hoverdistance": -1,  # the evaluation that is nearest, however far it is
        "hoverlabel": {"bgcolor": "#FFFFFF" if theme == "light" else "#1A1F26", "font": {"size": 15, "color": ink}},
        "dragmode": "zoom",
        "xaxis": {
            "title": {"text": _("epochs")},
            "range": [0, epochs * 1.01],
            "hoverformat": ".3~r",
            "unifiedhovertitle": {"text": _("epochs: {number}", number="%{x}")},
            **axis,
        },
        "yaxis": {"title": {"text": ""}, **axis},
    }


def sentence() -> str:
    """Return how one curve is said, with the fields condition, accuracy, epochs, low and high left open."""
    return _(
        "{condition}: {accuracy} right after {epochs} epochs, the seeds between {low} and {high}.",
        condition="{condition}", accuracy="{accuracy}", epochs="{epochs}", low="{low}", high="{high}",
    )  # fmt: skip


def in_words(drawn: Sequence[Curve], teacher_accuracy: float | None) -> str:
    """Return the text alternative: where each accuracy stands now."""
    sentences = [
        sentence().format(
            condition=one.label,
            accuracy=percent(one.mean[-1], exact=True),
            epochs=f"{one.epochs[-1]:g}",
            low=percent(one.low[-1], exact=True),
            high=percent(one.high[-1], exact=True),
        )
        for one in drawn
        if one.mean
    ]
    if teacher_accuracy is not None:
        sentences.append(_("The teacher: {accuracy} right.", accuracy=percent(teacher_accuracy, exact=True)))
    return " ".join(sentences) or _("No points yet.")
