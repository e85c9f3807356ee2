"""From spec to result: which images students learn from, and what the JSON contract of the command line promises."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdviz import answers, data, run, stats, strategy, teachers, turns
from kdviz.errors import InvalidValue, UnknownName
from kdviz.spec import RunSpec
from tests.sources import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

fractions = st.floats(0.001, 1)
left_out = st.sets(st.integers(0, 9), max_size=9).map(lambda classes: tuple(sorted(classes)))
splits = st.sampled_from(["test", "validation"])


def chosen(**values: Any) -> np.ndarray:
    spec = RunSpec.from_dict(values)
    return answers.transfer_set(spec, data.load("digits"), spec.fraction[0])


# The transfer set


@given(fractions, left_out, splits)
def test_a_transfer_set_is_every_class_in_proportion_but_those_left_out(
    fraction: float, classes: tuple[int, ...], evaluate_on: str
) -> None:
    digits = data.load("digits")
    learned = chosen(fraction=fraction, classes_left_out=classes, evaluate_on=evaluate_on)
    there = np.bincount(digits.split("train" if evaluate_on == "validation" else "training").labels, minlength=10)
    counts = np.bincount(digits.labels[learned], minlength=10)
    for label in range(10):
        if label in classes:
            assert counts[label] == 0
        else:
            assert counts[label] >= 1 and abs(counts[label] - fraction * there[label]) <= 1
    assert (np.diff(learned) > 0).all()  # sorted, and no image twice


@given(fractions, left_out, splits)
def test_no_image_that_judges_is_learned_from(fraction: float, classes: tuple[int, ...], evaluate_on: str) -> None:
    digits = data.load("digits")
    learned = chosen(fraction=fraction, classes_left_out=classes, evaluate_on=evaluate_on)
    test, validation = digits.slice("test"), digits.slice("validation")
    assert not ((learned >= test.start) & (learned < test.stop)).any()
    if evaluate_on == "validation":
        assert not ((learned >= validation.start) & (learned < validation.stop)).any()


@given(fractions, fractions, left_out, splits)
def test_a_smaller_fractions_images_are_among_a_larger_ones(
    a: float, b: float, classes: tuple[int, ...], evaluate_on: str
) -> None:
    small, large = (set(chosen(fraction=f, classes_left_out=classes, evaluate_on=evaluate_on).tolist()) for f in sorted((a, b)))
    assert small <= large


def test_leaving_a_class_out_changes_no_other_classs_images() -> None:
    labels = data.load("digits").labels
    whole, without = chosen(fraction=0.2), chosen(fraction=0.2, classes_left_out=[3])
    np.testing.assert_array_equal(without, whole[labels[whole] != 3])


def test_all_of_it_is_all_of_it() -> None:
    np.testing.assert_array_equal(chosen(), np.arange(1437))
    np.testing.assert_array_equal(chosen(evaluate_on="validation"), np.arange(1150))


def test_a_fraction_is_no_run_of_the_first_images() -> None:
    learned = chosen(fraction=0.1)
    assert learned.mean() == pytest.approx(1437 / 2, rel=0.15) and len(learned) < learned.max() / 5


# What is prepared


def prepared(**values: Any) -> run.Prepared:
    return run.prepare(RunSpec.from_dict({"student": "mlp-6", "epochs": 2, "seeds": 2} | values))


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_the_material_is_the_images_and_the_teachers_answers_to_them(evaluate_on: str) -> None:
    ready = prepared(evaluate_on=evaluate_on, fraction=0.3, classes_left_out=[5])
    digits, (stack,) = data.load("digits"), ready.stacks
    material = stack.material
    learned, judged = (
        answers.transfer_set(ready.spec, digits, 0.3),
        digits.slice("test" if evaluate_on == "test" else "validation"),
    )
    logits = teachers.logits(ready.card, digits)
    for labels, inputs, answered, where in (
        (material.labels, material.inputs, material.teacher_logits, learned),
        (material.test_labels, material.test_inputs, material.test_teacher_logits, judged),
    ):
        assert answered is not None
        np.testing.assert_array_equal(labels.numpy(), digits.labels[where])
        np.testing.assert_array_equal(answered.numpy(), logits[where])
        pixels = (inputs * digits.std[0] + digits.mean[0]) * 255
        np.testing.assert_allclose(pixels.numpy().transpose(0, 2, 3, 1), digits.pixels[where], atol=1e-2)
    assert ready.settings["transfer_images"] == len(learned) == len(material.labels)


def test_the_plan_is_the_specs() -> None:
    values = dict(epochs=7, batch_size=33, learning_rate=0.03, optimizer="sgd", schedule="linear", precision="bf16")
    ready = prepared(temperature=[2, 8], seeds=3, **values)
    (stack,) = ready.stacks
    assert stack.plan.students == ready.spec.students and len(stack.plan.students) == 9
    assert stack.students == list(range(9))
    for name, value in values.items():
        assert getattr(stack.plan, name) == value
    assert stack.plan.network.name == "mlp-6" and not stack.plan.compiled
    assert [stack.plan.evaluations] == ready.settings["evaluations"]
    assert ready.settings["precision"] == "bf16" and ready.settings["device"] in ("cpu", "cuda")
    assert ready.settings["teacher_sha256"] == ready.card.sha256 and ready.settings["data_sha256"] == ready.dataset.sha256


def test_every_program_has_its_own_network_and_images() -> None:
    ready = prepared(student=["mlp-6", "linear", "cnn"], fraction=[0.1, 1])
    digits, students = data.load("digits"), ready.spec.students
    assert sorted(number for stack in ready.stacks for number in stack.students) == list(range(len(students)))
    assert len(ready.stacks) == ready.settings["programs"] == 2 + 2 + 8  # convolutions one by one
    for stack in ready.stacks:
        for number, student in zip(stack.students, stack.plan.students, strict=True):
            assert student == students[number]
            assert student.network == stack.plan.network.name
            learned = answers.transfer_set(ready.spec, digits, student.fraction)
            np.testing.assert_array_equal(stack.material.labels.numpy(), digits.labels[learned])
        assert torch.equal(stack.material.test_inputs, ready.judges.test_inputs)
    assert ready.settings["transfer_images"] == 1437


def test_an_earlier_attempts_choices_are_kept() -> None:
    spec = RunSpec.from_dict({"student": "mlp-6", "epochs": 2, "seeds": 2})
    earlier = {"threads": 1, "precision": "bf16", "compiled": False, "evaluations": [9], "process": 3}
    ready = run.prepare(spec, earlier=earlier, compiling="yes")
    assert (ready.stacks[0].plan.precision, ready.stacks[0].plan.evaluations, ready.stacks[0].plan.compiled) == ("bf16", 9, False)
    assert {name: ready.settings[name] for name in ("threads", "precision", "compiled", "evaluations")} == {
        name: earlier[name] for name in ("threads", "precision", "compiled", "evaluations")
    }


def test_compiling_as_asked_reaches_every_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(strategy, "compiler_missing", lambda: None)
    spec = RunSpec.from_dict({"student": ["mlp-6", "linear"], "epochs": 2, "seeds": 2})
    for compiling, compiled in (("yes", True), ("no", False), ("auto", False)):
        ready = run.prepare(spec, compiling=compiling)
        assert [stack.plan.compiled for stack in ready.stacks] == [compiled, compiled]
        assert ready.settings["compiled"] == compiled


def test_what_is_not_there_is_said_before_training() -> None:
    with pytest.raises(UnknownName, match=r"unknown teacher of digits 'nobody'; known: .*cnn"):
        prepared(teacher="nobody")
    spec = RunSpec.from_dict({})
    for device in ("tpu", "", "CPU"):
        with pytest.raises(InvalidValue, match=rf"device must be one that this machine has \(.*cpu.*\), got '{device}'"):
            run.prepare(spec, device)


# The result


@lru_cache
def trained(seeds: int, temperatures: tuple[float, ...] = (4.0,)) -> tuple[run.Prepared, turns.Progress, dict[str, Any]]:
    ready = prepared(seeds=seeds, temperature=temperatures, epochs=3, learning_rate=0.01)
    *_, last = ready.training()
    return ready, last, run.result(ready, last)


def test_a_result_has_the_keys_of_the_contract_and_is_plain_json() -> None:
    ready, _, result = trained(3, (2.0, 8.0))
    assert set(result) >= {"spec", "seconds", "teacher", "students", "comparisons"}
    assert set(result["teacher"]) == {"name", "accuracy", "errors", "parameters"}
    for row in result["students"]:
        assert list(row) == [
            "condition", "student", "temperature", "soft_weight", "loss", "fraction", "seed", "accuracy", "errors", "agreement",
            "kl", "train_accuracy", "parameters",
        ]  # fmt: skip
    for row in result["comparisons"]:
        assert set(row) >= {"condition", "against", "student", "temperature", "soft_weight", "fraction"}
        assert set(row) >= {"mean", "low", "high", "verdict"}
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert RunSpec.from_dict(result["spec"]) == ready.spec
    assert result["seconds"] > 0


def test_a_result_names_every_student_in_order() -> None:
    _, _, result = trained(3, (2.0, 8.0))
    who = [(row["condition"], row["temperature"], row["seed"]) for row in result["students"]]
    assert who[:3] == [("hard_labels", None, seed) for seed in range(3)]
    assert who[3:] == [("distilled", T, seed) for T, seed in itertools.product((2.0, 8.0), range(3))]


def test_a_results_numbers_are_those_of_the_test_logits() -> None:
    ready, last, result = trained(3, (2.0, 8.0))
    digits = data.load("digits")
    labels = digits.split("test").labels
    teacher = teachers.logits(ready.card, digits)[digits.slice("test")].argmax(-1)
    answers = last.test_logits().argmax(-1).numpy()
    for row, answer in zip(result["students"], answers, strict=True):
        errors = int((answer != labels).sum())
        assert row["errors"] == errors and row["accuracy"] == pytest.approx(1 - errors / 360)
        assert row["agreement"] == pytest.approx((answer == teacher).mean())
        assert row["kl"] > 0 and row["parameters"] == ready.stacks[0].plan.network.parameters
        assert row["accuracy"] > 0.15  # it learned something: chance is 0.1
    assert result["teacher"]["errors"] == (teacher != labels).sum() == ready.card.errors
    assert result["teacher"]["accuracy"] == pytest.approx(ready.card.accuracy)
    assert result["teacher"]["parameters"] == ready.card.parameters


def test_each_temperature_is_compared_with_the_same_controls_seed_by_seed() -> None:
    _, last, result = trained(3, (2.0, 8.0))
    right = last.test_logits().argmax(-1).numpy() == data.load("digits").split("test").labels
    assert [(row["condition"], row["against"], row["temperature"]) for row in result["comparisons"]] == [
        ("distilled", "hard_labels", 2.0),
        ("distilled", "hard_labels", 8.0),
    ]
    for row, students in zip(result["comparisons"], (right[3:6], right[6:9]), strict=True):
        expected = dataclasses.asdict(stats.paired_difference(students, right[:3]))
        assert {name: row[name] for name in expected} == expected
        assert row["mean"] == pytest.approx(students.mean() - right[:3].mean())
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["verdict"] in ("helps", "harms", "no visible difference")


def test_each_cell_of_a_grid_is_compared_with_the_controls_of_its_network_and_images() -> None:
    values: dict[str, Any] = {"student": ["linear", "mlp-6"], "fraction": [0.2, 1], "soft_weight": [0.3, 1]}
    ready = prepared(temperature=[2, 8], learning_rate=0.01, **values)
    *_, last = ready.training()
    result = run.result(ready, last)
    right = last.test_logits().argmax(-1).numpy() == data.load("digits").split("test").labels
    numbered = list(enumerate(result["students"]))
    assert len(result["students"]) == 2 * 2 * (2 + 4 * 2) and len(result["comparisons"]) == 16
    parameters = {stack.plan.network.name: stack.plan.network.parameters for stack in ready.stacks}
    for row, answered in zip(result["students"], right, strict=True):
        assert row["errors"] == (~answered).sum() and row["parameters"] == parameters[row["student"]]
    cells = set()
    for row in result["comparisons"]:
        cell = {name: row[name] for name in ("student", "fraction", "temperature", "soft_weight")}
        cells.add(tuple(cell.values()))
        distilled = [n for n, student in numbered if {name: student[name] for name in cell} == cell]
        theirs = {"condition": "hard_labels", "student": row["student"], "fraction": row["fraction"]}
        control = [n for n, student in numbered if {name: student[name] for name in theirs} == theirs]
        assert [result["students"][n]["seed"] for n in distilled] == [result["students"][n]["seed"] for n in control] == [0, 1]
        expected = dataclasses.asdict(stats.paired_difference(right[distilled], right[control]))
        assert {name: row[name] for name in expected} == expected
    assert cells == set(itertools.product(values["student"], values["fraction"], (2, 8), values["soft_weight"]))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert RunSpec.from_dict(result["spec"]) == ready.spec


def test_a_student_in_a_grid_is_the_one_of_a_run_of_its_own() -> None:
    grid = prepared(student=["linear", "mlp-6"], fraction=[0.2, 1], temperature=[2, 8])
    *_, last = grid.training()
    alone = prepared(fraction=0.2, temperature=8)
    *_, its_last = alone.training()
    students = grid.spec.students
    for student, logits in zip(alone.spec.students, its_last.test_logits(), strict=True):
        torch.testing.assert_close(logits, last.test_logits()[students.index(student)], rtol=1e-3, atol=1e-3)


def test_one_seed_has_no_interval_and_no_verdict() -> None:
    _, _, result = trained(1)
    (row,) = result["comparisons"]
    assert (row["low"], row["high"], row["verdict"]) == (None, None, None)
    assert math.isfinite(row["mean"]) and len(result["students"]) == 2
    assert json.loads(json.dumps(result, allow_nan=False))["comparisons"][0]["verdict"] is None


def test_the_correctness_of_every_test_image_is_kept_for_every_student() -> None:
    ready, last, result = trained(3, (2.0, 8.0))
    right = run.correctness(last, ready)
    assert right.shape == (9, 360) and right.dtype == np.bool_
    assert (~right).sum(1).tolist() == [row["errors"] for row in result["students"]]


def test_a_run_on_validation_images_is_judged_by_them_and_so_is_the_teacher() -> None:
    ready = prepared(evaluate_on="validation", epochs=1)
    *_, last = ready.training()
    digits = data.load("digits")
    wrong = teachers.logits(ready.card, digits)[digits.slice("validation")].argmax(-1) != digits.split("validation").labels
    result = run.result(ready, last)
    assert run.correctness(last, ready).shape == (4, 287)
    assert result["teacher"]["errors"] == wrong.sum()
    assert result["teacher"]["accuracy"] == pytest.approx(1 - wrong.mean())


def test_the_same_spec_twice_gives_the_same_result() -> None:
    results = []
    for _ in range(2):
        ready = prepared(fraction=0.2)
        *_, last = ready.training()
        results.append(run.result(ready, last) | {"seconds": 0})
    assert results[0] == results[1]


def test_every_thread_takes_the_smallest_numbers_for_zero() -> None:
    # In a process of its own: threads take the setting over when they are made, and one made too early never does.
    program = (
        "import torch\nfrom kdviz import run\nfrom kdviz.spec import RunSpec\n"
        "ready = run.prepare(RunSpec(student=('mlp-800-800',), seeds=1, epochs=1), earlier={'threads': 2})\n"
        "print(torch.get_num_threads(), int((torch.full((4_000_000,), 1e-40) * 1.0).count_nonzero()))"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split() == ["2", "0"]
