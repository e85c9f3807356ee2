"""A sweep's cells are what its points say, no more: both sides of a comparison after equally many epochs, held values held."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import i18n, presets
from kdviz.figures import grid
from kdviz.figures.sweep import Cell
from kdviz.spec import GRID, RunSpec

SPEC = RunSpec(student=("mlp-8", "mlp-16"), temperature=(2.0, 8.0), seeds=2, epochs=10)
"""Students 0 and 1 are the control of mlp-8, 2 and 3 learn at T = 2, 4 and 5 at T = 8; 6 to 11 are the same of mlp-16."""


def point(student: int, epoch: float, accuracy: float) -> dict[str, Any]:
    return {"student": student, "epoch": epoch, "accuracy": accuracy}


def points(students: range = range(12), epoch: float = 1.0) -> list[dict[str, Any]]:
    """Return a point for each student: half right, and a hundredth more for each number and each epoch."""
    return [point(number, epoch, 0.5 + (number + epoch) / 100) for number in students]


def cells(spec: RunSpec, given_points: list[dict[str, Any]], **more: Any) -> dict[tuple[int, int], Cell]:
    found = grid.grid(spec, given_points, more.pop("result", None), **more).cells
    assert len({(cell.column, cell.row) for cell in found}) == len(found)
    return {(cell.column, cell.row): cell for cell in found}


def empty(cell: Cell) -> bool:
    return set(list(vars(cell).values())[2:]) == {None}


def test_means_and_extremes_are_those_of_the_seeds() -> None:
    of_mlp_16 = [
        point(number, 1.0, accuracy) for number, accuracy in zip(range(6, 12), (0.7, 0.8, 0.9, 0.6, 0.5, 0.5), strict=True)
    ]
    found = cells(SPEC, points(range(6)) + of_mlp_16)
    assert set(found) == {(0, 0), (1, 0), (0, 1), (1, 1)}
    cell = found[0, 1]  # T = 2, mlp-16
    assert (cell.accuracy, cell.low, cell.high) == pytest.approx((0.75, 0.6, 0.9))
    assert (cell.control, cell.control_low, cell.control_high) == pytest.approx((0.75, 0.7, 0.8))
    assert cell.difference == pytest.approx(0)
    assert found[1, 1].difference == pytest.approx(-0.25)
    assert found[0, 0].difference == pytest.approx(0.02)
    assert found[1, 0].difference == pytest.approx(0.04)
    assert {cell.interval for cell in found.values()} == {None}


def test_a_cell_shows_the_last_evaluation_that_all_of_it_reached() -> None:
    far = points(range(6), 3.0)
    # The control has come to 4 epochs, one student of T = 8 only to 2.
    mixed = points(epoch=1.0) + points(epoch=2.0) + [p for p in far if p["student"] != 5] + points(range(2), 4.0)
    found = cells(SPEC, mixed)
    assert found[0, 0].accuracy == pytest.approx(0.555)
    assert found[0, 0].control == pytest.approx(0.535)  # after 3 epochs, not 4
    assert found[1, 0].accuracy == pytest.approx(0.565)
    assert found[1, 0].control == pytest.approx(0.525)  # after 2
    assert found[0, 1].accuracy == pytest.approx(0.605)


def test_controls_judged_at_other_epochs_are_not_compared() -> None:
    assert all(map(empty, cells(SPEC, points(range(2), 1.0) + points(range(2, 6), 2.0)).values()))


def test_untrained_students_say_nothing() -> None:
    assert all(map(empty, cells(SPEC, []).values()))
    assert all(map(empty, cells(SPEC, points(epoch=0.0)).values()))
    found = cells(SPEC, points(epoch=0.0) + points(range(6), 0.5))
    assert [place for place, cell in found.items() if not empty(cell)] == [(0, 0), (1, 0)]


@given(st.randoms(use_true_random=False))
def test_points_may_come_in_any_order_and_twice(shuffled: Any) -> None:
    given_points = points() + points(epoch=2.0) + points(range(3), 3.0)
    mixed = given_points + given_points[:5]
    shuffled.shuffle(mixed)
    assert cells(SPEC, mixed) == cells(SPEC, given_points)


def comparison(T: float, student: str, mean: float, half: float | None) -> dict[str, Any]:
    ends = (None, None) if half is None else (mean - half, mean + half)
    setting = {
        "condition": "distilled",
        "against": "hard_labels",
        "student": student,
        "fraction": 1.0,
        "temperature": T,
        "soft_weight": 1.0,
    }
    return setting | {"mean": mean, "low": ends[0], "high": ends[1]}


def test_intervals_come_with_the_result() -> None:
    result = {"comparisons": [comparison(8, "mlp-16", 0.04, 0.01), comparison(2, "mlp-8", 0.02, 0.05)]}
    result["comparisons"] += [{**one, "condition": "label_smoothing", "mean": -1} for one in result["comparisons"]]
    result["comparisons"] += [{**one, "against": "label_smoothing", "mean": 1} for one in result["comparisons"][:2]]
    found = cells(SPEC, points(), result=result)
    assert found[1, 1].interval == pytest.approx((0.03, 0.05))
    assert found[0, 0].interval == pytest.approx((-0.03, 0.07))
    assert (found[1, 1].difference, found[0, 0].difference) == (0.04, 0.02)
    assert found[1, 0].interval is found[0, 1].interval is None
    assert found[1, 0].difference == pytest.approx(0.04)
    one_seed = {"comparisons": [comparison(8, "mlp-16", 0.04, None)]}
    assert cells(SPEC, points(), result=one_seed)[1, 1].interval is None


def test_a_result_from_before_there_were_sweeps_has_its_intervals_too() -> None:
    spec = RunSpec(temperature=(1.0, 2.0, 4.0, 8.0), seeds=1)
    old = {"comparisons": [{"temperature": T, "mean": T / 100, "low": 0.0, "high": 0.1} for T in spec.temperature]}
    found = cells(spec, points(range(5)), result=old)
    assert [found[column, 0].difference for column in range(4)] == [0.01, 0.02, 0.04, 0.08]
    assert {cell.interval for cell in found.values()} == {(0.0, 0.1)}


def test_other_knobs_are_held() -> None:
    spec = RunSpec(student=("mlp-8", "mlp-16"), temperature=(2.0, 8.0), soft_weight=(1.0, 3.0), fraction=(0.5, 1.0), seeds=1)
    across, down, others = grid.axes(spec)
    assert (across, down, others) == ("temperature", "student", ["soft_weight", "fraction"])
    given_points = points(range(len(spec.students)))
    for weight in spec.soft_weight:
        for fraction in spec.fraction:
            found = cells(spec, given_points, held={"soft_weight": weight, "fraction": fraction})
            assert set(found) == {(0, 0), (1, 0), (0, 1), (1, 1)}
            for (column, row), cell in found.items():
                (mine,) = [
                    number
                    for number, student in enumerate(spec.students)
                    if (student.network, student.fraction) == (spec.student[row], fraction)
                    and (student.temperature, student.soft_weight) == (spec.temperature[column], weight)
                ]
                assert cell.accuracy == pytest.approx(0.51 + mine / 100)
    # What is not said is held at its first value.
    assert cells(spec, given_points) == cells(spec, given_points, held={"soft_weight": 1.0, "fraction": 0.5})
    assert cells(spec, given_points, held={"fraction": 1.0}) == cells(
        spec, given_points, held={"soft_weight": 1, "fraction": 1.0}
    )


WIDTHS, WEIGHTS, FRACTIONS, MANY = ("mlp-8", "mlp-16"), (0.5, 1.0), (0.1, 1.0), (1.0, 2.0, 4.0, 8.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"temperature": MANY}, ("temperature", "student", [])),
        ({"student": WIDTHS}, ("student", "temperature", [])),
        ({"soft_weight": WEIGHTS}, ("soft_weight", "student", [])),
        ({"fraction": FRACTIONS}, ("fraction", "student", [])),
        ({"fraction": FRACTIONS, "student": WIDTHS}, ("student", "fraction", [])),
        ({"fraction": FRACTIONS, "temperature": MANY}, ("temperature", "fraction", [])),
        ({"soft_weight": WEIGHTS, "temperature": MANY}, ("temperature", "soft_weight", [])),
        (
            {"fraction": FRACTIONS, "student": WIDTHS, "soft_weight": WEIGHTS, "temperature": MANY},
            ("temperature", "student", ["soft_weight", "fraction"]),
        ),
        ({}, ("temperature", "student", [])),
    ],
)
def test_axes_are_the_knobs_with_several_values(values: dict[str, Any], expected: tuple[str, str, list[str]]) -> None:
    spec = RunSpec(seeds=2, **values)
    assert grid.axes(spec) == expected
    found = grid.grid(spec, [], None)
    assert found.columns.title == grid.TITLES[expected[0]] and found.columns.values == getattr(spec, expected[0])
    assert found.rows.title == grid.TITLES[expected[1]] and found.rows.values == getattr(spec, expected[1])
    assert len(found.cells) == len(found.columns.values) * len(found.rows.values)


def test_titles_are_the_readers() -> None:
    assert set(grid.TITLES) == set(GRID)
    i18n.use("zh_Hant")
    try:
        found = grid.grid(SPEC, [], None)
    finally:
        i18n.use("en")
    assert all(any("一" <= letter <= "鿿" for letter in axis.title) for axis in (found.columns, found.rows))


@pytest.mark.parametrize(
    ("values", "swept"),
    [
        ({}, False),
        ({"temperature": (2.0, 8.0)}, False),  # curves, told apart by their lightness
        ({"temperature": MANY[:3]}, False),
        ({"temperature": MANY}, True),
        # Curves know of temperatures alone, and would take two widths for one condition.
        ({"student": WIDTHS}, True),
        ({"soft_weight": WEIGHTS}, True),
        ({"fraction": FRACTIONS}, True),
        ({"temperature": (2.0, 8.0), "student": WIDTHS}, True),
    ],
)
def test_a_sweep_is_what_curves_cannot_show(values: dict[str, Any], swept: bool) -> None:
    assert grid.is_sweep(RunSpec(**values)) == swept


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_preset_is_shown_on_the_side_where_its_button_is(preset: str) -> None:
    assert grid.is_sweep(presets.PRESETS[preset].spec) == presets.PRESETS[preset].sweep


@pytest.mark.parametrize("preset", [name for name, preset in presets.PRESETS.items() if preset.sweep])
def test_the_last_points_of_a_record_are_its_result(preset: str) -> None:
    record = presets.record(preset)
    result = record["result"]
    spec = RunSpec.from_dict(result["spec"])
    found = cells(spec, record["points"], result=result)
    assert len(found) == len(result["comparisons"])
    for cell in found.values():
        assert cell.accuracy is not None and cell.control is not None
        assert cell.difference is not None and cell.interval is not None
        assert cell.difference == pytest.approx(cell.accuracy - cell.control, abs=1e-5)  # points are rounded
        assert cell.interval[0] <= cell.difference <= cell.interval[1]
