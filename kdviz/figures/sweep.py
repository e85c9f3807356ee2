"""Sweeps: a grid of settings, each with the difference between its distilled students and their own control.

Pure: cells in, a Plotly figure and its text alternative out. `heat_map` shows the difference of every cell at once,
`small_multiples` the accuracies behind it, a panel for each row. A sweep fills in live: any cell may be without points.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdviz.figures import INK, PALETTE, Drawing, Kind, Theme
from kdviz.figures.knob import apart
from kdviz.figures.numbers import percent
from kdviz.i18n import _

SCALE: dict[Theme, tuple[str, str, str]] = {
    "light": ("#E8832A", "#F1F1EE", "#4C9FE0"),
    "dark": ("#AA5800", "#262B32", "#1A6DBA"),
}
"""Orange where distillation harms, neutral at zero, blue where it helps; INK is readable (4.5:1 or more) on all between."""

_ENDS = (1, 2, 3, 5, 10, 20, 30, 50, 100)
"""Points at which the scale may end: never below one, and few, so that the colours rarely change while cells fill in."""

_LINE = 19  # pixels of a line of an axis's labels

_BEHIND: dict[Theme, str] = {"light": "#FFFFFF", "dark": "#1A1F26"}
"""What the words that appear under the pointer stand on."""


@dataclass(frozen=True)
class Cell:
    """One setting of the grid, its students compared with the hard-label students of the same width and fraction.

    column, row: indices into the axes; accuracy, control: means over seeds, 0..1, None before the first point; low, high (and
    control_low, control_high): the least and the greatest seed; difference: accuracy - control; interval: low and high of the
    paired difference, 95 %, None while the run trains or at one seed.
    """

    column: int
    row: int
    accuracy: float | None
    low: float | None
    high: float | None
    control: float | None
    control_low: float | None
    control_high: float | None
    difference: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Axis:
    """One of the two settings that the grid varies. title: in the reader's language; values: numbers, or names."""

    title: str
    values: tuple[float | str, ...]

    @property
    def labels(self) -> list[str]:
        return [value if isinstance(value, str) else f"{value:g}" for value in self.values]


def heat_map(columns: Axis, rows: Axis, cells: Sequence[Cell], theme: Theme, final: bool) -> Drawing:
    """Draw the differences, in points, as colours and numbers, the first row on top.

    final: the intervals count, and a number whose interval leaves zero out is bold.
    """
    across, down = len(columns.values), len(rows.values)
    filled = {(cell.row, cell.column): cell for cell in cells if cell.difference is not None}
    bold = {place for place, cell in filled.items() if final and _side(cell)}
    numbers = {place: _points(cell.difference, 1) for place, cell in filled.items()}
    greatest = max((100 * abs(cell.difference or 0.0) for cell in filled.values()), default=0.0)
    end = next((end for end in _ENDS if end >= greatest), _ENDS[-1])
    # Plotly makes the numbers as large as their cells allow, and reckons 0.65 em for a character, too much for digits. A trace
    # of every second column has twice the width, and characters of no width fill its labels up until the numbers just fit.
    # It reckons from rows one below the other: a lone row has a second one below it, of no height.
    places = [[(row, column) for column in range(across)] for row in range(max(down, 2))]
    empty = {(row, column) for row in range(down) for column in range(across)} - filled.keys()
    length = round(1.75 * max(map(len, numbers.values()), default=4))
    traces = []
    for weight, parity in ((weight, parity) for weight in (400, 800) for parity in range(min(2, across))):
        mine = {p: c for p, c in filled.items() if p[1] % 2 == parity and (800 if p in bold else 400) == weight}
        own = {p: numbers[p] for p in mine} | {p: "·" for p in empty if weight == 400}
        labels = [[own.get(p, "").ljust(length, "\u200b") if p[1] % 2 == parity else "" for p in line] for line in places]
        traces.append(
            {
                "type": "heatmap",
                "x": [column - 0.5 for column in range(across + 1)],
                "y": [min(row, down) - 0.5 for row in range(len(places) + 1)],
                "z": [[100 * (mine[p].difference or 0.0) if p in mine else None for p in line] for line in places],
                "text": labels,
                "texttemplate": "%{text}",
                "textfont": {"color": INK[theme], "weight": weight},
                "hovertext": [[_hover(columns, rows, mine[p]) if p in mine else "" for p in line] for line in places],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "hoverongaps": False,
                "coloraxis": "coloraxis",
                "xgap": 2,
                "ygap": 2,
            }
        )
    legend = [_("distilled minus hard labels, in points")]
    if final and any(cell.interval for cell in filled.values()):
        legend.append(_("bold: the 95% interval leaves zero out"))
    tall = max(min(64, max(36, 400 // down)), _LINE * _deepest(rows))
    layout = _layout(theme, top=122, inside=down * tall, bottom=46 + _LINE * _deepest(columns))
    height = layout["height"]
    layout["font"]["size"] = 24  # the most that a number in a cell may have
    layout["annotations"] = [
        _above(rows.title, 0.0, 1.0, theme),
        _above("<br>".join(legend), 0.0, 1.0, theme) | {"yshift": 76, "align": "left"},
    ]
    layout["xaxis"] = _axis(theme, _wrapped(columns)) | {"range": [-0.5, across - 0.5], "title": _title(columns.title, theme)}
    layout["yaxis"] = _axis(theme, [f"{label} " for label in _wrapped(rows)]) | {"range": [down - 0.5, -0.5]}
    layout["coloraxis"] = {
        "cmin": -end,
        "cmax": end,
        "colorscale": [[number / 2, colour] for number, colour in enumerate(SCALE[theme])],
        "colorbar": {
            **dict(orientation="h", x=0, xanchor="left", xpad=0, y=1 - 49 / height, yref="container", yanchor="top", ypad=0),
            **dict(lenmode="pixels", len=240, thickness=14, outlinewidth=0, ticks=""),
            "tickvals": [-end, 0, end],
            "ticktext": [f"−{end}", "0", f"+{end}"],
            "tickfont": {"size": 15, "color": INK[theme]},
        },
    }
    return Drawing({"data": traces, "layout": layout}, _differences_in_words(columns, rows, list(filled.values()), final))


def small_multiples(
    columns: Axis, rows: Axis, cells: Sequence[Cell], teacher_accuracy: float | None, theme: Theme, across: int = 3,
    among: Sequence[Cell] | None = None,
) -> Drawing:  # fmt: skip
    """Draw a panel for each row: accuracy over the columns, the same axes in all.

    across: panels side by side; among: cells of panels drawn in other figures, whose range is to be shared.
    """
    positions, ends, scale = _positions(columns)
    text_at = dict(zip(positions, _wrapped(columns), strict=True))
    ticks = apart(sorted(text_at)) if scale == "log" else positions
    panels = len(rows.values)
    across = max(1, min(across, panels))
    lines = math.ceil(panels / across)
    tall, gap, between = 250, 68 + _LINE * _deepest(columns), 0.03  # gap: pixels, for ticks and a title; between: of the width
    inside = lines * tall + (lines - 1) * gap
    wide = (1 - between * (across - 1)) / across
    low, high = _range(cells if among is None else among, teacher_accuracy)
    found = {(cell.row, cell.column): cell for cell in cells}
    order = sorted(range(len(positions)), key=positions.__getitem__)
    layout = _layout(theme, top=92, inside=inside, bottom=46 + _LINE * _deepest(columns))
    layout["legend"] = dict(orientation="h", x=0, xref="container", y=1, yref="container", yanchor="top", font={"size": 16})
    layout["hovermode"] = "x unified"
    layout["annotations"] = []
    traces: list[dict[str, Any]] = []
    for row, label in enumerate(rows.labels):
        number = str(row + 1) if row else ""
        left, top = (row % across) * (wide + between), 1 - (row // across) * (tall + gap) / inside
        layout["annotations"].append(_above(_("{title}: {value}", title=rows.title, value=label), left, top, theme))
        layout[f"xaxis{number}"] = _axis(theme, [text_at[tick] for tick in ticks], ticks) | {
            "domain": [left, min(1.0, left + wide)],
            "anchor": f"y{number}",
            "type": scale,
            "range": [math.log10(end) if scale == "log" else end for end in ends],
            "title": _title(columns.title if row + across >= panels else "", theme),
        }
        layout[f"yaxis{number}"] = _axis(theme) | {
            "domain": [max(0.0, top - tall / inside), top],
            "anchor": f"x{number}",
            "range": [low, high],
            "tickformat": ".0%" if high - low > 0.05 else ".1%",
            "showticklabels": row % across == 0,
            "title": _title(_("accuracy") if row % across == 0 else "", theme),
        }
        there = [(positions[column], found.get((row, column))) for column in order]
        control = [(x, c.control, c.control_low, c.control_high) if c else (x, None, None, None) for x, c in there]
        distilled = [(x, c.accuracy, c.low, c.high) if c else (x, None, None, None) for x, c in there]
        drawn = _band_and_line("hard_labels", _("hard labels"), control, theme)
        drawn += _band_and_line("distilled", _("distilled"), distilled, theme)
        if teacher_accuracy is not None:
            xs = [ends[0], *sorted(positions), ends[1]]
            drawn.append(_line("teacher", _("teacher"), xs, [teacher_accuracy] * len(xs), theme))
        for trace in drawn:  # the first line of its kind stands in the legend for all
            named = any(other["name"] == trace["name"] and other["showlegend"] for other in traces)
            traces.append(trace | {"xaxis": f"x{number}", "yaxis": f"y{number}", "showlegend": "fill" not in trace and not named})
    return Drawing({"data": traces, "layout": layout}, _accuracies_in_words(columns, rows, cells, teacher_accuracy))


def _points(difference: float | None, decimals: int) -> str:
    """Return a difference (-1..1) in points, with its sign, which a number that rounds to zero has not."""
    text = f"{100 * (difference or 0.0):+.{decimals}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


def _side(cell: Cell) -> int:
    """Return on which side of zero the interval lies: 1, -1, or 0 where it covers zero or there is none."""
    low, high = cell.interval or (0.0, 0.0)
    return (low > 0) - (high < 0)


def _hover(columns: Axis, rows: Axis, cell: Cell) -> str:
    named = {columns.title: columns.labels[cell.column], rows.title: rows.labels[cell.row]}
    for name, accuracy in ((_("distilled"), cell.accuracy), (_("hard labels"), cell.control)):
        if accuracy is not None:
            named[name] = percent(accuracy, exact=True)
    lines = [_("{title}: {value}", title=title, value=value) for title, value in named.items()]
    lines.append(_("difference: {points} points", points=_points(cell.difference, 2)))
    if cell.interval is not None:
        low, high = (_points(end, 2) for end in cell.interval)
        lines.append(_("95% interval: [{low}, {high}]", low=low, high=high))
    return "<br>".join(lines)


def _layout(theme: Theme, top: int, inside: int, bottom: int) -> dict[str, Any]:
    """Return what both figures share. top, inside, bottom: pixels above, of and below the axes."""
    return {
        "height": top + inside + bottom,
        "margin": {"l": 4, "r": 8, "t": top, "b": bottom},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 15, "color": INK[theme]},
        "hoverlabel": {"font": {"size": 15, "color": INK[theme]}, "bgcolor": _BEHIND[theme]},
        "dragmode": False,
        "uirevision": "kept",
    }


def _axis(theme: Theme, labels: Sequence[str] = (), positions: Sequence[float] = ()) -> dict[str, Any]:
    """Return an axis. labels: its ticks, at positions or, where each is a column or row of cells, at 0, 1, 2..."""
    ticks = {"tickvals": list(positions or range(len(labels))), "ticktext": list(labels)} if labels else {"nticks": 6}
    return {
        "showgrid": bool(positions) or not labels,
        "gridcolor": "rgba(128,128,128,0.25)",
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"size": 15, "color": INK[theme]},
        **ticks,
    }


def _title(text: str, theme: Theme) -> dict[str, Any]:
    return {"text": text, "font": {"size": 16, "color": INK[theme]}, "standoff": 14}


def _above(text: str, left: float, top: float, theme: Theme) -> dict[str, Any]:
    """Return a title above the left end of a panel; left, top: where the panel's corner is, 0..1."""
    place = {"x": left, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 2}
    return {"text": text, **place, "showarrow": False, "font": {"size": 16, "color": INK[theme]}}


def _wrapped(axis: Axis) -> list[str]:
    """Return an axis's labels, a name of more than eight letters broken after its hyphens, `mlp-`, `1200-`, `1200`, or words."""
    broken = [re.sub(r"([^-]{3,}-)", r"\1<br>", label) if len(label) > 8 else label for label in axis.labels]
    return ["<br>".join(textwrap.wrap(label, 12)) if " " in label else label for label in broken]


def _deepest(axis: Axis) -> int:
    return max(label.count("<br>") + 1 for label in _wrapped(axis))


def _positions(axis: Axis) -> tuple[list[float], tuple[float, float], str]:
    """Return where the values of an axis lie, the ends of its range and its scale: numbers to scale, names evenly spaced."""
    numbers = [float(value) for value in axis.values if not isinstance(value, str)]
    if len(numbers) < len(axis.values):
        return [float(number) for number in range(len(axis.values))], (-0.4, len(axis.values) - 0.6), "linear"
    low, high = min(numbers), max(numbers)
    if low > 0 and high / low > 8:
        room = (high / low) ** 0.06
        return numbers, (low / room, high * room), "log"
    return numbers, (low - (0.06 * (high - low) or 0.5), high + (0.06 * (high - low) or 0.5)), "linear"


def _range(cells: Sequence[Cell], teacher_accuracy: float | None) -> tuple[float, float]:
    """Return the range of accuracies that shows every seed and the teacher, and never less than two points."""
    ends = [end for c in cells for end in (c.accuracy, c.low, c.high, c.control, c.control_low, c.control_high)]
    known = [end for end in [*ends, teacher_accuracy] if end is not None]
    if not known:
        return 0.0, 1.0
    room = max(0.06 * (max(known) - min(known)), 0.01 - (max(known) - min(known)) / 2)
    return max(0.0, min(known) - room), max(known) + room


def _band_and_line(
    kind: Kind, name: str, seeds: Sequence[tuple[float, float | None, float | None, float | None]], theme: Theme
) -> list[dict[str, Any]]:
    """Draw a condition. seeds: for each column where it lies, the mean, the least and the greatest seed."""
    line = _line(kind, name, [x for x, *_ends in seeds], [mean for _x, mean, *_ends in seeds], theme) | {"mode": "lines+markers"}
    known = [(x, mean if a is None else a, mean if b is None else b) for x, mean, a, b in seeds if mean is not None]
    x, low, high = ([known_one[part] for known_one in known] for part in range(3))
    colour = PALETTE[kind].colour(theme)
    around = {"x": x + x[::-1], "y": high + low[::-1], "fill": "toself", "fillcolor": colour, "opacity": 0.18}
    width = 0 if len(x) > 1 else 8  # around a lone column there is no area
    return [line | around | {"mode": "lines", "line": {"color": colour, "width": width}, "hoverinfo": "skip"}, line]


def _line(kind: Kind, name: str, x: Sequence[float], y: Sequence[float | None], theme: Theme) -> dict[str, Any]:
    mark = PALETTE[kind]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(x),
        "y": list(y),
        "name": name,
        "legendgroup": name,
        "connectgaps": True,  # over cells still empty
        "line": {"color": mark.colour(theme), "dash": mark.dash, "width": 3},
        "marker": {"color": mark.colour(theme), "symbol": mark.symbol, "size": 9},
        "hovertemplate": "%{y:.2%}<extra>" + name + "</extra>",
    }


def _fields(columns: Axis, rows: Axis, cell: Cell) -> dict[str, str]:
    assert cell.accuracy is not None and cell.control is not None
    return {
        "column_title": columns.title,
        "column": columns.labels[cell.column],
        "row_title": rows.title,
        "row": rows.labels[cell.row],
        "accuracy": percent(cell.accuracy, exact=True),
        "control": percent(cell.control, exact=True),
        "points": _points(cell.difference, 2),
    }


def _differences_in_words(columns: Axis, rows: Axis, filled: Sequence[Cell], final: bool) -> str:
    if not filled:
        return _("No points yet.")
    order = sorted(filled, key=lambda cell: cell.difference or 0.0)
    sentences = [
        _("Points in {filled} of {all} cells.", filled=len(filled), all=len(columns.values) * len(rows.values)),
        _(
            "Distillation does best at {column_title}: {column}, {row_title}: {row}, where distilled students have "
            "{accuracy} right and those of hard labels {control}: {points} points.",
            **_fields(columns, rows, order[-1]),
        ),
    ]
    if len(order) > 1:
        message = _(
            "It does worst at {column_title}: {column}, {row_title}: {row}, with {accuracy} and {control}: {points} points.",
            **_fields(columns, rows, order[0]),
        )
        sentences.append(message)
    sides = [_side(cell) for cell in filled if cell.interval is not None]
    if final and sides:
        message = _(
            "The 95% interval lies above zero in {above} of {cells} cells, below zero in {below}, and covers zero in "
            "{across}; bold numbers are those whose interval leaves zero out.",
            **dict(cells=len(sides), above=sides.count(1), below=sides.count(-1), across=sides.count(0)),
        )
        sentences.append(message)
    return " ".join(sentences)


def _accuracies_in_words(columns: Axis, rows: Axis, cells: Sequence[Cell], teacher_accuracy: float | None) -> str:
    filled = [cell for cell in cells if cell.accuracy is not None]
    sentences = [_("Points in {filled} of {all} cells.", filled=len(filled), all=len(columns.values) * len(rows.values))]
    for row in range(len(rows.values)):
        compared = [cell for cell in filled if cell.row == row and cell.control is not None]
        if compared:
            message = _(
                "{row_title}: {row}. Distilled students are most accurate at {column_title}: {column}, "
                "with {accuracy} right; those of hard labels have {control} there.",
                **_fields(columns, rows, max(compared, key=lambda cell: cell.accuracy or 0.0)),
            )
            sentences.append(message)
    if not filled:
        sentences = [_("No points yet.")]
    if teacher_accuracy is not None:
        sentences.append(_("The teacher: {accuracy} right.", accuracy=percent(teacher_accuracy, exact=True)))
    return " ".join(sentences)
