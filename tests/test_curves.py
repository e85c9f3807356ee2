"""Learning curves are the means and the ranges of the points they are given, in the picture and in its text alternative.

What the browser draws is held against `kdviz.figures.curves.curve` in tests/browser/test_live_curves.py.
"""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import i18n
from kdviz.figures import PALETTE, Theme, curves
from kdviz.spec import RunSpec, TeacherSpec

SPEC = RunSpec(temperature=(2.0, 8.0), seeds=3, epochs=10)


def points(spec: RunSpec = SPEC, evaluations: int = 5, accuracy: float | None = None) -> list[dict[str, Any]]:
    """Return random points of a run, or points that are all equally accurate."""
    rng = np.random.default_rng(0)
    return [
        {"student": student, "epoch": spec.epochs * n / (evaluations - 1), "accuracy": accuracy or float(rng.uniform(0.5, 0.95))}
        for n in range(evaluations)
        for student in range(len(spec.students))
    ]


def gathered(given: list[dict[str, Any]], spec: RunSpec = SPEC) -> list[curves.Curve]:
    return [curves.curve(series, given) for series in curves.series(spec, "run")]


def styled(spec: RunSpec = SPEC, theme: Theme = "light") -> dict[str, dict[str, Any]]:
    """Return the frame's series by name."""
    frame = curves.frame(curves.series(spec, "run"), spec.epochs, theme)
    return {one["line"]["name"]: one for one in frame["series"]}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_style_is_one_of_plotlys(theme: Theme) -> None:
    frame = curves.frame(curves.series(SPEC, "run"), SPEC.epochs, theme)
    given_numbers = {"x": [0.0, 1.0], "y": [0.5, 0.9]}
    terms = [{**one["line"], **style, **given_numbers} for one in frame["series"] for style in one["terms"].values()]
    drawn = [{**one[part], **given_numbers} for one in frame["series"] for part in ("line", "band")]
    # Raises where Plotly's schema is not met.
    go.Figure({"data": [*drawn, *terms, {**frame["teacher"], **given_numbers}], "layout": frame["layout"]})
    json.dumps(frame, allow_nan=False)  # and goes to the browser as it is


def test_mean_and_band_are_those_of_the_seeds() -> None:
    table = np.array([point["accuracy"] for point in points()]).reshape(5, 3, 3)  # evaluation, condition, seed
    found = gathered(points())
    assert [curve.label for curve in found] == ["hard labels", "distilled, T = 2", "distilled, T = 8"]
    for number, curve in enumerate(found):
        assert curve.epochs == pytest.approx([0, 2.5, 5, 7.5, 10])
        assert curve.mean == pytest.approx(table[:, number].mean(axis=1))
        assert (curve.low, curve.high) == (table[:, number].min(axis=1).tolist(), table[:, number].max(axis=1).tolist())


def test_other_numbers_of_the_points_are_gathered_alike_and_those_not_known_left_out() -> None:
    given_points = [{**point, "kl": None if point["epoch"] == 0 else point["accuracy"] / 2} for point in points()]
    (hard, *_) = curves.series(SPEC, "run")
    kl, accuracy = curves.curve(hard, given_points, "kl"), curves.curve(hard, given_points)
    assert kl.epochs == accuracy.epochs[1:]
    assert kl.mean == pytest.approx([mean / 2 for mean in accuracy.mean[1:]])


@given(st.randoms(use_true_random=False))
def test_points_may_come_in_any_order_and_twice(shuffled: random.Random) -> None:
    given_points = points() + points()[:7]
    shuffled.shuffle(given_points)
    assert gathered(given_points) == gathered(points())


@given(st.integers(0, 9 * 5))
def test_an_evaluation_counts_when_all_seeds_of_its_condition_are_there(written: int) -> None:
    for number, curve in enumerate(gathered(points()[:written])):
        whole, rest = divmod(written, 9)
        assert len(curve.mean) == whole + (rest >= 3 * (number + 1))


def test_students_of_a_series_are_those_of_its_condition() -> None:
    for series in curves.series(SPEC, "run"):
        conditions = {curves.label(SPEC.students[n].condition, SPEC.students[n].temperature) for n in series.students}
        assert conditions == {series.label} and len(series.students) == SPEC.seeds
    (teacher,) = curves.series(TeacherSpec("digits", "cnn-x5", 3), "run")
    assert (teacher.kind, teacher.students) == ("teacher", [0, 1, 2, 3, 4])


def test_conditions_keep_their_marks_and_temperatures_differ() -> None:
    for theme in ("light", "dark"):
        drawn = styled(theme=theme)
        for name, one in drawn.items():
            mark, line = PALETTE["hard_labels" if name == "hard labels" else "distilled"], one["line"]
            assert line["line"]["color"] == line["marker"]["color"] == one["band"]["fillcolor"] == mark.colour(theme)
            assert (line["line"]["dash"], line["marker"]["symbol"]) == (mark.dash, mark.symbol)
            assert one["terms"]["loss_hard"]["marker"]["symbol"] == f"{mark.symbol}-open"  # the terms of the loss differ too
        assert drawn["distilled, T = 2"]["line"]["opacity"] != drawn["distilled, T = 8"]["line"]["opacity"]


def test_another_run_lies_faint_over_one() -> None:
    both = curves.series(SPEC, "run") + curves.series(SPEC, "other", prefix="before: ", faint=True)
    drawn = {one["line"]["name"]: one for one in curves.frame(both, SPEC.epochs)["series"]}
    assert len(drawn) == 6
    for name in ("hard labels", "distilled, T = 2"):
        own, other = drawn[name], drawn[f"before: {name}"]
        assert (own["run"], other["run"]) == ("run", "other")
        assert other["line"]["opacity"] < own["line"]["opacity"]
        assert other["line"]["line"]["width"] < own["line"]["line"]["width"]


def test_teacher_has_a_line_of_its_own() -> None:
    teacher = curves.frame([], 20)["teacher"]
    assert (teacher["name"], teacher["line"]["dash"]) == ("teacher", PALETTE["teacher"].dash)


def test_text_alternative_says_where_the_curves_end() -> None:
    drawn = gathered(points())
    alt = curves.in_words(drawn, 0.9917)
    hard = drawn[0]
    assert (
        f"hard labels: {hard.mean[-1]:.1%} right after 10 epochs, the seeds between {hard.low[-1]:.1%} and {hard.high[-1]:.1%}."
        in alt
    )
    assert "distilled, T = 8: " in alt
    assert "The teacher: 99.2% right." in alt
    assert "100% right after 10 epochs" in curves.in_words(gathered(points(accuracy=1.0)), None)
    assert curves.in_words([], None) == "No points yet."


def test_names_are_the_readers() -> None:
    i18n.use("zh_Hant")
    try:
        drawn = gathered(points())
        alt = curves.in_words(drawn, 0.99)
        frame = curves.frame(curves.series(SPEC, "run"), 10)
    finally:
        i18n.use("en")
    assert [curve.label for curve in drawn] == ["硬標籤", "蒸餾，T = 2", "蒸餾，T = 8"]
    assert frame["layout"]["xaxis"]["title"]["text"] == "訓練輪數"
    assert "教師：答對 99.0%。" in alt
