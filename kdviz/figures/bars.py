"""Bars of one image: its shares by class, panel beside panel.

Pure: numbers in, a Plotly figure and its text alternative out. The classes keep their order in every panel, first on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np

from kdviz.figures import INK, ON_BAR, PALETTE, Drawing, Kind, Theme
from kdviz.figures.numbers import percent
from kdviz.i18n import _

_TEXT = 17
_ROW = 30  # pixels of height for each class
_LONGEST_NAME = 18  # characters of a class name; the rest is cut off
_ON_BAR_FROM = 0.58  # of the width: on a phone three panels are 75 to 90 pixels wide each, and a written share takes 50


@dataclass(frozen=True)
class Panel:
    """One column of bars. shares: one per class, summing to 1; title and subtitle: what it shows, in the reader's language."""

    kind: Kind
    title: str
    subtitle: str
    shares: Sequence[float] | np.ndarray


def shares(panels: Sequence[Panel], class_names: Sequence[str], theme: Theme = "light") -> Drawing:
    """Draw panels side by side, the classes in the same rows, the share of each written on or beside its bar."""
    # Names of one letter stand in every panel; longer ones in the first alone, so that all panels have room on a phone too.
    once = len(panels) > 1 and max(len(name) for name in class_names) > 1
    gap = 0.05 if once else 0.08
    width = (1 - gap * (len(panels) - 1)) / len(panels)
    rows = list(range(len(class_names)))
    traces: list[dict[str, Any]] = []
    titles = ["<br>".join(_lines(panel.title, 11 if once else 12)) for panel in panels]
    layout = _layout(len(class_names), top=58 + _TEXT * 4 // 3 * max(title.count("<br>") for title in titles))
    layout["annotations"] = []
    for number, panel in enumerate(panels):
        suffix = "" if number == 0 else str(number + 1)
        left = number * (width + gap)
        values = np.asarray(panel.shares, dtype=float)
        written = [percent(value, exact=panel.kind == "ground_truth") for value in values.tolist()]
        on_bar = values >= _ON_BAR_FROM
        axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "hoverinfo": "skip", "y": rows}
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": f"{panel.title}, {panel.subtitle}",
                "x": values.tolist(),
                "marker": {"color": PALETTE[panel.kind].colour(theme), "line": {"width": 0}},
                "text": [text if inside else "" for text, inside in zip(written, on_bar, strict=True)],
                "textposition": "inside",
                "insidetextanchor": "end",
                "insidetextfont": {"color": ON_BAR[theme], "size": _TEXT},
                "textangle": 0,
                "constraintext": "none",
                **axes,
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "text",
                "x": values.tolist(),
                "text": ["" if inside else f" {text}" for text, inside in zip(written, on_bar, strict=True)],
                "textposition": "middle right",
                "textfont": {"size": _TEXT, "color": INK[theme]},
                "cliponaxis": False,
                **axes,
            }
        )
        layout[f"xaxis{suffix}"] = {
            "domain": [left, left + width],
            "anchor": f"y{suffix}",
            "fixedrange": True,
            "zeroline": False,
            "showgrid": False,
            "ticks": "",
            "tickfont": {"size": 13, "color": INK[theme]},
            "range": [0, 1.0],
            "tickvals": [0.5, 1],
            "ticktext": ["50%", "100%"],
        }
        layout[f"yaxis{suffix}"] = _class_axis(class_names, f"x{suffix}", theme, named=number == 0 or not once)
        layout["annotations"].append(
            {
                "text": f"{titles[number]}<br><b>{panel.subtitle}</b>",
                "x": left,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "yshift": 8,
                "align": "left",
                "showarrow": False,
                "font": {"size": 17, "color": INK[theme]},
            }
        )
    return Drawing({"data": traces, "layout": layout}, _shares_in_words(panels, class_names))


def _lines(title: str, most: int) -> list[str]:
    """Break a title into lines of at most so many letters, or half as many of Chinese and a little more, at spaces alone."""
    return wrap(title, most if title.isascii() else most // 2 + 1, break_long_words=False, break_on_hyphens=False)


def _layout(classes: int, top: int) -> dict[str, Any]:
    return {
        "height": classes * _ROW + top + 26,
        "margin": {"l": 0, "r": 20, "t": top, "b": 26, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "bargap": 0.22,
        "dragmode": False,
        "hovermode": False,
    }


def _class_axis(class_names: Sequence[str], anchor: str, theme: Theme, named: bool = True) -> dict[str, Any]:
    short = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in class_names]
    return {
        "anchor": anchor,
        "fixedrange": True,
        "range": [len(class_names) - 0.5, -0.5],  # the first class on top
        "tickvals": list(range(len(class_names))),
        "ticktext": [f"<b>{escape(name, quote=False)}</b> " for name in short],
        "showticklabels": named,
        "tickfont": {"size": _TEXT, "color": INK[theme]},
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
    }


def _shares_in_words(panels: Sequence[Panel], class_names: Sequence[str]) -> str:
    sentences = []
    for panel in panels:
        values = np.asarray(panel.shares, dtype=float)
        order = [int(index) for index in np.argsort(-values, kind="stable")[:3]]
        fields = {
            "title": panel.title,
            "subtitle": panel.subtitle,
            "first": class_names[order[0]],
            "first_share": percent(values[order[0]], exact=panel.kind == "ground_truth"),
            "second": class_names[order[1]],
            "second_share": percent(values[order[1]], exact=panel.kind == "ground_truth"),
            "third": class_names[order[-1]],
            "third_share": percent(values[order[-1]], exact=panel.kind == "ground_truth"),
        }
        if panel.kind == "ground_truth" and values[order[0]] == 1:
            sentences.append(_("{title}, {subtitle}: {first} alone, {first_share}.", **fields))
        else:
            sentences.append(
                _(
                    "{title}, {subtitle}: {first} {first_share}, then {second} {second_share} and {third} {third_share}.",
                    **fields,
                )
            )
    return " ".join(sentences)
