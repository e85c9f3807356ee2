"""Learning curves are the means and the ranges of the points they are given, in the picture and in its text alternative."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import i18n, presets
from kdviz.figures import PALETTE, Theme, curves
from kdviz.spec import RunSpec

SPEC = RunSpec(temperature=(2.0, 8.0), seeds=3, epochs=10)


def points(spec: RunSpec = SPEC, evaluations: int = 5, accuracy: float | None = None) -> list[dict[str, Any]]:
    """Return random points of a run, or points that are all equally accurate."""
    rng = np.random.default_rng(0)
    return [
        {"student": student, "epoch": spec.epochs * n / (evaluations - 1), "accuracy": accuracy or float(rng.uniform(0.5, 0.95))}
        for n in range(evaluations)
        for student in range(len(spec.students))
    ]


def lines(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"] if trace["mode"] == "lines+markers"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("evaluations", [0, 2, 5])
def test_curves_are_a_plotly_figure(theme: Theme, evaluations: int) -> None:
    given_points = points(evaluations=evaluations) if evaluations else []
    figure = curves.learning(curves.curves(SPEC, given_points), 0.99, SPEC.epochs, theme).figure
    go.Figure(figure)  # raises where Plotly's schema is not met
    json.dumps(figure, allow_nan=False)  # and goes to the browser as it is


def test_mean_and_band_are_those_of_the_seeds() -> None:
    table = np.array([point["accuracy"] for point in points()]).reshape(5, 3, 3)  # evaluation, condition, seed
    found = curves.curves(SPEC, points())
    assert [curve.label for curve in found] == ["hard labels", "distilled, T = 2", "distilled, T = 8"]
    figure = curves.learning(found, 0.99, SPEC.epochs).figure
    for number, curve in enumerate(found):
        assert curve.epochs == pytest.approx([0, 2.5, 5, 7.5, 10])
        assert curve.mean == pytest.approx(table[:, number].mean(axis=1))
        assert (curve.low, curve.high) == (table[:, number].min(axis=1).tolist(), table[:, number].max(axis=1).tolist())
        line = lines(figure)[curve.label]
        assert (line["x"], line["y"]) == (curve.epochs, curve.mean)
        band = next(trace for trace in figure["data"] if trace["name"] == curve.label and trace.get("fill") == "toself")
        assert band["y"] == [*curve.high, *curve.low[::-1]]
        assert band["x"] == [*curve.epochs, *curve.epochs[::-1]]


@given(st.randoms(use_true_random=False))
def test_points_may_come_in_any_order_and_twice(shuffled: random.Random) -> None:
    given_points = points() + points()[:7]
    shuffled.shuffle(given_points)
    assert curves.curves(SPEC, given_points) == curves.curves(SPEC, points())


@given(st.integers(0, 9 * 5))
def test_an_evaluation_counts_when_all_seeds_of_its_condition_are_there(written: int) -> None:
    for number, curve in enumerate(curves.curves(SPEC, points()[:written])):
        whole, rest = divmod(written, 9)
        assert len(curve.mean) == whole + (rest >= 3 * (number + 1))


def test_conditions_keep_their_marks_and_temperatures_differ() -> None:
    for theme in ("light", "dark"):
        drawn = lines(curves.learning(curves.curves(SPEC, points()), None, SPEC.epochs, theme).figure)
        for name, trace in drawn.items():
            mark = PALETTE["hard_labels" if name == "hard labels" else "distilled"]
            assert trace["line"]["color"] == trace["marker"]["color"] == mark.colour(theme)
            assert (trace["line"]["dash"], trace["marker"]["symbol"]) == (mark.dash, mark.symbol)
        assert drawn["distilled, T = 2"]["opacity"] != drawn["distilled, T = 8"]["opacity"]


def test_another_run_lies_faint_over_one() -> None:
    own = curves.curves(SPEC, points())
    other = curves.curves(SPEC, points(), prefix="before: ", faint=True)
    drawn = lines(curves.learning(own + other, None, SPEC.epochs).figure)
    assert len(drawn) == 6
    for name in ("hard labels", "distilled, T = 2"):
        assert drawn[f"before: {name}"]["opacity"] < drawn[name]["opacity"]
        assert drawn[f"before: {name}"]["line"]["width"] < drawn[name]["line"]["width"]


def test_teacher_is_a_line_over_all_epochs() -> None:
    figure = curves.learning([], 0.9917, 20).figure
    (teacher,) = figure["data"]
    assert (teacher["x"], teacher["y"], teacher["name"]) == ([0, 20], [0.9917, 0.9917], "teacher")
    assert teacher["line"]["dash"] == PALETTE["teacher"].dash
    assert not curves.learning([], None, 20).figure["data"]


@pytest.mark.parametrize("preset", [name for name, preset in presets.PRESETS.items() if not preset.sweep])
def test_axis_shows_every_evaluation_but_the_earliest(preset: str) -> None:
    record = presets.record(preset)
    spec, teacher = RunSpec.from_dict(record["result"]["spec"]), record["result"]["teacher"]["accuracy"]
    drawn = curves.curves(spec, record["points"])
    axis = curves.learning(drawn, teacher, spec.epochs).figure["layout"]["yaxis"]
    low, high = axis["range"]
    later = [worst for curve in drawn for epoch, worst in zip(curve.epochs, curve.low, strict=True) if epoch >= spec.epochs / 16]
    assert low < min(later)
    assert high > 1
    assert low > 0.7  # the upper part, where they differ, fills the height: students are judged most often while near chance


def test_a_training_that_goes_wrong_stays_in_sight() -> None:
    (hard, *_) = curves.curves(SPEC, points(accuracy=0.9))
    fallen = replace(hard, mean=[0.1, 0.9, 0.9, 0.2, 0.1], low=[0.1, 0.9, 0.9, 0.2, 0.1], high=[0.1, 0.9, 0.9, 0.2, 0.1])
    assert curves.learning([fallen], 0.99, 10).figure["layout"]["yaxis"]["range"][0] < 0.1


def test_text_alternative_says_where_the_curves_end() -> None:
    drawn = curves.curves(SPEC, points())
    alt = curves.learning(drawn, 0.9917, SPEC.epochs).alt
    hard = drawn[0]
    assert (
        f"hard labels: {hard.mean[-1]:.1%} right after 10 epochs, the seeds between {hard.low[-1]:.1%} and {hard.high[-1]:.1%}."
        in alt
    )
    assert "distilled, T = 8: " in alt
    assert "The teacher: 99.2% right." in alt
    assert "100% right after 10 epochs" in curves.learning(curves.curves(SPEC, points(accuracy=1.0)), None, 10).alt
    assert curves.learning([], None, 10).alt == "No points yet."


def test_names_are_the_readers() -> None:
    i18n.use("zh_Hant")
    try:
        drawn = curves.curves(SPEC, points())
        drawing = curves.learning(drawn, 0.99, SPEC.epochs)
    finally:
        i18n.use("en")
    assert [curve.label for curve in drawn] == ["硬標籤", "蒸餾，T = 2", "蒸餾，T = 8"]
    assert drawing.figure["layout"]["xaxis"]["title"]["text"] == "訓練輪數"
    assert "教師：答對 99.0%。" in drawing.alt
