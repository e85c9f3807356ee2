"""Errors over the bias of some classes: of all images and of those of the classes, with the biases that stand out.

Pure. The line at the chosen bias is the first shape of the layout: a page moves it (`kdviz/ui/browser/bias_curve.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Drawing, Theme
from kdviz.i18n import _

LEAST = 0.5
"""Where no error is drawn, on an axis that has no zero."""


@dataclass(frozen=True)
class Mark:
    """A bias that stands out. label: in the reader's language, short; errors: of all images there."""

    label: str
    bias: float
    errors: float


def draw(curve: Mapping[str, Sequence[float]], classes: str, marks: Sequence[Mark], at: float, theme: Theme) -> Drawing:
    """Draw a curve as kdviz.experiments measures it, {"bias", "errors", "errors_of_classes"}, as many of each.

    classes: the names of those whose bias is moved; at: the bias that is chosen.
    """
    mark, ink = PALETTE["distilled"], INK[theme]
    traces: list[dict[str, Any]] = []
    names = {"errors": _("all errors"), "errors_of_classes": _("errors on {classes}", classes=classes)}
    for (key, name), dash, width in zip(names.items(), ("solid", "dot"), (4, 3), strict=True):
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": name, "x": list(curve["bias"]),
                "y": [max(LEAST, value) for value in curve[key]], "customdata": list(curve[key]),
                "line": {"color": mark.colour(theme), "dash": dash, "width": width},
                "hovertemplate": f"%{{customdata:.0f}}<extra>{name}</extra>",
            }
        )  # fmt: skip
    traces.append(
        {
            "type": "scatter", "mode": "markers", "x": [one.bias for one in marks],
            "y": [max(LEAST, one.errors) for one in marks],
            "marker": {"size": 13, "symbol": [("circle", "square", "diamond", "cross")[n % 4] for n in range(len(marks))],
                       "color": mark.colour(theme), "line": {"width": 2, "color": ink}},
            "text": [one.label for one in marks], "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
        }
    )  # fmt: skip
    axis = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "automargin": True, "fixedrange": True,
            "tickfont": {"size": 14, "color": ink}}  # fmt: skip
    across = _("added to the bias of {classes}", classes=classes)
    up = _("errors")
    layout = {
        "height": 340,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 15, "color": ink}},
        "dragmode": False,
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#FFFFFF" if theme == "light" else "#1A1F26", "font": {"size": 15, "color": ink}},
        "xaxis": {"title": {"text": across, "font": {"color": ink}}, "range": [curve["bias"][0], curve["bias"][-1]], **axis},
        "yaxis": {"title": {"text": up, "font": {"color": ink}}, "type": "log", "dtick": 1, "tickformat": ",", **axis},
        "shapes": [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": ink, "width": 2}}],
    }  # fmt: skip
    return Drawing({"data": traces, "layout": layout}, sentence(curve, classes, at))


def sentence(curve: Mapping[str, Sequence[float]], classes: str, at: float) -> str:
    """Say what a bias does, at that of the curve's which is nearest."""
    number = min(range(len(curve["bias"])), key=lambda n: abs(curve["bias"][n] - at))
    return said().format(
        bias=f"{curve['bias'][number]:+.1f}", errors=f"{curve['errors'][number]:,.0f}",
        own=f"{curve['errors_of_classes'][number]:,.0f}", classes=classes,
    )  # fmt: skip


def said() -> str:
    """Return how a bias is said, with the fields bias, errors, own and classes left open."""
    return _(
        "With {bias} added: {errors} errors, {own} of them on {classes}.",
        bias="{bias}", errors="{errors}", own="{own}", classes="{classes}",
    )  # fmt: skip
