"""Every knob says no in one sentence; a spec survives JSON, and its id names its settings."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import spec
from kdviz.errors import InvalidValue, UnknownName, UserError
from kdviz.spec import KNOBS, MAX_STUDENTS, RunSpec

NUMBERS = [name for name, knob in KNOBS.items() if knob.metadata["low"] is not None]
WHOLE = ["seeds", "epochs", "batch_size", "classes_left_out"]
LISTS = ["temperature", "classes_left_out"]
CHOICES = [name for name, knob in KNOBS.items() if knob.metadata["choices"]]

# A value of each knob that is not its default for any dataset.
OTHER: dict[str, Any] = {
    "dataset": "mnist",
    "teacher": "linear",
    "student": "mlp-17",
    "temperature": (3.5, 7.0),
    "soft_weight": 0.37,
    "hard_weight": 0.41,
    "seeds": 3,
    "epochs": 7,
    "batch_size": 19,
    "learning_rate": 0.0123,
    "optimizer": "sgd",
    "fraction": 0.21,
    "classes_left_out": (3,),
    "evaluate_on": "validation",
    "precision": "fp32",
}


def with_value(name: str, value: object) -> RunSpec:
    return RunSpec.from_dict({name: value})


def test_every_knob_is_tested_here() -> None:
    assert set(OTHER) == set(KNOBS)
    assert {name for name in NUMBERS if name in WHOLE} == set(WHOLE)


specs = st.builds(
    RunSpec,
    student=st.sampled_from(["linear", "cnn", "mlp-3", "mlp-30-30"]),
    temperature=st.lists(st.floats(0.05, 100), min_size=1, max_size=3),
    soft_weight=st.floats(0.01, 1000),
    hard_weight=st.floats(0, 1000),
    seeds=st.integers(1, 32),
    epochs=st.integers(1, 1000),
    batch_size=st.integers(1, 4096),
    learning_rate=st.floats(1e-6, 10),
    optimizer=st.sampled_from(["adam", "sgd"]),
    fraction=st.floats(0.001, 1),
    classes_left_out=st.sets(st.integers(0, 9), max_size=9).map(tuple),
    evaluate_on=st.sampled_from(["test", "validation"]),
)


@given(specs)
def test_json_and_back_is_the_same_spec_with_the_same_id(built: RunSpec) -> None:
    again = RunSpec.from_dict(json.loads(built.to_json()))
    assert again == built
    assert again.id == built.id
    assert list(built.to_dict()) == list(KNOBS)


@pytest.mark.parametrize("name", list(KNOBS))
def test_a_knob_that_differs_makes_another_id(name: str) -> None:
    plain = RunSpec.from_dict({})
    other = dataclasses.replace(plain, **{name: OTHER[name]})
    assert getattr(other, name) == OTHER[name] != getattr(plain, name)
    assert other.id != plain.id
    assert with_value(name, OTHER[name]).id == with_value(name, OTHER[name]).id


def test_an_id_is_twelve_hexadecimal_digits_and_does_not_depend_on_how_a_value_was_written() -> None:
    written = [
        {"temperature": 4, "seeds": "3", "hard_weight": 1, "classes_left_out": ["8", 1]},
        {"temperature": ["4.0", 4], "seeds": 3.0, "hard_weight": "1.0", "classes_left_out": (1, 8, 8)},
    ]
    first, second = (RunSpec.from_dict(values) for values in written)
    assert first == second and first.id == second.id
    assert len(first.id) == 12 and int(first.id, 16) >= 0


def test_what_is_absent_takes_the_datasets_default() -> None:
    for dataset in KNOBS["dataset"].metadata["choices"]:
        built = RunSpec.from_dict({"dataset": dataset})
        assert built.to_dict() == json.loads(json.dumps(spec.defaults(dataset)))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "hot", "", "4,5", True, False, None, {}, 10**400, "a\nb"])
def test_what_is_no_number_is_refused_in_one_sentence(name: str, value: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        with_value(name, value)
    sentence = str(caught.value)
    assert sentence.startswith(f"{name.replace('_', ' ')} must be a")
    assert repr(str(value))[:20] in sentence or len(str(value)) > 40
    assert f"{KNOBS[name].metadata['low']:g}" in sentence and f"{KNOBS[name].metadata['high']:g}" in sentence
    assert "\n" not in sentence and len(sentence) < 160


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_outside_its_range_is_refused_and_the_ends_are_not(name: str) -> None:
    low, high = KNOBS[name].metadata["low"], KNOBS[name].metadata["high"]
    step = 1 if name in WHOLE else (high - low) * 1e-9
    for wrong in (low - step, high + step, -1e9, 1e9):
        with pytest.raises(InvalidValue) as caught:
            with_value(name, wrong)
        assert str(wrong)[:6] in str(caught.value)
    for right in (low, high if name != "classes_left_out" else 9):
        built = getattr(with_value(name, right), name)
        assert built == ((right,) if name in LISTS else right)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [1.5, "2.5", 1e-9])
def test_a_part_of_a_whole_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match="a whole number from"):
        with_value(name, value)


@pytest.mark.parametrize(("name", "value"), [("seeds", 0), ("epochs", 1e9), ("epochs", 0), ("batch_size", -4), ("fraction", 0)])
def test_a_mistake_people_make_shows_what_came(name: str, value: float) -> None:
    with pytest.raises(InvalidValue) as caught:
        with_value(name, value)
    assert str(caught.value).endswith(f"got '{value}'")


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["", "resnet", "Digits ", True, None, 3, 1e9, math.nan, ["adam"], "x" * 1000, "a\nb"])
def test_an_unknown_name_lists_the_known_ones(name: str, value: object) -> None:
    with pytest.raises(UnknownName) as caught:
        with_value(name, value)
    sentence = str(caught.value)
    assert all(known in sentence for known in KNOBS[name].metadata["choices"])
    assert sentence.startswith(f"unknown {name.replace('_', ' ')} ") and "\n" not in sentence and len(sentence) < 250


@pytest.mark.parametrize("value", ["", "mlp-0", "mlp-", "mlp-5000", "resnet", True, None, math.nan, 1e9])
def test_an_unknown_student_lists_the_known_ones(value: object) -> None:
    with pytest.raises(UnknownName, match=r"linear.*mlp-A-B.*cnn"):
        with_value("student", value)


def test_a_knob_that_is_none_is_named_beside_those_that_are() -> None:
    with pytest.raises(UnknownName) as caught:
        RunSpec.from_dict({"temprature": 4})
    assert "'temprature'" in str(caught.value) and all(name in str(caught.value) for name in KNOBS)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"temperature": []}, "got none"),
        ({"temperature": [4, 0]}, "got '0'"),
        ({"classes_left_out": [10]}, "from 0 to 9 in digits, got 10"),
        ({"classes_left_out": list(range(10))}, "at least one class"),
        ({"soft_weight": 0, "hard_weight": 0}, "not both be 0"),
        ({"seeds": 32, "temperature": [1, 2, 4, 8]}, f"at most {MAX_STUDENTS} students at once, got 160"),
    ],
)
def test_knobs_that_do_not_go_together_are_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        RunSpec.from_dict(values)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_as_many_students_as_allowed_are_allowed() -> None:
    assert len(RunSpec(seeds=32, temperature=(1, 2, 4)).students) == MAX_STUDENTS == 128


@given(specs)
def test_students_stand_control_first_and_seeds_in_order(built: RunSpec) -> None:
    seeds = list(range(built.seeds))
    control, distilled = built.students[: built.seeds], built.students[built.seeds :]
    assert [(s.condition, s.temperature, s.seed, s.soft_weight, s.hard_weight) for s in control] == [
        ("hard_labels", None, seed, 0.0, 1.0) for seed in seeds
    ]
    assert [(s.condition, s.temperature, s.seed) for s in distilled] == [
        ("distilled", T, seed) for T in built.temperature for seed in seeds
    ]
    assert {(s.soft_weight, s.hard_weight) for s in distilled} == {(built.soft_weight, built.hard_weight)}
    assert len(set(built.temperature)) == len(built.temperature)


anything = st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.lists(st.text()), st.none())


@given(st.sampled_from(list(KNOBS)), anything)
def test_no_value_of_any_knob_gives_anything_but_a_spec_or_one_sentence(name: str, value: object) -> None:
    refused, built = "one sentence", None
    try:
        built = with_value(name, value)
    except UserError as error:
        refused = str(error)
    assert len(refused.splitlines()) == 1
    assert built is None or RunSpec.from_dict(json.loads(built.to_json())) == built
