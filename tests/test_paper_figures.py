"""What is drawn of the paper's experiments: rows, lines over a knob, the bias; and what stands beside the paper's figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kdviz import experiments, i18n
from kdviz.experiments import beside, lab
from kdviz.figures import bias, intervals, knob, paper
from kdviz.figures.intervals import Other, Row
from kdviz.misconceptions import MISCONCEPTIONS
from tests.results import result

EACH = pytest.mark.parametrize("name", experiments.names())
PLACES = {name: name not in ("mythical-3", "only-7-and-8") for name in experiments.names()}


# Rows


ROWS = [Row("one", "distilled", 1.5, (0.5, 2.5)), Row("two", "distilled", 0.2, (-0.1, 0.5)), Row("three", "hard_labels", -1.0)]


def test_a_sign_is_open_where_the_interval_covers_zero_or_there_is_none() -> None:
    drawn = intervals.draw(ROWS, "points", "light", 2, signed=True)
    symbols = {trace["y"][0]: trace["marker"]["symbol"] for trace in drawn.figure["data"]}
    assert [symbols[2 - number].endswith("-open") for number in range(3)] == [False, True, True]
    assert [trace["text"] for trace in drawn.figure["data"]] == [["+1.50"], ["+0.20"], ["-1.00"]]
    error = drawn.figure["data"][0]["error_x"]
    assert error["array"] == [1.0] and error["arrayminus"] == [1.0]
    assert drawn.figure["layout"]["xaxis"]["zeroline"] and "one: +1.50, 95% interval [+0.50, +2.50]." in drawn.alt
    assert "three: -1.00." in drawn.alt


def test_rows_stand_from_top_to_bottom_with_what_is_beside_them() -> None:
    rows = [Row("a", "teacher", 66, other=67), Row("b", "distilled", 80, seeds=(70, 90))]
    drawn = intervals.draw(rows, "errors", "dark", 0, other=Other("the paper"))
    labels = drawn.figure["layout"]["yaxis"]
    assert [label.strip() for label in labels["ticktext"]] == ["b", "a"] and labels["tickvals"] == [0, 1]
    (beside_them,) = [trace for trace in drawn.figure["data"] if trace.get("name") == "the paper"]
    assert beside_them["x"] == [67] and beside_them["y"] == [1] and drawn.figure["layout"]["showlegend"]
    assert drawn.figure["data"][0]["x"] == [70, 90] and "the paper: 67." in drawn.alt
    assert not drawn.figure["data"][1]["marker"]["symbol"].endswith("-open")


def test_a_label_is_broken_where_a_phone_has_no_room() -> None:
    assert intervals.broken("The mean over all elements, T = 32") == "The mean over all<br>elements, T\u00a0=\u00a032"
    assert intervals.broken("對所有元素取平均，T = 32") == "對所有元素取平均，<br>T\u00a0=\u00a032"
    assert intervals.broken("漏了 T²，T = 32") == "漏了 T²，T\u00a0=\u00a032" and intervals.broken("teacher") == "teacher"


# Lines


def test_lines_of_one_kind_are_told_apart_without_colour() -> None:
    lines = [knob.Line(f"{n}", "distilled", (1, 2, 32), (0, n, 2 * n), (-1, 0, 1), (1, 9, 9)) for n in range(4)]
    drawn = knob.draw(lines, "T", "points", "light", 1)
    looks = [(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in drawn.figure["data"]]
    assert len(set(looks)) == 4 and drawn.figure["layout"]["xaxis"]["type"] == "log"
    assert drawn.figure["data"][3]["error_y"]["array"] == [1, 6, 3]
    assert "3: 0.0 at 1, 6.0 at 32." in drawn.alt


def test_ticks_keep_room_between_them() -> None:
    assert knob.apart([0.5, 1, 2, 4, 8, 16, 32, 64, 100]) == [0.5, 1, 2, 4, 8, 16, 32, 100]  # 64 is too near the last
    assert knob.apart([1, 1.1, 3]) == [1.1, 3] and knob.apart([3]) == [3]


# The bias


CURVE: dict[str, list[float]] = {"bias": [-1.0, 0.0, 1.0, 2.0], "errors": [30, 20, 10, 15], "errors_of_classes": [9, 8, 0, 0]}


def test_the_first_shape_is_the_line_that_moves() -> None:
    drawn = bias.draw(CURVE, "3", [bias.Mark("best", 1.0, 10)], 0.0, "light")
    layout = drawn.figure["layout"]
    assert layout["shapes"][0]["x0"] == layout["shapes"][0]["x1"] == 0.0
    assert layout["xaxis"]["range"] == [-1.0, 2.0]  # bias_curve.js reckons with it
    own = drawn.figure["data"][1]
    assert own["y"] == [9, 8, bias.LEAST, bias.LEAST] and own["customdata"] == [9, 8, 0, 0]
    assert drawn.alt == "With +0.0 added: 20 errors, 8 of them on 3."
    assert bias.sentence(CURVE, "3", 1.3) == "With +1.0 added: 10 errors, 0 of them on 3."


# Of every experiment


@EACH
@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_every_result_is_drawn_and_stands_beside_the_papers_figures(name: str, language: str) -> None:
    experiment, found = experiments.find(name), result(name)
    i18n.use(language)
    try:
        drawn = paper.figures(experiment, found, "light")
        rows = beside.table(experiment, found["measured"])
    finally:
        i18n.use("en")
    assert bool(drawn.wide or drawn.panels) == PLACES[name]
    for drawing in [*drawn.wide, *drawn.panels]:
        assert drawing.alt and json.loads(json.dumps(drawing.figure, allow_nan=False))
    assert [row.where for row in rows if row.where] == [found.where for found in experiment.paper]
    assert all(row.papers for row in rows[: len(experiment.paper)])


def test_the_rows_of_bugs_have_the_hard_labels_beside_them() -> None:
    of = result("misconceptions")
    (drawing,) = paper.figures(experiments.find("misconceptions"), of, "light").wide
    (alone,) = [trace for trace in drawing.figure["data"] if trace.get("name") == "hard labels alone"]
    found = {row["loss"]: row for row in of["measured"]["rows"]}
    wanted = [-100 * found[loss]["gain_of_right"]["mean"] for loss in MISCONCEPTIONS if loss in found]
    assert alone["x"] == pytest.approx(wanted)


def test_a_wide_and_a_narrow_part_make_one_map() -> None:
    (heat,) = paper.figures(experiments.find("temperature-by-width"), result("temperature-by-width"), "light").wide
    rows = result("temperature-by-width")["measured"]["rows"]
    values = [
        value for trace in heat.figure["data"] for line in trace["z"] for value in line if value is not None
    ]  # fmt: skip
    assert sorted(values) == pytest.approx(sorted(100 * row["gain"]["mean"] for row in rows))


def test_the_lab_finds_a_bugs_row_at_its_highest_temperature() -> None:
    row = lab.committed("no_t_squared", result("misconceptions"))
    assert row is not None and row["temperature"] == 32
    assert lab.committed("nothing", result("misconceptions")) is None


def test_seeds_are_a_mean_and_their_deviation() -> None:
    assert (
        experiments.plus_minus({"seeds": [1, 3]}) == f"2.0 ± {np.sqrt(2):.1f}"
        and experiments.plus_minus({"seeds": [0.5]}, 0, 100) == "50"
    )
