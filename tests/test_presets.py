"""What the presets say was computed: each has its records, and the records hold together to the last error."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from string import Formatter
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from kdviz import answers, data, models, presets, spec, strategy, teachers, train
from kdviz.presets import PRESETS
from kdviz.spec import RunSpec

# A sweep is a question, chosen by no comparison on validation images.
RECORDED = [(name, held_out) for name, preset in PRESETS.items() for held_out in (False, True) if not (preset.sweep and held_out)]
BOTH = pytest.mark.parametrize(("name", "on_validation"), RECORDED)
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8}
ROW = ("condition", "student", "temperature", "soft_weight", "fraction", "seed")
MEASURED = ("accuracy", "errors", "agreement", "kl")


def record(name: str, on_validation: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    content = presets.record(name, on_validation)
    return content, content["result"]


def test_each_record_belongs_to_a_preset() -> None:
    files = {f"{name}{'.validation' if held_out else ''}.json" for name, held_out in RECORDED}
    assert {file.name for file in presets.RECORDS.iterdir()} == files


def test_presets_differ() -> None:
    assert len({preset.spec for preset in PRESETS.values()}) == len({preset.title for preset in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_reason_has_the_fields_that_the_page_fills(name: str) -> None:
    reason = PRESETS[name].reason
    assert not PRESETS[name].sweep or ("?" in reason and "{" not in reason)  # a question, and no answer with it
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
    if counted := re.search(r"from (\d+) images to ([\d,]*\d)", reason):
        fewest = answers.transfer_set(PRESETS[name].spec, data.load(PRESETS[name].spec.dataset), min(PRESETS[name].spec.fraction))
        assert (int(counted[1]), counted[2]) == (round(len(fewest), -1), f"{seen:,}")


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.sweep])
def test_reason_of_a_sweep_counts_its_values(name: str) -> None:
    asked, found = PRESETS[name].spec, 0
    there = {"temperatures": len(asked.temperature), "widths": len(asked.student), "seeds": asked.seeds}
    for word, what in re.findall(r"(\w+) (temperatures|widths|seeds)", PRESETS[name].reason):
        assert NUMBERS[word.lower()] == there[what]
        found += 1
    if weights := re.search(r"hard labels weigh ([\d.]+), the soft targets from ([\d.]+) to ([\d.]+\d|\d)", PRESETS[name].reason):
        assert tuple(map(float, weights.groups())) == (asked.hard_weight, min(asked.soft_weight), max(asked.soft_weight))
        found += 1
    assert found


@BOTH
def test_record_is_of_the_preset(name: str, on_validation: bool) -> None:
    content, result = record(name, on_validation)
    wanted = replace(PRESETS[name].spec, evaluate_on="validation") if on_validation else PRESETS[name].spec
    assert RunSpec.from_dict(result["spec"]) == wanted
    assert set(result["spec"]) >= set(spec.KNOBS) - {"conditions", "control_learning_rate", "loss"}  # those came later
    assert set(content["made"]) >= {"date", "machine", "cores", "versions"}
    assert set(content["made"]["versions"]) >= {"kdviz", "torch", "python"}


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
    asked = RunSpec.from_dict(result["spec"])
    students, known = asked.students, data.source(asked.dataset)
    rows = [tuple(row[key] for key in ROW) for row in result["students"]]
    assert rows == [tuple({**vars(student), "student": student.network}[key] for key in ROW) for student in students]
    judged: dict[int, list[dict[str, Any]]] = {number: [] for number in range(len(students))}
    for point in content["points"]:
        judged[point["student"]].append(point)
    networks = {network: models.architecture(network, known.shape, len(known.class_names)) for network in asked.student}
    together = strategy.stacks(students, networks)
    assert len(together) == result["settings"]["programs"]
    for numbers, evaluations in zip(together, result["settings"]["evaluations"], strict=True):
        fraction, images = students[numbers[0]].fraction, result["settings"]["transfer_images"]
        if fraction != max(asked.fraction):
            images = len(answers.transfer_set(asked, data.load(asked.dataset), fraction))
        _, last = train.steps_of(images, asked.batch_size, asked.epochs)
        for number in numbers:
            assert [point["step"] for point in judged[number]] == train.evaluation_steps(last, evaluations)
            end, row = judged[number][-1], result["students"][number]
            assert {key: end[key] for key in MEASURED} == pytest.approx({key: row[key] for key in MEASURED}, rel=1e-5)  # rounded


@BOTH
def test_verdict_follows_from_the_record(name: str, on_validation: bool) -> None:
    _, result = record(name, on_validation)
    asked = RunSpec.from_dict(result["spec"])
    accuracies = np.array([row["accuracy"] for row in result["students"]])
    for setting, comparison in zip(asked.settings, result["comparisons"], strict=True):
        assert {key: comparison.get(key, "right") for key in setting._asdict()} == setting._asdict()
        distilled, control = asked.compared(setting)
        differences = accuracies[distilled] - accuracies[control]
        assert comparison["mean"] == pytest.approx(differences.mean(), abs=1e-9)
        assert (comparison["seeds"], comparison["seeds_better"]) == (asked.seeds, int((differences > 1e-9).sum()))
        low, high = comparison["low"], comparison["high"]
        assert low < comparison["mean"] < high or not differences.any()
        assert comparison["verdict"] == ("helps" if low > 0 else "harms" if high < 0 else "no visible difference")
        # The interval is at least as wide as Student's t over the seeds alone.
        over_seeds = stdtrit(len(differences) - 1, 0.975) * differences.std(ddof=1) / np.sqrt(len(differences))
        assert (high - low) / 2 >= over_seeds * (1 - 1e-9)


@BOTH
def test_records_are_plain_json(name: str, on_validation: bool) -> None:
    json.dumps(presets.record(name, on_validation), allow_nan=False)
