"""A teacher against the truth: its share of a class along a shape, and how far it is from the true probabilities over T.

Pure: numbers in, a Plotly figure and its text alternative out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdviz.figures import INK, PALETTE, Drawing, Kind, Theme
from kdviz.figures.numbers import percent, temperature
from kdviz.i18n import _


def along_shape(
    shapes: np.ndarray, truth: np.ndarray, at_one: np.ndarray, at_T: np.ndarray, T: float, here: float, theme: Theme = "light"
) -> Drawing:
    """Draw the truck's probability along the body shape: shapes, truth, at_one, at_T: (k,); here: the shape that is looked at."""
    lines: list[tuple[Kind, str, np.ndarray, float]] = [
        ("ground_truth", _("true probability"), truth, 4),
        ("teacher", _("teacher, T = 1"), at_one, 3),
        ("teacher", _("teacher, T = {T}", T=temperature(T)), at_T, 2),
    ]
    if T == 1:
        lines.pop()
    traces = [
        _line(shapes, values, kind, label, width, theme, dash=None if number < 2 else "solid")
        for number, (kind, label, values, width) in enumerate(lines)
    ]
    layout = _layout(_("body shape s: 0 a car, 1 a truck"), _("probability of truck"), theme)
    layout["yaxis"] |= {"range": [-0.02, 1.02], "tickformat": ".0%"}
    layout["shapes"] = [
        {"type": "line", "x0": here, "x1": here, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK[theme], "width": 1}}
    ]
    at = int(np.abs(shapes - here).argmin())
    alt = _(
        "At shape {s} the true probability of truck is {truth}; the teacher gives it {at_one} at T = 1 and {at_T} at T = {T}.",
        s=f"{here:.2f}", truth=percent(float(truth[at])), at_one=percent(float(at_one[at])), at_T=percent(float(at_T[at])),
        T=temperature(T),
    )  # fmt: skip
    return Drawing({"data": traces, "layout": layout}, alt)


def over_temperature(temperatures: Sequence[float], distances: np.ndarray, T: float, theme: Theme = "light") -> Drawing:
    """Draw the mean KL between the truth and the teacher over T, in nats: temperatures, distances: (k,); T: the reader's."""
    scale = np.asarray(temperatures)
    layout = _layout(_("temperature T"), _("KL from the truth (nats)"), theme)
    layout["xaxis"] |= {"type": "log", "tickvals": [0.1, 1, 10, 100], "ticktext": ["0.1", "1", "10", "100"]}
    layout["yaxis"] |= {"rangemode": "tozero"}
    traces = [_line(scale, distances, "teacher", _("teacher"), 3, theme)]
    best, one = int(distances.argmin()), int(np.abs(scale - 1).argmin())
    mark = PALETTE["teacher"]
    traces.append(
        {
            "type": "scatter", "mode": "markers+text", "x": [scale[one], scale[best]], "y": [distances[one], distances[best]],
            "text": ["T = 1", _("best")] if best != one else [_("T = 1, the best"), ""],
            "textposition": ["top right", "bottom center"],
            "marker": {"color": mark.colour(theme), "size": 11, "symbol": mark.symbol}, "textfont": {"size": 15},
            "hoverinfo": "skip", "showlegend": False,
        }
    )  # fmt: skip
    layout["shapes"] = [
        {"type": "line", "x0": T, "x1": T, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": INK[theme], "width": 1}}
    ]
    layout["showlegend"] = False
    alt = _(
        "The teacher is {at_one} nats from the true probabilities at T = 1, and nearest to them, {least} nats, at T = {best}.",
        at_one=f"{distances[one]:.3f}", least=f"{distances[best]:.3f}", best=temperature(float(scale[best])),
    )  # fmt: skip
    return Drawing({"data": traces, "layout": layout}, alt)


def _line(
    x: np.ndarray, y: np.ndarray, kind: Kind, label: str, width: float, theme: Theme, dash: str | None = None
) -> dict[str, Any]:
    mark = PALETTE[kind]
    return {
        "type": "scatter", "mode": "lines", "x": x.tolist(), "y": y.tolist(), "name": label,
        "line": {"color": mark.colour(theme), "dash": dash or mark.dash, "width": width},
        "hovertemplate": "%{y:.3f}<extra>" + label + "</extra>",
    }  # fmt: skip


def _layout(across: str, up: str, theme: Theme) -> dict[str, Any]:
    ink, grid = INK[theme], "rgba(128,128,128,0.25)"
    axis = {"gridcolor": grid, "zeroline": False, "automargin": True, "fixedrange": True, "tickfont": {"size": 14, "color": ink}}
    return {
        "height": 300,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 15, "color": ink}},
        "dragmode": False,
        "xaxis": {"title": {"text": across}, **axis},
        "yaxis": {"title": {"text": up}, **axis},
    }
