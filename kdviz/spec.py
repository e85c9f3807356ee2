"""RunSpec: everything a run depends on, each knob once, with its default, range and unit.

The command line's options, the page's widgets, the JSON in the store and the link are all made from this one table, and all
are validated by it. Knows neither torch nor pages.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kdviz import data, models
from kdviz.errors import InvalidValue, UnknownName, quoted
from kdviz.i18n import N_, Message
from kdviz.soft_targets import TEMPERATURE_RANGE, check_temperature

Condition = Literal["distilled", "hard_labels"]
MAX_STUDENTS = 128


def knob(
    default: Any,
    label: str,
    help: str,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    by_dataset: Mapping[str, Any] | None = None,
) -> Any:
    """Declare a field of RunSpec.

    low, high: the allowed range, both included; choices: the allowed names, if fixed; by_dataset: defaults that differ from
    `default`, which is that of digits.
    """
    meta = dict(label=label, help=help, low=low, high=high, unit=unit, choices=choices, by_dataset=by_dataset or {})
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Student:
    """One student of a run: `temperature` is None for a student that never sees the teacher."""

    condition: Condition
    temperature: float | None
    seed: int
    soft_weight: float
    hard_weight: float


@dataclass(frozen=True)
class RunSpec:
    """What a run trains and compares. Construction validates: UnknownName or InvalidValue, one sentence each."""

    dataset: str = knob("digits", N_("Dataset"), N_("the images"), choices=tuple(data.SOURCES))
    teacher: str = knob("cnn", N_("Teacher"), N_("a trained network of this dataset"))
    student: str = knob("mlp-30-30", N_("Student"), N_("linear, mlp-A-B (hidden layers of A and B units) or cnn"))
    temperature: tuple[float, ...] = knob(
        (4.0,), N_("Temperature T"), N_("how far the teacher's answer is softened; a list trains a student for each"),
        *TEMPERATURE_RANGE,
    )  # fmt: skip
    soft_weight: float = knob(
        1.0, N_("Weight of the soft targets"), N_("multiplies the soft term, which carries its T²"), 0, 1000
    )
    hard_weight: float = knob(
        0.1, N_("Weight of the hard labels"), N_("multiplies the hard term of the distilled student"), 0, 1000
    )
    seeds: int = knob(5, N_("Seeds"), N_("students of each condition; a difference needs at least two"), 1, 32)
    epochs: int = knob(100, N_("Epochs"), N_("passes over the transfer set"), 1, 1000, by_dataset={"mnist": 10})
    batch_size: int = knob(32, N_("Batch size"), N_("images of one step"), 1, 4096, unit=N_("images"), by_dataset={"mnist": 128})
    learning_rate: float = knob(0.001, N_("Learning rate"), N_("step size of the optimizer, the same for all"), 1e-6, 10)
    optimizer: str = knob("adam", N_("Optimizer"), N_("how the weights are updated"), choices=("adam", "sgd"))
    fraction: float = knob(
        1.0, N_("Fraction of the images"), N_("share of the training images that students see, every class in proportion"),
        0.001, 1,
    )  # fmt: skip
    classes_left_out: tuple[int, ...] = knob(
        (), N_("Classes left out"), N_("classes whose images no student sees, by number"), 0, 999
    )
    evaluate_on: str = knob(
        "test", N_("Evaluate on"),
        N_("test images, or validation images held out of the training images: choose settings on these"),
        choices=("test", "validation"),
    )  # fmt: skip
    precision: str = knob("auto", N_("Precision"), N_("arithmetic of the training step"), choices=("auto", "fp32", "bf16"))

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _validated(f, getattr(self, f.name)))
        known = data.source(self.dataset)
        models.architecture(self.student, known.shape, len(known.class_names))
        left = set(range(len(known.class_names))) - set(self.classes_left_out)
        for wrong in set(self.classes_left_out) - set(range(len(known.class_names))):
            raise InvalidValue(
                N_("classes left out must be from 0 to {last} in {dataset}, got {value}"),
                last=len(known.class_names) - 1, dataset=self.dataset, value=wrong,
            )  # fmt: skip
        if not left:
            raise InvalidValue(N_("classes left out must leave at least one class, got all of them"))
        if self.soft_weight == 0 and self.hard_weight == 0:
            raise InvalidValue(N_("soft weight and hard weight must not both be 0: the distilled student would learn nothing"))
        if len(self.students) > MAX_STUDENTS:
            raise InvalidValue(
                N_("a run trains at most {most} students at once, got {asked}: use fewer seeds or temperatures"),
                most=MAX_STUDENTS,
                asked=len(self.students),
            )

    @property
    def students(self) -> list[Student]:
        """Every student of the run, control first, seeds within a condition: the order of all stacked arrays."""
        control = [Student("hard_labels", None, seed, 0.0, 1.0) for seed in range(self.seeds)]
        return control + [
            Student("distilled", T, seed, self.soft_weight, self.hard_weight)
            for T in self.temperature
            for seed in range(self.seeds)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the fields."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def to_json(self) -> str:
        return json.dumps(self.to_dict())

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name these settings."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """Build a spec from JSON values; what is absent takes its dataset's default. Raises UnknownName for an unknown knob."""
        for name in values:
            if name not in KNOBS:
                raise UnknownName(N_("unknown setting {name}; known: {known}"), name=quoted(name, 80), known=list(KNOBS))
        return cls(**{**defaults(values.get("dataset", "digits")), **values})


KNOBS = {f.name: f for f in dataclasses.fields(RunSpec)}


def defaults(dataset: Any) -> dict[str, Any]:
    """Return every knob's default for a dataset."""
    chosen = {name: f.metadata["by_dataset"].get(str(dataset), f.default) for name, f in KNOBS.items()}
    return {**chosen, "dataset": dataset}


def _validated(f: dataclasses.Field[Any], value: Any) -> Any:
    """Return a knob's value in its own type. Raises InvalidValue or UnknownName, the value and the range in the sentence."""
    meta, name = f.metadata, Message(f.name.replace("_", " "), f.metadata["label"])
    if f.name == "temperature":
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values:
            raise InvalidValue(N_("temperature must be one number or several, got none"))
        return tuple(dict.fromkeys(check_temperature(T) for T in values))
    if f.name == "classes_left_out":
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple(sorted({_number(name, v, meta["low"], meta["high"], whole=True) for v in values}))
    if isinstance(f.default, str):
        if meta["choices"] and value not in meta["choices"]:
            raise UnknownName(
                N_("unknown {knob} {name}; known: {known}"), knob=name, name=quoted(value, 80), known=list(meta["choices"])
            )
        return str(value)
    return _number(name, value, meta["low"], meta["high"], whole=isinstance(f.default, int))


def _number(name: Message, value: Any, low: float, high: float, whole: bool) -> Any:
    """Return value as an int (whole) or a float within low..high. Raises InvalidValue."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high or (whole and number != int(number)) or isinstance(value, bool):
        sentence = N_("{knob} must be a number from {low:g} to {high:g}, got {value}")
        if whole:
            sentence = N_("{knob} must be a whole number from {low:g} to {high:g}, got {value}")
        raise InvalidValue(sentence, knob=name, low=low, high=high, value=quoted(value, 40))
    return int(number) if whole else number
