"""Learning curves: accuracy over epochs, the mean of each condition and the band of its seeds, the teacher as a line.

Pure: points in, a Plotly figure and its text alternative out. Conditions keep the palette's colour, dash and symbol; several
temperatures of one condition are told apart by lightness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Drawing, Kind, Theme
from kdviz.figures.numbers import percent
from kdviz.i18n import N_, _
from kdviz.misconceptions import RIGHT
from kdviz.spec import LABELS_ALONE, RunSpec, TeacherSpec

CONDITION_LABELS = {
    "distilled": N_("distilled, T = {T}"),
    "permuted_non_targets": N_("wrong classes permuted, T = {T}"),
    "confidence_weighted": N_("labels weighted by confidence, T = {T}"),
    "label_smoothing": N_("label smoothing, T = {T}"),
    "random_teacher": N_("untrained teacher, T = {T}"),
}


@dataclass(frozen=True)
class Curve:
    """One condition over its seeds. epochs, mean, low, high: (evaluations,); low and high are the worst and the best seed."""

    kind: Kind
    label: str
    epochs: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    faint: bool = False


def label(condition: str, temperature: float | None, loss: str = RIGHT) -> str:
    """Return the name of a condition in the reader's language, its temperature with it, and its loss unless that is right."""
    if loss != RIGHT:
        return _("{condition}, loss {loss}", condition=label(condition, temperature), loss=loss)
    if condition == "hard_labels" or temperature is None:
        return _("hard labels")
    return _(CONDITION_LABELS[condition], T=f"{temperature:g}")


def curves(
    spec: RunSpec | TeacherSpec, points: Iterable[Mapping[str, Any]], prefix: str = "", faint: bool = False
) -> list[Curve]:
    """Gather a run's points into a curve for each condition and temperature, a teacher's into one.

    An evaluation counts once all seeds of its condition have written their point. prefix: put before each label.
    """
    students, teaching = spec.students, isinstance(spec, TeacherSpec)
    members: dict[tuple[str, float | None, str], list[int]] = {}
    for number, s in enumerate(students):
        members.setdefault((s.condition, s.temperature, s.loss), []).append(number)
    by_student: dict[int, dict[float, float]] = {}
    for point in points:
        by_student.setdefault(point["student"], {})[point["epoch"]] = point["accuracy"]
    found = []
    for (condition, temperature, loss), who in members.items():
        epochs = sorted(set.intersection(*(set(by_student.get(i, {})) for i in who)))
        values = [[by_student[i][epoch] for i in who] for epoch in epochs]
        found.append(
            Curve(
                kind="teacher" if teaching else "hard_labels" if condition in LABELS_ALONE else "distilled",
                label=prefix + (_("teacher in training") if teaching else label(condition, temperature, loss)),
                epochs=epochs,
                mean=[sum(v) / len(v) for v in values],
                low=[min(v) for v in values],
                high=[max(v) for v in values],
                faint=faint,
            )
        )
    return found


def learning(drawn: Sequence[Curve], teacher_accuracy: float | None, epochs: int, theme: Theme = "light") -> Drawing:
    """Draw curves over 0..epochs; the upper part, where they differ, fills the height, and a double click shows all."""
    traces: list[dict[str, Any]] = []
    per_kind: dict[str, int] = {}
    for curve in drawn:
        mark = PALETTE[curve.kind]
        number = per_kind[curve.kind] = per_kind.get(curve.kind, -1) + 1
        colour = mark.colour(theme)
        opacity = 0.45 if curve.faint else max(0.35, 1 - 0.2 * number)
        x = list(curve.epochs)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x + x[::-1],
                "y": [*curve.high, *list(curve.low)[::-1]],
                "fill": "toself",
                "fillcolor": colour,
                "opacity": 0.07 if curve.faint else 0.18,
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
                "name": curve.label,
                "legendgroup": curve.label,
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": x,
                "y": list(curve.mean),
                "name": curve.label,
                "legendgroup": curve.label,
                "opacity": opacity,
                "line": {"color": colour, "dash": mark.dash, "width": 2 if curve.faint else 3},
                "marker": {"color": colour, "symbol": mark.symbol, "size": 5 if curve.faint else 8},
                "hovertemplate": "%{y:.2%}<extra>" + curve.label + "</extra>",
            }
        )
    layout = _layout(epochs, _floor(drawn, teacher_accuracy, epochs), theme)
    if teacher_accuracy is not None:
        mark = PALETTE["teacher"]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0, epochs],
                "y": [teacher_accuracy] * 2,
                "name": _("teacher"),
                "line": {"color": mark.colour(theme), "dash": mark.dash, "width": 3},
                "hovertemplate": "%{y:.2%}<extra>" + _("teacher") + "</extra>",
            }
        )
    return Drawing({"data": traces, "layout": layout}, _in_words(drawn, teacher_accuracy))


def _floor(drawn: Sequence[Curve], teacher_accuracy: float | None, epochs: int) -> float:
    """Return where the axis begins: a little under all evaluations but those of the first sixteenth, which are near chance."""
    lows = [low for curve in drawn for epoch, low in zip(curve.epochs, curve.low, strict=True) if epoch >= epochs / 16]
    if not lows:
        return 0.0
    top = max([teacher_accuracy or 0.0, *(max(curve.high) for curve in drawn if curve.high)])
    return max(0.0, min(lows) - 0.05 * (top - min(lows)) - 0.002)


def _layout(epochs: int, floor: float, theme: Theme) -> dict[str, Any]:
    ink = INK[theme]
    grid = "rgba(128,128,128,0.25)"
    return {
        "height": 400,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 16, "color": ink}},
        "hovermode": "x unified",
        "uirevision": "kept",  # a zoom stays while points arrive
        "xaxis": {
            "title": {"text": _("epochs")},
            "range": [0, epochs * 1.01],
            "gridcolor": grid,
            "zeroline": False,
            "automargin": True,
            "tickfont": {"size": 14, "color": ink},
        },
        "yaxis": {
            "title": {"text": _("accuracy")},
            "range": [floor, 1.0 + 0.02 * (1 - floor)],
            "tickformat": ".0%" if floor < 0.9 else ".1%",
            "gridcolor": grid,
            "zeroline": False,
            "automargin": True,
            "tickfont": {"size": 14, "color": ink},
        },
    }


def _in_words(drawn: Sequence[Curve], teacher_accuracy: float | None) -> str:
    sentences = [
        _(
            "{condition}: {accuracy} right after {epochs} epochs, the seeds between {low} and {high}.",
            condition=curve.label,
            accuracy=percent(curve.mean[-1], exact=True),
            epochs=f"{curve.epochs[-1]:g}",
            low=percent(curve.low[-1], exact=True),
            high=percent(curve.high[-1], exact=True),
        )
        for curve in drawn
        if curve.mean
    ]
    if teacher_accuracy is not None:
        sentences.append(_("The teacher: {accuracy} right.", accuracy=percent(teacher_accuracy, exact=True)))
    return " ".join(sentences) or _("No points yet.")
