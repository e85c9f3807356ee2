"""Lines over a knob: what becomes of a figure as a temperature or a number of images grows, with its interval or its seeds.

Pure: lines in, a Plotly figure and its text alternative out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Drawing, Kind, Theme
from kdviz.i18n import _

SIGNS = ("circle", "square", "diamond", "cross")
DASHES = ("solid", "dash", "dot", "longdash")


@dataclass(frozen=True)
class Line:
    """One line. x, y: as many; low, high: the ends of each value's interval or its least and greatest seed, or empty."""

    label: str
    kind: Kind
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def draw(
    lines: Sequence[Line], across: str, up: str, theme: Theme, digits: int, log: bool = True, zero: bool = False, unit: str = ""
) -> Drawing:  # fmt: skip
    """Draw lines. across, up: titles of the axes; digits: after the point; log: the knob grows by factors; zero: zero is marked.

    Lines of one kind are told apart by dash and sign.
    """
    traces: list[dict[str, Any]] = []
    per_kind: dict[str, int] = {}
    for line in lines:
        number = per_kind[line.kind] = per_kind.get(line.kind, -1) + 1
        mark = PALETTE[line.kind]
        alone = sum(other.kind == line.kind for other in lines) == 1
        sign, dash = (mark.symbol, mark.dash) if alone else (SIGNS[number % 4], DASHES[number % 4])
        colour = mark.colour(theme)
        trace: dict[str, Any] = {
            "type": "scatter", "mode": "lines+markers", "name": line.label, "x": list(line.x), "y": list(line.y),
            "line": {"color": colour, "dash": dash, "width": 3}, "marker": {"color": colour, "symbol": sign, "size": 10},
            "opacity": max(0.55, 1 - 0.15 * number),
            "hovertemplate": f"%{{y:.{digits}f}}{unit}<extra>{line.label}</extra>",
        }  # fmt: skip
        if line.low:
            trace["error_y"] = {
                "type": "data", "symmetric": False, "array": [h - y for h, y in zip(line.high, line.y, strict=True)],
                "arrayminus": [y - a for a, y in zip(line.low, line.y, strict=True)], "color": colour, "thickness": 2, "width": 5,
            }  # fmt: skip
        traces.append(trace)
    known = sorted({x for line in lines for x in line.x})
    ticks = apart(known) if log else known
    ink, faint = INK[theme], "rgba(128,128,128,0.25)"
    axis = {"gridcolor": faint, "automargin": True, "fixedrange": True, "tickfont": {"size": 14, "color": ink}}
    layout = {
        "height": 360 + 22 * max(0, len(lines) - 2),
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 15, "color": ink}},
        "showlegend": len(lines) > 1,
        "dragmode": False,
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#FFFFFF" if theme == "light" else "#1A1F26", "font": {"size": 15, "color": ink}},
        "xaxis": {"title": {"text": across, "font": {"color": ink}}, "zeroline": False, "type": "log" if log else "linear",
                  "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks],
                  "tickangle": 0, **axis},
        "yaxis": {"title": {"text": up, "font": {"color": ink}}, "zeroline": zero, "zerolinecolor": ink, "zerolinewidth": 2,
                  "nticks": 6,
                  "ticksuffix": unit, **axis},
    }  # fmt: skip
    said = [
        _(
            "{title}: {first} at {low}, {last} at {high}.",
            title=line.label, first=f"{line.y[0]:.{digits}f}{unit}", low=f"{line.x[0]:g}",
            last=f"{line.y[-1]:.{digits}f}{unit}", high=f"{line.x[-1]:g}",
        )
        for line in lines if line.y
    ]  # fmt: skip
    return Drawing({"data": traces, "layout": layout}, " ".join(said))


def apart(ticks: Sequence[float], share: float = 0.1) -> list[float]:
    """Return those of some ticks, ascending and above 0, that have room on a logarithmic axis, beginning with the last.

    share: what two are apart at least, of the axis.
    """
    kept: list[float] = []
    for tick in reversed(ticks):
        if not kept or math.log(kept[-1] / tick) >= share * math.log(ticks[-1] / ticks[0]):
            kept.append(tick)
    return kept[::-1]
