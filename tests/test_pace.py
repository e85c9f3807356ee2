"""What a run is expected to take follows from what was measured, and its steps are those it will train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdviz import pace, run, train
from kdviz.spec import RunSpec

CALIBRATION = {"overhead": 0.002, "dense": 1e-10, "conv": 2e-10}


def facts(**known: Any) -> Callable[[str], Any]:
    return known.get


@pytest.mark.parametrize(
    "spec",
    [
        RunSpec(epochs=3),
        RunSpec(epochs=3, batch_size=7),
        RunSpec(epochs=3, fraction=(0.1,)),
        RunSpec(epochs=3, fraction=(0.001,)),
        RunSpec(epochs=3, classes_left_out=(3, 7)),
        RunSpec(epochs=3, evaluate_on="validation"),
        RunSpec(epochs=3, fraction=(0.5,), classes_left_out=(0,), evaluate_on="validation", batch_size=16),
        RunSpec(epochs=3, student=("linear", "mlp-6", "cnn"), fraction=(0.1, 1.0), seeds=2),
    ],
    ids=lambda spec: f"{len(spec.student)}-{spec.fraction}-{spec.classes_left_out}-{spec.evaluate_on}-{spec.batch_size}",
)
def test_steps_are_those_of_the_run(spec: RunSpec, one_thread: None) -> None:
    prepared = run.prepare(spec)
    learned, judging = pace.expected_images(spec)
    assert judging == len(prepared.judges.test_labels)
    # Classes are not all equally large, and each gives one image at least: an image of each may be off, so one step an epoch.
    for stack in prepared.stacks:
        assert learned[stack.plan.students[0].fraction] == pytest.approx(len(stack.material.labels), abs=10)
    steps = [train.steps_of(len(stack.material.labels), spec.batch_size, spec.epochs)[1] for stack in prepared.stacks]
    assert pace.expected_steps(spec) == pytest.approx(sum(steps), abs=spec.epochs * len(steps))


def test_a_dataset_that_is_not_there_has_its_usual_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    spec = RunSpec.from_dict({"dataset": "mnist", "epochs": 2, "batch_size": 100, "fraction": [0.5, 1]})
    assert pace.expected_images(spec) == ({0.5: 30_000, 1.0: 60_000}, 10_000)
    assert pace.expected_steps(spec) == 600 + 1200


def test_a_run_like_an_earlier_one_takes_as_long() -> None:
    spec = RunSpec(epochs=10)
    steps = pace.expected_steps(spec)
    measured = facts(**{pace.key(spec): 0.004, pace.CALIBRATION: CALIBRATION})
    assert pace.seconds(spec, measured) == pytest.approx(0.004 * steps, rel=0.2)


@pytest.mark.parametrize(
    "change",
    [
        {"student": "mlp-100"},
        {"seeds": 6},
        {"batch_size": 64},
        {"optimizer": "sgd"},
        {"precision": "bf16"},
        {"temperature": [1, 2]},
        {"soft_weight": [0.5, 1]},
        {"student": ["mlp-30-30", "linear"]},
        {"fraction": [0.5, 1]},
    ],
    ids=str,
)
def test_a_run_of_another_kind_is_no_measure(change: dict[str, Any]) -> None:
    assert pace.key(RunSpec.from_dict(change)) != pace.key(RunSpec())


@pytest.mark.parametrize("change", [{"epochs": 7}, {"soft_weight": 0.5}, {"temperature": [9]}, {"learning_rate": 0.1}], ids=str)
def test_what_does_not_change_a_step_is_no_other_kind(change: dict[str, Any]) -> None:
    assert pace.key(RunSpec.from_dict(change)) == pace.key(RunSpec())


def test_without_a_measurement_nothing_is_promised() -> None:
    assert pace.seconds(RunSpec(), facts()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 200}, {"seeds": 10}, {"student": "mlp-800-800"}, {"student": "cnn"}, {"fraction": [0.5, 1]},
        {"student": ["mlp-30-30", "linear"]}, {"soft_weight": [0.3, 1]},
    ],
    ids=str,
)  # fmt: skip
def test_more_to_do_takes_longer(change: dict[str, Any]) -> None:
    known = facts(**{pace.CALIBRATION: CALIBRATION})
    less, more = pace.seconds(RunSpec(), known), pace.seconds(RunSpec.from_dict(change), known)
    assert less is not None and more is not None
    assert 0 < less < more


def test_small_students_cost_their_overhead() -> None:
    spec = RunSpec(student=("linear",), seeds=1)
    seconds = pace.seconds(spec, facts(**{pace.CALIBRATION: CALIBRATION}))
    assert seconds == pytest.approx(13 / 12 * pace.expected_steps(spec) * CALIBRATION["overhead"], rel=0.1)


def test_this_machine_can_be_measured(one_thread: None) -> None:
    measured = pace.calibrate(1)
    assert set(measured) == set(CALIBRATION)
    assert 0 < measured["overhead"] < 10
    assert all(0 <= measured[kind] < 1e-3 for kind in ("dense", "conv"))
