"""Figures of a teacher against the truth say what they are given: every line, every mark, and the text alternative."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from kdviz.data import street
from kdviz.figures import PALETTE, Drawing, Theme, truth
from kdviz.figures.numbers import percent
from kdviz.soft_targets import softmax
from kdviz.ui.galleries import SCALE

SHAPES = np.linspace(0, 1, 11)
TRUTH = street.posterior(np.full(11, street.CAR), SHAPES)[:, street.TRUCK]
LOGITS = np.stack([np.zeros(11), 9 * (SHAPES - 0.45)], axis=1)
DISTANCES = 0.05 + np.log(np.asarray(SCALE) / 4) ** 2  # smallest at T = 4


def along(T: float = 3.0, here: float = 0.7, theme: Theme = "light") -> Drawing:
    return truth.along_shape(SHAPES, TRUTH, softmax(LOGITS)[:, 1], softmax(LOGITS, T)[:, 1], T, here, theme)


def over(T: float = 3.0, distances: np.ndarray = DISTANCES, theme: Theme = "light") -> Drawing:
    return truth.over_temperature(SCALE, distances, T, theme)


def lines(drawing: Drawing) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in drawing.figure["data"] if trace["mode"] == "lines"}


def written(drawing: Drawing) -> dict[str, tuple[float, float]]:
    """Return where the written marks lie, by what is written."""
    (marks,) = (trace for trace in drawing.figure["data"] if trace["mode"] == "markers+text")
    return {text: (x, y) for text, x, y in zip(marks["text"], marks["x"], marks["y"], strict=True) if text}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("T", [0.05, 1.0, 100.0])
def test_both_are_plotly_figures(theme: Theme, T: float) -> None:
    for drawing in (along(T, theme=theme), over(T, theme=theme)):
        go.Figure(drawing.figure)  # raises where Plotly's schema is not met
        json.dumps(drawing.figure, allow_nan=False)  # and goes to the browser as it is
        assert all(PALETTE["teacher"].colour(theme) in str(trace) for trace in drawing.figure["data"][1:])


def test_lines_along_the_shape_are_those_given() -> None:
    drawn = lines(along())
    expected = {"true probability": TRUTH, "teacher, T = 1": softmax(LOGITS)[:, 1], "teacher, T = 3": softmax(LOGITS, 3)[:, 1]}
    assert list(drawn) == list(expected)
    for name, values in expected.items():
        assert (drawn[name]["x"], drawn[name]["y"]) == (SHAPES.tolist(), values.tolist())
    # No two are told apart by their colour alone.
    assert len({(trace["line"]["dash"], trace["line"]["width"]) for trace in drawn.values()}) == 3
    assert len({trace["line"]["dash"] for name, trace in drawn.items() if "teacher" in name}) == 2


def test_at_T_1_the_teacher_has_one_line() -> None:
    assert [trace["name"] for trace in along(1.0).figure["data"]] == ["true probability", "teacher, T = 1"]


def test_the_shape_that_is_looked_at_is_marked_and_said() -> None:
    drawing = along(3.0, here=0.7)
    (line,) = drawing.figure["layout"]["shapes"]
    assert line["x0"] == line["x1"] == 0.7
    shares = [percent(float(values[7])) for values in (TRUTH, softmax(LOGITS)[:, 1], softmax(LOGITS, 3)[:, 1])]
    assert drawing.alt == (
        f"At shape 0.70 the true probability of truck is {shares[0]}; the teacher gives it {shares[1]} at T = 1 and "
        f"{shares[2]} at T = 3."
    )
    assert len(set(shares)) == 3


def test_distance_over_temperature_is_what_is_given() -> None:
    drawing = over(7.0)
    (line,) = lines(drawing).values()
    assert (line["x"], line["y"]) == (list(SCALE), DISTANCES.tolist())
    assert drawing.figure["layout"]["xaxis"]["type"] == "log"
    (here,) = drawing.figure["layout"]["shapes"]
    assert here["x0"] == here["x1"] == 7.0


def test_T_1_and_the_best_T_are_marked_and_said() -> None:
    drawing = over()
    one = SCALE.index(1.0)
    assert written(drawing) == {"T = 1": (1.0, DISTANCES[one]), "best": (4.0, DISTANCES.min())}
    assert drawing.alt == (
        f"The teacher is {DISTANCES[one]:.3f} nats from the true probabilities at T = 1, and nearest to them, 0.050 nats, "
        "at T = 4."
    )


def test_where_T_1_is_the_best_it_is_marked_once() -> None:
    distances = np.log(np.asarray(SCALE)) ** 2
    assert written(over(distances=distances)) == {"T = 1, the best": (1.0, 0.0)}
