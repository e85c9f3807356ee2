"""Every knob says no in one sentence; a spec survives JSON, and its id names its settings."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz import spec
from kdviz.errors import InvalidValue, UnknownName, UserError
from kdviz.spec import APART, CONDITIONS, EVERY_RUN, FURTHER, GRID, KNOBS, LABELS_ALONE, MAX_STUDENTS, RunSpec, TeacherSpec

NUMBERS = [name for name, knob in KNOBS.items() if knob.metadata["low"] is not None]
WHOLE = ["seeds", "epochs", "batch_size", "classes_left_out"]
LISTS = ["temperature", "classes_left_out", "soft_weight", "fraction"]
CHOICES = [name for name, knob in KNOBS.items() if knob.metadata["choices"]]

# A value of each knob that is not its default for any dataset.
OTHER: dict[str, Any] = {
    "dataset": "mnist",
    "teacher": "linear",
    "student": ("mlp-17", "linear"),
    "temperature": (3.5, 7.0),
    "soft_weight": (0.37,),
    "hard_weight": 0.41,
    "loss": ("right", "no_t_squared"),
    "conditions": ("hard_labels", "distilled", "label_smoothing"),
    "seeds": 3,
    "epochs": 7,
    "batch_size": 19,
    "learning_rate": 0.0123,
    "control_learning_rate": 0.0234,
    "optimizer": "sgd",
    "schedule": "linear",
    "fraction": (0.21, 0.5),
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
    student=st.lists(st.sampled_from(["linear", "cnn", "mlp-3", "mlp-30-30"]), min_size=1, max_size=2),
    temperature=st.lists(st.floats(0.05, 100), min_size=1, max_size=3),
    soft_weight=st.lists(st.floats(0.01, 1000), min_size=1, max_size=3),
    hard_weight=st.floats(0, 1000),
    seeds=st.integers(1, 2),
    epochs=st.integers(1, 1000),
    batch_size=st.integers(1, 4096),
    learning_rate=st.floats(1e-6, 10),
    optimizer=st.sampled_from(["adam", "sgd"]),
    schedule=st.sampled_from(["constant", "linear"]),
    fraction=st.lists(st.floats(0.001, 1), min_size=1, max_size=2),
    classes_left_out=st.sets(st.integers(0, 9), max_size=9).map(tuple),
    evaluate_on=st.sampled_from(["test", "validation"]),
    conditions=st.sets(st.sampled_from(FURTHER)).map(lambda further: (*sorted(further), "distilled", "hard_labels")),
    loss=st.sampled_from([("right",), ("no_t_squared",), ("right", "mse_of_softmaxes")]),
    control_learning_rate=st.none() | st.floats(1e-6, 10),
)


@given(specs)
def test_json_and_back_is_the_same_spec_with_the_same_id(built: RunSpec) -> None:
    again = RunSpec.from_dict(json.loads(built.to_json()))
    assert again == built
    assert again.id == built.id
    assert list(built.to_dict()) == list(KNOBS)


def test_a_value_alone_is_a_list_of_one_and_stands_alone_in_json() -> None:
    alone = {"student": "linear", "temperature": 3.0, "soft_weight": 0.5, "fraction": 0.25}
    single = RunSpec.from_dict(alone)
    assert (single.student, single.temperature, single.soft_weight, single.fraction) == (("linear",), (3.0,), (0.5,), (0.25,))
    assert single == RunSpec.from_dict({name: [value] for name, value in alone.items()})
    assert {name: single.to_dict()[name] for name in alone} == alone | {"temperature": [3.0]}
    several = {"student": ["linear", "mlp-3"], "soft_weight": [0.5, 1.0], "fraction": [0.25, 1.0], "temperature": [3.0, 1.0]}
    listed = RunSpec.from_dict(several).to_dict()
    assert {name: listed[name] for name in several} == several


def test_a_value_given_twice_is_trained_once() -> None:
    built = RunSpec.from_dict({"student": ["linear", "linear"], "soft_weight": [1, "1.0"], "fraction": [1, 0.5, 1.0]})
    assert (built.student, built.soft_weight, built.fraction) == (("linear",), (1.0,), (1.0, 0.5))


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
        assert vars(built) == spec.defaults(dataset)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "hot", "", "4,5", True, False, None, {}, 10**400, "a\nb"])
def test_what_is_no_number_is_refused_in_one_sentence(name: str, value: object) -> None:
    if value is None and KNOBS[name].default is None:
        assert getattr(with_value(name, value), name) is None  # may be left out
        return
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
    assert sentence.startswith(f"unknown {name.replace('_', ' ')} ") and "\n" not in sentence
    assert len(sentence) < 110 + len(", ".join(KNOBS[name].metadata["choices"]))


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
        *(({name: []}, "got none") for name in ("temperature", "student", "soft_weight", "fraction", "conditions", "loss")),
        ({"loss": "averaged_logits_for_probabilities"}, "needs a teacher of several members, such as cnn-x5, got 'cnn'"),
        ({"conditions": ["distilled", "label_smoothing"]}, "conditions must include hard_labels, got distilled, label_smoothing"),
        ({"temperature": [4, 0]}, "got '0'"),
        ({"classes_left_out": [10]}, "from 0 to 9 in digits, got 10"),
        ({"classes_left_out": list(range(10))}, "at least one class"),
        ({"soft_weight": 0, "hard_weight": 0}, "not both be 0"),
        ({"soft_weight": [1, 0], "hard_weight": 0}, "not both be 0"),
        ({"fraction": [1, 0]}, "got '0'"),
        (
            {"seeds": 32, "temperature": [1, 2, 4, 8], "fraction": [0.5, 1], "student": ["linear", "mlp-3", "mlp-4", "mlp-5"]},
            f"at most {MAX_STUDENTS} students at once, got 1280",
        ),
        ({"seeds": 32, "student": ["mlp-4096-4096"]}, "need 17 GB of memory, a run takes at most 4"),
    ],
)
def test_knobs_that_do_not_go_together_are_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        RunSpec.from_dict(values)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_as_many_students_as_allowed_are_allowed() -> None:
    spec = RunSpec(seeds=32, temperature=(1, 2, 4), fraction=(0.1, 0.2, 0.5, 1), student=("linear", "mlp-3"))
    assert len(spec.students) == MAX_STUDENTS == 1024


@given(specs)
def test_students_stand_control_first_and_seeds_in_order(built: RunSpec) -> None:
    seeds = list(range(built.seeds))
    expected: list[tuple[Any, ...]] = []
    for network in built.student:
        for fraction in built.fraction:
            expected += [("hard_labels", None, seed, 0.0, 1.0, network, fraction, "right") for seed in seeds]
            for condition in built.conditions[1:]:
                for T in built.temperature:
                    if condition == "confidence_weighted":
                        expected += [(condition, T, seed, 0.0, 1.0, network, fraction, "right") for seed in seeds]
                        continue
                    losses = built.loss if condition == "distilled" else ("right",)
                    for weight, loss in itertools.product(built.soft_weight, losses):
                        own = (weight, built.hard_weight, network, fraction, loss)
                        expected += [(condition, T, seed, *own) for seed in seeds]
    names = ("condition", "temperature", "seed", "soft_weight", "hard_weight", "network", "fraction", "loss")
    got = [tuple(getattr(student, name) for name in names) for student in built.students]
    assert got == expected and len(set(got)) == len(got)
    for s in built.students:
        assert s.learning_rate == (built.control_learning_rate if s.condition in LABELS_ALONE else None)
        assert s.emphasis == (built.temperature.index(s.temperature) if s.condition == "confidence_weighted" else None)
        learned = built.answers[s.targets]
        assert learned.condition == (s.condition if s.condition in FURTHER and s.soft_weight else "distilled")
        assert learned.temperature in (None, s.temperature)


def test_conditions_stand_in_one_order_however_they_were_given() -> None:
    built = RunSpec.from_dict({"conditions": ["label_smoothing", "distilled", "hard_labels", "distilled"]})
    assert built.conditions == ("hard_labels", "distilled", "label_smoothing") and built.conditions == tuple(
        condition for condition in CONDITIONS if condition in built.conditions
    )
    assert RunSpec().conditions == EVERY_RUN


@given(specs)
def test_members_of_a_condition_are_its_students_by_seed(built: RunSpec) -> None:
    students, named = built.students, set()
    for setting in built.settings:
        for condition in built.conditions:
            numbers = built.members(condition, setting)
            named |= set(numbers)
            assert [students[n].seed for n in numbers] == list(range(built.seeds))
            for n in numbers:
                assert (students[n].condition, students[n].network, students[n].fraction) == (condition, *setting[:2])
                assert students[n].temperature in (setting.temperature, None)
                assert students[n].soft_weight == (0.0 if condition in LABELS_ALONE else setting.soft_weight)
    assert named == set(range(len(students)))


@given(specs)
def test_every_setting_is_compared_with_the_controls_of_its_network_and_fraction(built: RunSpec) -> None:
    settings, students = built.settings, built.students
    cells = math.prod(len(getattr(built, name)) for name in GRID)
    assert len(set(settings)) == len(settings) == cells
    judged = []
    for setting in settings:
        distilled, control = built.compared(setting)
        assert [students[n].seed for n in distilled] == [students[n].seed for n in control] == list(range(built.seeds))
        assert {students[n].condition for n in control} == {"hard_labels"}
        assert {(students[n].temperature, students[n].soft_weight, students[n].loss) for n in distilled} == {
            (setting.temperature, setting.soft_weight, setting.loss)
        }
        assert {(students[n].network, students[n].fraction) for n in (*distilled, *control)} == {
            (setting.student, setting.fraction)
        }
        judged += distilled
    assert sorted(judged) == [n for n, student in enumerate(students) if student.condition == "distilled"]


def test_the_knobs_with_several_values_make_a_sweep() -> None:
    assert RunSpec().swept == []
    assert RunSpec(temperature=(1, 4)).swept == ["temperature"]
    everything = RunSpec(temperature=(1, 4), student=("linear", "mlp-3"), soft_weight=(0.5, 1), fraction=(0.1, 1), seeds=1)
    assert set(everything.swept) == {"temperature", "student", "soft_weight", "fraction"}
    assert RunSpec(classes_left_out=(1, 2)).swept == []
    assert RunSpec(loss=("right", "no_t_squared")).swept == ["loss"]


def test_an_ensembles_students_learn_from_its_averaged_probabilities_and_by_mistake_from_its_averaged_logits() -> None:
    averaged = "averaged_logits_for_probabilities"
    built = RunSpec(teacher="cnn-x5", temperature=(2, 8), loss=("right", averaged), conditions=(*EVERY_RUN, *APART), seeds=1)
    for student in built.students:
        learned = built.answers[student.targets]
        if student.condition == "distilled":
            assert learned == ("distilled", None if student.loss == averaged else student.temperature)
        elif student.condition in ("permuted_non_targets", "label_smoothing"):
            assert learned == (student.condition, student.temperature)
        elif student.condition == "random_teacher":
            assert learned == ("random_teacher", None)


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


# The link


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(specs, st.sampled_from(["digits", "mnist", "cifar10"]), texts, st.sampled_from(["auto", "fp32", "bf16"]))
def test_a_link_says_the_whole_spec(built: RunSpec, dataset: str, teacher: str, precision: str) -> None:
    asked = dataclasses.replace(built, dataset=dataset, teacher=teacher, precision=precision)
    address = urlencode(asked.to_query())
    assert RunSpec.from_query(dict(parse_qsl(address, strict_parsing=True))) == (asked, [])


@given(st.sampled_from(["digits", "mnist"]), st.sampled_from(["linear", "mlp-8-x5"]), st.none() | st.integers(1, 10_000))
def test_a_link_says_the_whole_training_of_a_teacher(dataset: str, network: str, epochs: int | None) -> None:
    asked = TeacherSpec(dataset, network, epochs, seed=epochs or 0)
    assert TeacherSpec.from_query(asked.to_query(), lambda dataset: "linear") == (asked, [])


def test_a_link_is_short_and_readable() -> None:
    asked = RunSpec.from_dict({"dataset": "mnist", "temperature": [1, 4, 16], "seeds": 3, "learning_rate": 0.002})
    assert asked.to_query() == {"dataset": "mnist", "temperature": "1,4,16", "seeds": "3", "learning_rate": "0.002"}
    assert RunSpec().to_query() == {"dataset": "digits"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset", "nope"), ("student", "mlp-99999999"), ("student", "mlp-" + "9" * 10_000), ("temperature", "1,1e9"),
        ("temperature", ""), ("seeds", "1e12"), ("epochs", "-1"), ("learning_rate", "nan"), ("hard_weight", "inf"),
        ("optimizer", "x" * 10_000), ("fraction", "2"), ("classes_left_out", "0,10"), ("precision", "<script>"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_link_is_one_sentence_and_the_rest_is_followed(name: str, text: str) -> None:
    asked, problems = RunSpec.from_query({"schedule": "linear", name: text, "batch_size": "7", "unheard": "of"})
    assert len(problems) == 1
    assert len(str(problems[0])) < 400
    assert asked == RunSpec(schedule="linear", batch_size=7)


def test_what_is_too_much_together_is_one_sentence_and_the_rest_is_followed() -> None:
    many = ",".join(map(str, range(1, 101)))
    asked, problems = RunSpec.from_query({"temperature": many, "seeds": "32", "epochs": "7"})
    assert ["1024" in str(problem) for problem in problems] == [True]
    assert asked == RunSpec(temperature=tuple(map(float, range(1, 101))), epochs=7)
    # What fits only with the others that are right is followed with them.
    many = ",".join(map(str, [T / 10 for T in range(1, 501)]))
    asked, problems = RunSpec.from_query({"temperature": many, "seeds": "1", "optimizer": "none"})
    assert (len(problems), len(asked.temperature), asked.seeds) == (1, 500, 1)
