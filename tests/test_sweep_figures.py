"""A sweep's figures show its cells: each difference where and as it is, on colours that can be read, and the same in words."""

from __future__ import annotations

import json
import math
import string
from dataclasses import replace
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz.figures import INK, PALETTE, Drawing, Theme, sweep
from kdviz.figures.sweep import Axis, Cell
from tests.test_figures import contrast

COLUMNS = Axis("temperature T", (0.5, 1.0, 2.0, 4.0, 20.0))
ROWS = Axis("student", ("mlp-30-30", "mlp-100-100", "mlp-1200-1200"))
FRACTIONS = Axis("fraction of the images", (0.01, 0.1, 0.5, 1.0))
THEMES: tuple[Theme, Theme] = ("light", "dark")


def cell(column: int, row: int, difference: float | None = None, half: float | None = 0.01, control: float = 0.9) -> Cell:
    """Return a cell with a difference and an interval of so much on each side, or an empty one."""
    if difference is None:
        return Cell(column, row, *[None] * 8)
    interval = None if half is None else (difference - half, difference + half)
    seeds = (control + difference - 0.004, control + difference + 0.005, control, control - 0.006, control + 0.007)
    return Cell(column, row, control + difference, *seeds, difference, interval)


def grid(columns: Axis = COLUMNS, rows: Axis = ROWS, half: float | None = 0.01) -> list[Cell]:
    """Return a full grid: from +2.5 points at the first column and row downwards; every difference another."""
    places = [(column, row) for row in range(len(rows.values)) for column in range(len(columns.values))]
    return [cell(column, row, 0.025 - 0.004 * number, half) for number, (column, row) in enumerate(places)]


def heat(cells: list[Cell], columns: Axis = COLUMNS, rows: Axis = ROWS, theme: Theme = "light", final: bool = True) -> Drawing:
    return sweep.heat_map(columns, rows, cells, theme, final)


def shown(figure: dict[str, Any]) -> dict[tuple[int, int], list[tuple[str, int, float | None]]]:
    """Return what is written in each (column, row), how bold and on what value; places of no height are left out."""
    found: dict[tuple[int, int], list[tuple[str, int, float | None]]] = {}
    for trace in figure["data"]:
        for row, (texts, values) in enumerate(zip(trace["text"], trace["z"], strict=True)):
            for column, (padded, value) in enumerate(zip(texts, values, strict=True)):
                text = padded.strip("\u200b")
                if text or value is not None:
                    assert trace["y"][row + 1] > trace["y"][row]
                    found.setdefault((column, row), []).append((text, trace["textfont"]["weight"], value))
    return found


def colour(figure: dict[str, Any], value: float) -> str:
    """Return the colour of a value as plotly.js finds it: linear in sRGB between the stops of the scale."""
    axis = figure["layout"]["coloraxis"]
    along = min(1.0, max(0.0, (value - axis["cmin"]) / (axis["cmax"] - axis["cmin"])))
    stops = axis["colorscale"]
    for (begin, one), (end, other) in pairwise(stops):
        if begin <= along <= end:
            share = (along - begin) / (end - begin)
            parts = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
            return "#" + "".join(f"{round(a + share * (b - a)):02X}" for a, b in parts)
    raise AssertionError(f"{along} is on no part of the scale")


differences = st.none() | st.floats(-1, 1)
tables = st.integers(1, 9).flatmap(
    lambda across: st.lists(st.lists(differences, min_size=across, max_size=across), min_size=1, max_size=5)
)


def of_table(table: list[list[float | None]]) -> tuple[Axis, Axis, list[Cell]]:
    columns = Axis("temperature T", tuple(0.5 * 2**number for number in range(len(table[0]))))
    rows = Axis("student", tuple(f"mlp-{number}" for number in range(1, len(table) + 1)))
    cells = [cell(c, r, value, control=0.5 - (value or 0) / 2) for r, line in enumerate(table) for c, value in enumerate(line)]
    return columns, rows, cells


@given(tables, st.sampled_from(THEMES), st.booleans(), st.none() | st.floats(0, 1))
def test_whatever_is_there_is_a_plotly_figure(
    table: list[list[float | None]], theme: Theme, final: bool, teacher: float | None
) -> None:
    columns, rows, cells = of_table(table)
    for columns_or_names in (columns, Axis("student", tuple(f"mlp-{n}" for n in range(len(columns.values))))):
        for drawing in (
            sweep.heat_map(columns_or_names, rows, cells, theme, final),
            sweep.small_multiples(columns_or_names, rows, cells, teacher, theme),
        ):
            go.Figure(drawing.figure)  # raises where Plotly's schema is not met
            json.dumps(drawing.figure, allow_nan=False)  # and goes to the browser as it is
            assert drawing.alt


@given(tables)
def test_every_difference_stands_in_its_cell_once(table: list[list[float | None]]) -> None:
    columns, rows, cells = of_table(table)
    found = shown(heat(cells, columns, rows).figure)
    assert set(found) == {(c.column, c.row) for c in cells}
    for one in cells:
        ((text, _weight, value),) = found[one.column, one.row]
        if one.difference is None:
            assert (text, value) == ("·", None)
        else:
            assert value == pytest.approx(100 * one.difference)
            assert float(text.replace("−", "-")) == pytest.approx(100 * one.difference, abs=0.0501)
            assert (text[0] in "+−") != (text == "0.0")


@given(tables)
def test_scale_is_symmetric_and_never_tighter_than_a_point(table: list[list[float | None]]) -> None:
    columns, rows, cells = of_table(table)
    axis = heat(cells, columns, rows).figure["layout"]["coloraxis"]
    assert axis["cmin"] == -axis["cmax"]
    assert axis["cmax"] >= max(1.0, *(100 * abs(c.difference or 0.0) for c in cells))
    assert axis["colorscale"][1][0] == 0.5 and len(axis["colorscale"]) == 3


@given(st.lists(st.floats(-0.009, 0.009), min_size=5, max_size=5))
def test_noise_does_not_look_dramatic(noise: list[float]) -> None:
    axis = heat([cell(column, 0, value) for column, value in enumerate(noise)]).figure["layout"]["coloraxis"]
    assert (axis["cmin"], axis["cmax"]) == (-1, 1)


@given(st.floats(-0.05, 0.05), st.none() | st.floats(0, 0.05), st.booleans())
def test_bold_is_the_final_difference_whose_interval_leaves_zero_out(difference: float, half: float | None, final: bool) -> None:
    ((_text, weight, _value),) = shown(heat([cell(1, 1, difference, half)], final=final).figure)[1, 1]
    clear = final and half is not None and (difference - half > 0 or difference + half < 0)
    assert weight == (800 if clear else 400)


def test_an_interval_that_touches_zero_does_not_leave_it_out() -> None:
    for interval in ((0.0, 0.02), (-0.02, 0.0)):
        touching = replace(cell(0, 0, 0.01), interval=interval)
        assert shown(heat([touching]).figure)[0, 0][0][1] == 400


@pytest.mark.parametrize("theme", THEMES)
def test_numbers_can_be_read_on_every_colour(theme: Theme) -> None:
    figure = heat(grid(), theme=theme).figure
    end = figure["layout"]["coloraxis"]["cmax"]
    inks = {trace["textfont"]["color"] for trace in figure["data"]}
    assert inks == {INK[theme]}
    label = figure["layout"]["hoverlabel"]
    assert contrast(label["font"]["color"], label["bgcolor"]) >= 7
    for step in range(-100, 101):
        assert contrast(INK[theme], colour(figure, end * step / 100)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_blue_helps_orange_harms_and_zero_is_neutral(theme: Theme) -> None:
    figure = heat(grid(), theme=theme).figure
    end = figure["layout"]["coloraxis"]["cmax"]

    def parts(value: float) -> list[int]:
        return [int(colour(figure, value)[at : at + 2], 16) for at in (1, 3, 5)]

    red, green, blue = parts(end)
    assert blue > green > red
    red, green, blue = parts(-end)
    assert red > green > blue
    assert max(parts(0)) - min(parts(0)) <= 16


def test_what_rounds_to_zero_has_no_sign() -> None:
    written = shown(heat([cell(0, 0, 0.0004), cell(1, 0, -0.0004), cell(2, 0, 0.0006), cell(3, 0, -0.0006)]).figure)
    assert [written[column, 0][0][0] for column in range(4)] == ["0.0", "0.0", "+0.1", "−0.1"]


def test_columns_are_evenly_spaced_and_the_first_row_is_on_top() -> None:
    layout = heat(grid()).figure["layout"]
    assert layout["xaxis"]["tickvals"] == [0, 1, 2, 3, 4]
    assert layout["xaxis"]["ticktext"] == ["0.5", "1", "2", "4", "20"]
    assert layout["yaxis"]["range"] == [2.5, -0.5]
    assert [text.replace("<br>", "").strip() for text in layout["yaxis"]["ticktext"]] == list(ROWS.values)
    assert layout["uirevision"] == "kept"


def test_hover_gives_the_numbers_behind_a_cell() -> None:
    figure = heat([cell(3, 1, 0.0123, 0.004)]).figure
    texts = [text for trace in figure["data"] for line in trace["hovertext"] for text in line if text]
    assert texts == [
        "temperature T: 4<br>student: mlp-100-100<br>distilled: 91.2%<br>hard labels: 90.0%"
        "<br>difference: +1.23 points<br>95% interval: [+0.83, +1.63]"
    ]
    assert all(trace["hoverongaps"] is False for trace in figure["data"])
    training = heat([cell(3, 1, 0.0123, None)]).figure
    assert not any("interval" in text for trace in training["data"] for line in trace["hovertext"] for text in line)


def test_every_label_of_a_map_counts_as_many_characters() -> None:
    # plotly.js sizes the numbers of each trace by its longest label: all must come to the same size, a lone row too.
    for columns, rows in ((COLUMNS, ROWS), (COLUMNS, Axis("student", ("cnn",)))):
        for final in (False, True):
            cells = [*grid(columns, rows)[1:], cell(0, 0), cell(1, 0, 0.123)]  # one empty, one longer than the others
            figure = heat(cells, columns, rows, final=final).figure
            labels = [text for trace in figure["data"] for line in trace["text"] for text in line if text]
            assert len({len(text) for text in labels}) == 1
            assert all(len(trace["text"]) > 1 for trace in figure["data"])


def test_map_grows_with_its_rows_within_reason() -> None:
    heights = []
    for count in (1, 2, 4, 8, 12):
        rows = Axis("soft weight", tuple(float(number) for number in range(count)))
        heights.append(heat(grid(rows=rows), rows=rows).figure["layout"]["height"])
    assert heights == sorted(set(heights))
    assert heights[-1] < 700


def test_map_says_what_bold_means_when_there_can_be_bold() -> None:
    def words(drawing: Drawing) -> str:
        return " ".join(note["text"] for note in drawing.figure["layout"]["annotations"])

    assert "bold: the 95% interval leaves zero out" in words(heat(grid()))
    assert "bold" not in words(heat(grid(), final=False))
    assert "bold" not in words(heat(grid(half=None)))  # one seed


def test_map_in_words() -> None:
    cells = [cell(0, 0, 0.021, 0.01), cell(2, 1, -0.015, 0.01), cell(3, 1, 0.002, 0.01), cell(3, 2, 0.001), cell(4, 2)]
    alt = heat(cells).alt
    assert "Points in 4 of 15 cells." in alt
    assert (
        "Distillation does best at temperature T: 0.5, student: mlp-30-30, where distilled students have 92.1% right "
        "and those of hard labels 90.0%: +2.10 points." in alt
    )
    assert "It does worst at temperature T: 2, student: mlp-100-100, with 88.5% and 90.0%: −1.50 points." in alt
    assert "above zero in 1 of 4 cells, below zero in 1, and covers zero in 2; bold numbers are" in alt
    assert "interval" not in heat(cells, final=False).alt
    assert "It does worst" not in heat(cells[:1]).alt
    assert heat([cell(0, 0)]).alt == heat([]).alt == "No points yet."


def panels(figure: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the traces of each panel, by its x axis."""
    found: dict[str, list[dict[str, Any]]] = {}
    for trace in figure["data"]:
        assert trace["yaxis"][1:] == trace["xaxis"][1:]
        found.setdefault(trace["xaxis"], []).append(trace)
    return found


def multiples(cells: list[Cell], columns: Axis = COLUMNS, rows: Axis = ROWS, across: int = 3, theme: Theme = "light") -> Drawing:
    return sweep.small_multiples(columns, rows, cells, 0.98, theme, across)


@pytest.mark.parametrize("across", [1, 2, 3])
@pytest.mark.parametrize("rows", [ROWS, FRACTIONS, Axis("student", ("cnn",))])
def test_a_panel_for_each_row_and_none_over_another(rows: Axis, across: int) -> None:
    figure = multiples(grid(rows=rows), rows=rows, across=across).figure
    layout = figure["layout"]
    names = ["", *(str(number) for number in range(2, len(rows.values) + 1))]
    assert list(panels(figure)) == [f"x{name}" for name in names]
    assert [note["text"] for note in layout["annotations"]] == [f"{rows.title}: {label}" for label in rows.labels]
    boxes = [(*layout[f"xaxis{name}"]["domain"], *layout[f"yaxis{name}"]["domain"]) for name in names]
    assert all(0 <= low < high <= 1 for box in boxes for low, high in (box[:2], box[2:]))
    for number, (left, right, bottom, top) in enumerate(boxes):
        for other in boxes[:number]:
            assert left >= other[1] or right <= other[0] or top <= other[2] or bottom >= other[3]
    assert len({box[0] for box in boxes}) == min(across, len(boxes))
    assert len({tuple(layout[f"yaxis{name}"]["range"]) for name in names}) == 1  # panels are compared by their height


def test_panels_have_the_means_bands_and_teacher_of_their_row() -> None:
    cells = grid()
    for theme in THEMES:
        for row, traces in enumerate(panels(multiples(cells, theme=theme).figure).values()):
            own = [c for c in cells if c.row == row]
            by_kind = {(trace["name"], "fill" in trace): trace for trace in traces}
            assert len(by_kind) == len(traces) == 5
            lines = [("hard labels", "hard_labels", "control"), ("distilled", "distilled", "accuracy")]
            for name, kind, mean in lines:
                low, high = ("control_low", "control_high") if mean == "control" else ("low", "high")
                line, band = by_kind[name, False], by_kind[name, True]
                mark = PALETTE[kind]  # type: ignore[index]
                assert line["x"] == list(COLUMNS.values)
                assert line["y"] == [getattr(c, mean) for c in own]
                assert band["y"] == [getattr(c, high) for c in own] + [getattr(c, low) for c in own][::-1]
                assert band["x"] == [*COLUMNS.values, *COLUMNS.values[::-1]]
                assert (line["line"]["dash"], line["marker"]["symbol"]) == (mark.dash, mark.symbol)
                assert line["line"]["color"] == line["marker"]["color"] == band["fillcolor"] == mark.colour(theme)
            assert set(by_kind["teacher", False]["y"]) == {0.98}
            assert by_kind["teacher", False]["line"]["dash"] == PALETTE["teacher"].dash


@given(st.sets(st.integers(0, 14)))
def test_empty_cells_are_no_points_and_every_panel_stays(missing: set[int]) -> None:
    cells = [cell(c.column, c.row) if number in missing else c for number, c in enumerate(grid())]
    figure = multiples(cells).figure
    assert len(panels(figure)) == 3
    for row, traces in enumerate(panels(figure).values()):
        for trace in traces:
            known = [c for c in cells if c.row == row and c.accuracy is not None]
            if "fill" in trace:
                assert len(trace["x"]) == len(trace["y"]) == 2 * len(known)
                assert None not in trace["y"]
            elif trace["name"] == "distilled":
                assert trace["connectgaps"]
                assert [y for y in trace["y"] if y is not None] == [c.accuracy for c in known]
    legend = [trace["name"] for trace in figure["data"] if trace["showlegend"]]
    assert legend == ["hard labels", "distilled", "teacher"]  # each once
    low, high = figure["layout"]["yaxis"]["range"]
    drawn = [y for trace in figure["data"] for y in trace["y"] if y is not None]
    assert low < min(drawn) and max(drawn) < high


@pytest.mark.parametrize(
    ("values", "scale", "first"),
    [
        ((0.5, 1.0, 20.0), "log", 0.5),
        ((0.0, 1.0, 20.0), "linear", 0.0),
        ((1.0, 2.0, 8.0), "linear", 1.0),
        (("cnn", "mlp-30"), "linear", 0),
    ],
)
def test_scale_of_the_columns(values: tuple[float | str, ...], scale: str, first: float) -> None:
    columns = Axis("a setting", values)
    layout = multiples(grid(columns), columns).figure["layout"]
    axis = layout["xaxis"]
    assert axis["type"] == scale
    assert axis["tickvals"][0] == first
    assert len(axis["ticktext"]) == len(values)
    low, high = axis["range"]
    ends = [math.log10(value) for value in axis["tickvals"]] if scale == "log" else axis["tickvals"]
    assert low < min(ends) and max(ends) < high


def test_columns_may_come_in_any_order_and_cells_be_left_out() -> None:
    columns = Axis("temperature T", (4.0, 0.5, 20.0))
    cells = [cell(0, 0, 0.01), cell(1, 0, 0.02)]
    figure = sweep.small_multiples(columns, ROWS, cells, None, "light").figure
    assert len(panels(figure)) == 3
    distilled = next(trace for trace in figure["data"] if trace["name"] == "distilled" and "fill" not in trace)
    assert (distilled["x"], distilled["y"]) == ([0.5, 4.0, 20.0], [cells[1].accuracy, cells[0].accuracy, None])


def test_panels_in_words() -> None:
    drawing = multiples(grid())
    assert drawing.alt.startswith("Points in 15 of 15 cells. student: mlp-30-30. Distilled students are most accurate at ")
    assert "temperature T: 0.5, with 92.5% right; those of hard labels have 90.0% there." in drawing.alt
    assert drawing.alt.count("most accurate") == 3
    assert drawing.alt.endswith("The teacher: 98.0% right.")
    assert multiples([]).alt == "No points yet. The teacher: 98.0% right."
    waiting = replace(cell(0, 0, 0.01), control=None, control_low=None, control_high=None, difference=None, interval=None)
    assert multiples([waiting]).alt == "Points in 1 of 15 cells. The teacher: 98.0% right."


def test_labels_are_as_short_as_they_are_exact() -> None:
    assert Axis("T", (0.5, 1.0, 20.0)).labels == ["0.5", "1", "20"]
    assert ROWS.labels == list(ROWS.values)
    assert not set("".join(FRACTIONS.labels)) - set(string.digits + ".")
