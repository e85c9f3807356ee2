"""What the presets say was computed: each has its records, and the records hold together to the last error."""

from __future__ import annotations

import json
from dataclasses import replace
from string import Formatter
from typing import Any

import numpy as np
import pytest

from kdviz import data, presets, spec, teachers, train
from kdviz.presets import PRESETS
from kdviz.spec import RunSpec

BOTH = pytest.mark.parametrize(("name", "on_validation"), [(name, held_out) for name in PRESETS for held_out in (False, True)])


def record(name: str, on_validation: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    content = presets.record(name, on_validation)
    return content, content["result"]


def test_each_record_belongs_to_a_preset() -> None:
    files = {f"{name}{ending}.json" for name in PRESETS for ending in ("", ".validation")}
    assert {file.name for file in presets.RECORDS.iterdir()} == files


def test_presets_differ() -> None:
    assert len({preset.spec for preset in PRESETS.values()}) == len({preset.title for preset in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_reason_has_the_fields_that_the_page_fills(name: str) -> None:
    reason = PRESETS[name].reason
    assert {field for _, field, _, _ in Formatter().parse(reason) if field} <= {"points", "low", "high"}
    if "gained" in reason:
        assert presets.record(name, on_validation=True)["result"]["comparisons"][0]["verdict"] == "helps"


@pytest.mark.parametrize("name", PRESETS)
def test_reason_counts_the_images_that_students_see(name: str) -> None:
    reason, seen = PRESETS[name].reason, presets.record(name)["result"]["settings"]["transfer_images"]
    if "images, one in ten" in reason or "training images, and" in reason:
        assert f"{seen:,} " in reason
    if "3% of MNIST" in reason:
        assert seen / 60_000 == pytest.approx(0.03, abs=5e-4)


@BOTH
def test_record_is_of_the_preset(name: str, on_validation: bool) -> None:
    content, result = record(name, on_validation)
    wanted = replace(PRESETS[name].spec, evaluate_on="validation") if on_validation else PRESETS[name].spec
    assert RunSpec.from_dict(result["spec"]) == wanted
    assert set(result["spec"]) == set(spec.KNOBS)  # all of them said, none left to today's default
    assert set(content["made"]) == {"date", "machine", "cores", "versions"}
    assert set(content["made"]["versions"]) == {"kdviz", "torch", "python"}


@BOTH
def test_record_was_made_with_the_teacher_that_ships(name: str, on_validation: bool) -> None:
    _, result = record(name, on_validation)
    card = teachers.find(PRESETS[name].spec.dataset, PRESETS[name].spec.teacher)
    assert result["settings"]["teacher_sha256"] == card.sha256
    assert result["settings"]["data_sha256"] == card.data_sha256
    assert (result["teacher"]["name"], result["teacher"]["parameters"]) == (card.name, card.parameters)
    if not on_validation:
        assert result["teacher"]["errors"] == card.errors


@BOTH
def test_record_was_judged_on_the_images_it_says(name: str, on_validation: bool) -> None:
    _, result = record(name, on_validation)
    if data.prepared_folder(PRESETS[name].spec.dataset) is None:
        pytest.skip(f"{PRESETS[name].spec.dataset} is not prepared here")
    dataset = data.load(PRESETS[name].spec.dataset)
    assert result["settings"]["data_sha256"] == dataset.sha256
    images = len(dataset.split("validation" if on_validation else "test").labels)
    for student in [*result["students"], result["teacher"]]:
        assert student["accuracy"] == pytest.approx(1 - student["errors"] / images, abs=1e-9)


@BOTH
def test_result_is_where_the_points_end(name: str, on_validation: bool) -> None:
    content, result = record(name, on_validation)
    students = RunSpec.from_dict(result["spec"]).students
    rows = [(row["condition"], row["temperature"], row["seed"]) for row in result["students"]]
    assert rows == [(student.condition, student.temperature, student.seed) for student in students]
    steps = sorted({point["step"] for point in content["points"]})
    asked = RunSpec.from_dict(result["spec"])
    _, last = train.steps_of(result["settings"]["transfer_images"], asked.batch_size, asked.epochs)
    assert steps == train.evaluation_steps(last, 16)
    assert len(content["points"]) == len(steps) * len(students)
    ends = {point["student"]: point for point in content["points"] if point["step"] == last}
    for number, row in enumerate(result["students"]):
        assert {key: ends[number][key] for key in ("accuracy", "errors", "agreement", "kl")} == {
            key: row[key] for key in ("accuracy", "errors", "agreement", "kl")
        }


@BOTH
def test_verdict_follows_from_the_record(name: str, on_validation: bool) -> None:
    _, result = record(name, on_validation)
    (comparison,) = result["comparisons"]
    accuracies = {
        condition: np.array([row["accuracy"] for row in result["students"] if row["condition"] == condition])
        for condition in ("distilled", "hard_labels")
    }
    differences = accuracies["distilled"] - accuracies["hard_labels"]
    assert comparison["mean"] == pytest.approx(differences.mean(), abs=1e-9)
    assert (comparison["seeds"], comparison["seeds_better"]) == (len(differences), int((differences > 1e-9).sum()))
    low, high = comparison["low"], comparison["high"]
    assert low < comparison["mean"] < high
    assert comparison["verdict"] == ("helps" if low > 0 else "harms" if high < 0 else "no visible difference")
    # The interval is at least as wide as Student's t over the seeds alone.
    from scipy.special import stdtrit

    over_seeds = stdtrit(len(differences) - 1, 0.975) * differences.std(ddof=1) / np.sqrt(len(differences))
    assert (high - low) / 2 >= over_seeds * (1 - 1e-9)


@BOTH
def test_records_are_plain_json(name: str, on_validation: bool) -> None:
    json.dumps(presets.record(name, on_validation), allow_nan=False)
