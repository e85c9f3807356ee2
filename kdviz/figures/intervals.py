"""Rows of a figure each, one below the other: a mean, its interval or its seeds, and what was found elsewhere beside it.

Pure: rows in, a Plotly figure and its text alternative out. A sign is filled where its interval leaves zero out, open where it
covers it, so that what is told apart from nothing is seen at once.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Drawing, Kind, Theme
from kdviz.i18n import _

ROW = 46  # pixels
WRAPPED = 22  # letters of a label in a line: a phone has room for as many beside the figure
ACROSS = 40  # letters of the axis's title in a line, which has the whole width of the figure
LINE = 20  # pixels


@dataclass(frozen=True)
class Row:
    """One value. label: in the reader's language; interval: low and high, or None; seeds: the values it is the mean of, where
    they are to be seen; other: what stands beside it."""

    label: str
    kind: Kind
    mean: float
    interval: tuple[float, float] | None = None
    seeds: Sequence[float] = ()
    other: float | None = None


@dataclass(frozen=True)
class Other:
    """What stands beside the rows: its name, and the kind of student it is of; None for a figure of somebody else."""

    name: str
    kind: Kind | None = None


def draw(
    rows: Sequence[Row], across: str, theme: Theme, digits: int, signed: bool = False, other: Other | None = None
) -> Drawing:  # fmt: skip
    """Draw rows from the first, on top, to the last. across: the axis's title; digits: after the point; signed: differences,
    around a line at zero."""
    number = f"{{:{'+' if signed else ''}.{digits}f}}".format
    traces = []
    places = {id(row): len(rows) - 1 - at for at, row in enumerate(rows)}
    seen = [(seed, places[id(row)], row) for row in rows for seed in row.seeds]
    if seen:
        traces.append(
            {
                "type": "scatter", "mode": "markers", "x": [x for x, _y, _row in seen], "y": [y for _x, y, _row in seen],
                "marker": {"color": [PALETTE[row.kind].colour(theme) for _x, _y, row in seen], "size": 7, "opacity": 0.45},
                "hovertemplate": "%{x}<extra></extra>", "showlegend": False,
            }
        )  # fmt: skip
    for row in rows:
        mark = PALETTE[row.kind]
        open_sign = signed and (row.interval is None or row.interval[0] <= 0 <= row.interval[1])
        trace: dict[str, Any] = {
            "type": "scatter", "mode": "markers+text", "x": [row.mean], "y": [places[id(row)]], "text": [number(row.mean)],
            "textposition": "top center", "textfont": {"size": 15, "color": INK[theme]}, "cliponaxis": False,
            "marker": {"color": mark.colour(theme), "size": 13, "symbol": mark.symbol + ("-open" if open_sign else ""),
                       "line": {"width": 2.5 if open_sign else 0}},
            "hovertemplate": _hover(row, number) + "<extra></extra>", "showlegend": False,
        }  # fmt: skip
        if row.interval is not None:
            low, high = row.interval
            trace["error_x"] = {"type": "data", "symmetric": False, "array": [high - row.mean], "arrayminus": [row.mean - low],
                                "color": mark.colour(theme), "thickness": 3, "width": 6}  # fmt: skip
        traces.append(trace)
    beside = [row for row in rows if row.other is not None]
    if other is not None and beside:
        known = PALETTE[other.kind] if other.kind is not None else None
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": other.name, "x": [row.other for row in beside],
                "y": [places[id(row)] for row in beside], "cliponaxis": False,
                "marker": {"symbol": known.symbol if known else "line-ns", "size": 13 if known else 18,
                           "color": known.colour(theme) if known else INK[theme],
                           "line": {"width": 0 if known else 3, "color": INK[theme]}},
                "hovertemplate": f"%{{x}}<extra>{other.name}</extra>",
            }
        )  # fmt: skip
    named = other is not None and bool(beside)
    return Drawing({"data": traces, "layout": _layout(rows, across, signed, named, theme)}, _in_words(rows, number, other))


def _layout(rows: Sequence[Row], across: str, signed: bool, named: bool, theme: Theme) -> dict[str, Any]:
    ink, faint = INK[theme], "rgba(128,128,128,0.25)"
    top = 40 if named else 8
    labels = [broken(row.label) + "  " for row in reversed(rows)]
    deepest = 1 + max((label.count("<br>") for label in labels), default=0)
    title = broken(across, ACROSS)
    bottom = 34 + LINE * (1 + title.count("<br>"))
    return {
        "height": top + bottom + max(ROW, 12 + LINE * deepest) * len(rows) + 12,
        "margin": {"l": 8, "r": 20, "t": top, "b": bottom},
        # The axis's title, from its end leftwards: beside long labels an axis is shorter than its title.
        "annotations": [{"text": title, "xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top",
                         "yshift": -28, "align": "right", "showarrow": False, "font": {"size": 15, "color": ink}}],
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": ink},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 15, "color": ink}},
        "showlegend": named,
        "dragmode": False,
        "hoverlabel": {"font": {"size": 15}},
        "xaxis": {"gridcolor": faint,
                  "rangemode": "tozero" if signed else "normal", "fixedrange": True, "zeroline": signed,
                  "zerolinecolor": ink, "zerolinewidth": 2, "nticks": 6, "tickfont": {"size": 14, "color": ink}},
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": labels, "range": [-0.6, len(rows) - 0.3], "automargin": True,
                  "fixedrange": True, "showgrid": False, "zeroline": False, "tickfont": {"size": 15, "color": ink}},
    }  # fmt: skip


def broken(text: str, letters: int = WRAPPED) -> str:
    """Return a text broken into lines of so many letters; a Chinese one, whose letters are wider, of about half as many."""
    wide = any("\u3000" <= letter <= "\uffef" for letter in text)
    kept = text.replace(" = ", "\u00a0=\u00a0").replace("，", "， ")
    return "<br>".join(textwrap.wrap(kept, letters // 2 + 2 if wide else letters)).replace("， ", "，")


def _hover(row: Row, number: Any) -> str:
    if row.interval is None:
        return _("{title}: {value}", title=row.label, value=number(row.mean))
    low, high = (number(end) for end in row.interval)
    return _("{title}: {value}, 95% interval [{low}, {high}]", title=row.label, value=number(row.mean), low=low, high=high)


def _in_words(rows: Sequence[Row], number: Any, other: Other | None) -> str:
    said = []
    for row in rows:
        said.append(_("{sentence}.", sentence=_hover(row, number)))
        if row.other is not None and other is not None:
            said.append(_("{title}: {value}.", title=other.name, value=f"{row.other:g}"))
    return " ".join(said)
