"""RunSpec: everything a run depends on, each knob once, with its default, range and unit; TeacherSpec: of a teacher's training.

The command line's options, the page's widgets, the JSON in the store and the link are all made from this one table, and all
are validated by it. Knows neither torch nor pages.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

from kdviz import data, models
from kdviz.errors import InvalidValue, UnknownName, UserError, quoted
from kdviz.i18n import N_, Message
from kdviz.soft_targets import TEMPERATURE_RANGE, check_temperature

Spec = TypeVar("Spec")
Condition = Literal["distilled", "hard_labels"]
GRID = ("temperature", "student", "soft_weight", "fraction")
SELDOM_LISTS = ("student", "soft_weight", "fraction")
MAX_STUDENTS = 1024
MAX_BYTES = 4_000_000_000
TEACHER, MAX_MEMBERS = "teacher", 10
OWN, OWN_TEACHER = "own", "cnn-32-64-64"
"""The key of `by_dataset` for all datasets made of somebody's folder; and the network of which a teacher is trained there."""


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
    """One student of a run.

    temperature: None for a student that never sees the teacher; network: its name; fraction: of the transfer set that it sees;
    learning_rate: its own, None for that of everybody; targets: which of several teachers' answers it learns from.
    """

    condition: Condition
    temperature: float | None
    seed: int
    soft_weight: float
    hard_weight: float
    network: str = ""
    fraction: float = 1.0
    learning_rate: float | None = None
    targets: int = 0


class Setting(NamedTuple):
    """One cell of a run's grid: what distilled students of all seeds share. Its control has the same network and fraction."""

    student: str
    fraction: float
    temperature: float
    soft_weight: float


@dataclass(frozen=True)
class RunSpec:
    """What a run trains and compares. Construction validates: UnknownName or InvalidValue, one sentence each."""

    dataset: str = knob("digits", N_("Dataset"), N_("the images"))
    teacher: str = knob(
        "cnn", N_("Teacher"), N_("a trained network of this dataset"),
        by_dataset={"street": "cnn-16-32-32", "fashion-mnist": OWN_TEACHER, "cifar10": "cnn-64-256-256", OWN: OWN_TEACHER},
    )  # fmt: skip
    student: tuple[str, ...] = knob(
        ("mlp-30-30",), N_("Student"),
        N_("linear, mlp-A-B (hidden layers of A and B units), cnn or cnn-A-B-C (blocks of convolutions); a list trains each"),
        by_dataset={"cifar10": ("cnn-16-32-32",), OWN: ("cnn-16-32-32",)},
    )  # fmt: skip
    temperature: tuple[float, ...] = knob(
        (4.0,), N_("Temperature T"), N_("how far the teacher's answer is softened; a list trains a student for each"),
        *TEMPERATURE_RANGE,
    )  # fmt: skip
    soft_weight: tuple[float, ...] = knob(
        (1.0,), N_("Weight of the soft targets"), N_("multiplies the soft term, which carries its T²; a list trains each"),
        0, 1000,
    )  # fmt: skip
    hard_weight: float = knob(
        0.1, N_("Weight of the hard labels"), N_("multiplies the hard term of the distilled student"), 0, 1000
    )
    seeds: int = knob(5, N_("Seeds"), N_("students of each condition; a difference needs at least two"), 1, 32)
    epochs: int = knob(
        100,
        N_("Epochs"),
        N_("passes over the transfer set"),
        1,
        1000,
        by_dataset={"mnist": 10, "street": 10, "fashion-mnist": 10, "cifar10": 10, OWN: 30},
    )
    batch_size: int = knob(
        32,
        N_("Batch size"),
        N_("images of one step"),
        1,
        4096,
        unit=N_("images"),
        by_dataset={"mnist": 128, "street": 128, "fashion-mnist": 128, "cifar10": 128},
    )
    learning_rate: float = knob(0.001, N_("Learning rate"), N_("step size of the optimizer, the same for all"), 1e-6, 10)
    optimizer: str = knob("adam", N_("Optimizer"), N_("how the weights are updated"), choices=("adam", "sgd"))
    schedule: str = knob(
        "constant", N_("Learning rate schedule"), N_("constant, or linear: falling evenly to 0 at the end"),
        choices=("constant", "linear"),
    )  # fmt: skip
    fraction: tuple[float, ...] = knob(
        (1.0,), N_("Fraction of the images"),
        N_("share of the training images that students see, every class in proportion; a list trains each"), 0.001, 1,
        by_dataset={"cifar10": (0.1,)},
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
        known = data.source(self.dataset)
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _validated(f, getattr(self, f.name)))
        networks = self.networks
        left = set(range(len(known.class_names))) - set(self.classes_left_out)
        for wrong in set(self.classes_left_out) - set(range(len(known.class_names))):
            raise InvalidValue(
                N_("classes left out must be from 0 to {last} in {dataset}, got {value}"),
                last=len(known.class_names) - 1, dataset=self.dataset, value=wrong,
            )  # fmt: skip
        if not left:
            raise InvalidValue(N_("classes left out must leave at least one class, got all of them"))
        if 0 in self.soft_weight and self.hard_weight == 0:
            raise InvalidValue(N_("soft weight and hard weight must not both be 0: the distilled student would learn nothing"))
        each = self.seeds * len(self.fraction) * (1 + len(self.temperature) * len(self.soft_weight))
        if each * len(networks) > MAX_STUDENTS:
            raise InvalidValue(
                N_("a run trains at most {most} students at once, got {asked}: use fewer seeds or fewer values in the lists"),
                most=MAX_STUDENTS, asked=each * len(networks),
            )  # fmt: skip
        needed = 4 * each * sum(network.bytes for network in networks.values())  # weights, gradients and two moments
        if needed > MAX_BYTES:
            raise InvalidValue(
                N_("these students need {asked:.0f} GB of memory, a run takes at most {most:.0f}: use fewer or smaller ones"),
                most=MAX_BYTES / 1e9, asked=needed / 1e9,
            )  # fmt: skip

    @property
    def networks(self) -> dict[str, models.Architecture]:
        """Every student's network for this dataset, by name. Raises UnknownName."""
        known = data.source(self.dataset)
        return {name: models.architecture(name, known.shape, len(known.class_names)) for name in self.student}

    @property
    def settings(self) -> list[Setting]:
        """Every cell of the grid, one comparison each."""
        return [Setting(*values) for values in itertools.product(self.student, self.fraction, self.temperature, self.soft_weight)]

    @property
    def students(self) -> list[Student]:
        """Every student of the run, in the order of all stacked arrays: each network on each fraction of the images, there
        the control first, then the temperatures, then the weights; seeds within a condition."""
        return list(_students(self))

    def compared(self, setting: Setting) -> tuple[list[int], list[int]]:
        """Return the numbers of a setting's distilled students and of their controls, both by seed."""
        members = _members(self)
        control = members[setting.student, setting.fraction, None, None]
        return list(members[tuple(setting)]), list(control)

    @property
    def swept(self) -> list[str]:
        """The knobs that make a run a sweep: those with several values."""
        return [name for name in GRID if len(getattr(self, name)) > 1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the fields; of a knob that is rarely a list, a single value stands alone."""
        return {
            name: value if not isinstance(value, tuple) else value[0] if name in SELDOM_LISTS and len(value) == 1 else list(value)
            for name, value in vars(self).items()
        }

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

    def to_query(self) -> dict[str, str]:
        """Return the link's texts: the dataset, and each knob that is not as its dataset has it by default; lists by commas."""
        usual = defaults(self.dataset)
        return {
            name: written(value) for name, value in vars(self).items() if name == "dataset" or value != usual[name]
        }  # fmt: skip

    @classmethod
    def from_query(cls, texts: Mapping[str, str]) -> tuple[RunSpec, list[UserError]]:
        """Return the spec that a link's texts say, and a sentence about each text that could not be followed.

        A text that is wrong, or is too much together with the others, is left out and its knob takes the default; all others
        are followed. Names that are no knob are passed over.
        """
        given = {name: read(name, text) for name, text in texts.items() if name in KNOBS}
        spec, problems = _followed(cls.from_dict, given)
        return spec or cls(), problems


KNOBS = {f.name: f for f in dataclasses.fields(RunSpec)}


@dataclass(frozen=True)
class TeacherSpec:
    """The training of a teacher, a run like any other. Construction validates, as RunSpec's does.

    epochs: None for those of the recipe (kdviz.teachers.recipe).
    """

    dataset: str = field(default="digits", metadata=KNOBS["dataset"].metadata)
    network: str = knob(
        "cnn", N_("Network"), N_("linear, mlp-A-B, cnn or cnn-A-B-C; -x5 behind it trains five that answer together"),
        by_dataset=KNOBS["teacher"].metadata["by_dataset"],
    )  # fmt: skip
    epochs: int | None = knob(None, N_("Epochs"), N_("passes over the training images; none for those of the recipe"), 1, 10_000)
    seed: int = knob(0, N_("Seed"), N_("decides initial weights, batches and what is drawn for regularisation"), 0, 2**31 - 100)

    def __post_init__(self) -> None:
        known = data.source(self.dataset)
        network, members = teacher_members(self.network)
        if not 1 <= members <= MAX_MEMBERS:
            raise InvalidValue(
                N_("members must be from {low} to {high}, got {value}"), low=1, high=MAX_MEMBERS, value=members
            )  # fmt: skip
        models.architecture(network, known.shape, len(known.class_names))
        for name in ("epochs", "seed"):
            meta, value = self.__dataclass_fields__[name].metadata, getattr(self, name)
            if value is not None:
                object.__setattr__(
                    self, name, _number(Message(name, meta["label"]), value, meta["low"], meta["high"], whole=True)
                )

    @property
    def name(self) -> str:
        """The name of the teacher that comes out."""
        return f"{self.dataset}-{self.network}"

    @property
    def architecture(self) -> models.Architecture:
        known = data.source(self.dataset)
        return models.architecture(teacher_members(self.network)[0], known.shape, len(known.class_names))

    @property
    def students(self) -> list[Student]:
        """The networks that are trained, the members of an ensemble by seed: hard labels teach them all."""
        network, members = teacher_members(self.network)
        return [Student("hard_labels", None, self.seed + member, 0.0, 1.0, network) for member in range(members)]

    def to_query(self) -> dict[str, str]:
        """Return the link's texts: dataset and network, epochs and seed where they are not as usual."""
        return {
            name: written(value)
            for name, value in vars(self).items()
            if name in ("dataset", "network") or value != self.__dataclass_fields__[name].default
        }

    @classmethod
    def from_query(cls, texts: Mapping[str, str], suited: Callable[[str], str]) -> tuple[TeacherSpec, list[UserError]]:
        """Return the spec that a link's texts say, as RunSpec's does. suited: gives the network of a dataset."""

        def built(values: Mapping[str, Any]) -> TeacherSpec:
            dataset = data.source(values.get("dataset", "digits")).name
            return cls(**{"dataset": dataset, "network": suited(dataset), **values})

        spec, problems = _followed(built, {name: text for name, text in texts.items() if name in cls.__dataclass_fields__})
        return spec or cls(), problems

    def to_dict(self) -> dict[str, Any]:
        return {"kind": TEACHER, **vars(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict())


def teacher_members(name: str) -> tuple[str, int]:
    """Return the network of a teacher's name and how many of them answer together: `cnn-x5` -> (`cnn`, 5)."""
    match = re.fullmatch(r"(.+)-x([0-9]{1,3})", str(name))
    return (match[1], int(match[2])) if match else (str(name), 1)


def from_dict(values: Mapping[str, Any]) -> RunSpec | TeacherSpec:
    """Build the spec of a run of either kind from JSON values."""
    if values.get("kind") == TEACHER:
        return TeacherSpec(**{name: value for name, value in values.items() if name != "kind"})
    return RunSpec.from_dict(values)


@lru_cache(maxsize=64)
def _students(spec: RunSpec) -> tuple[Student, ...]:
    seeds, students = range(spec.seeds), []
    for network, fraction in itertools.product(spec.student, spec.fraction):
        students += [Student("hard_labels", None, seed, 0.0, 1.0, network, fraction) for seed in seeds]
        for T, weight in itertools.product(spec.temperature, spec.soft_weight):
            students += [Student("distilled", T, seed, weight, spec.hard_weight, network, fraction) for seed in seeds]
    return tuple(students)


@lru_cache(maxsize=64)
def _members(spec: RunSpec) -> dict[tuple[Any, ...], list[int]]:
    """Return the numbers of the students of every condition: network, fraction, and temperature and weight or None twice."""
    members: dict[tuple[Any, ...], list[int]] = {}
    for number, s in enumerate(_students(spec)):
        weight = s.soft_weight if s.condition == "distilled" else None
        members.setdefault((s.network, s.fraction, s.temperature, weight), []).append(number)
    return members


def defaults(dataset: Any) -> dict[str, Any]:
    """Return every knob's default for a dataset."""
    group = OWN if data.OWN.fullmatch(str(dataset)) else str(dataset)
    chosen = {name: f.metadata["by_dataset"].get(group, f.default) for name, f in KNOBS.items()}
    return {**chosen, "dataset": dataset}


def read(name: str, text: str) -> Any:
    """Return what a person wrote for a knob, a list split at its commas; the spec validates it."""
    if not isinstance(KNOBS[name].default, tuple):
        return text
    return [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]


def written(value: Any) -> str:
    """Return a knob's value as text from which `read` and the spec make the same value again."""
    if isinstance(value, tuple):
        return ",".join(written(each) for each in value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _followed(build: Callable[[Mapping[str, Any]], Spec], given: Mapping[str, Any]) -> tuple[Spec | None, list[UserError]]:
    """Build a spec from the values that can be followed together; return it and what is wrong with each that cannot."""
    followed: dict[str, Any] = {}
    wrong: dict[str, UserError] = {}
    try:
        return build(given), []
    except UserError:
        spec = None
    while True:  # again while it helps: fewer seeds may make room for more temperatures
        before = len(followed)
        for name in [name for name in given if name not in followed]:
            try:
                spec = build({**followed, name: given[name]})
            except UserError as error:
                wrong[name] = error
            else:
                followed[name] = given[name]
        if len(followed) == before:
            return spec, [error for name, error in wrong.items() if name not in followed]


def _validated(f: dataclasses.Field[Any], value: Any) -> Any:
    """Return a knob's value in its own type. Raises InvalidValue or UnknownName, the value and the range in the sentence."""
    meta, name = f.metadata, Message(f.name.replace("_", " "), f.metadata["label"])
    if f.name in GRID:
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values:
            raise InvalidValue(N_("{knob} must be one value or several, got none"), knob=name)
        if f.name == "student":
            return tuple(dict.fromkeys(str(v) for v in values))
        if f.name == "temperature":
            return tuple(dict.fromkeys(check_temperature(T) for T in values))
        return tuple(dict.fromkeys(_number(name, v, meta["low"], meta["high"], whole=False) for v in values))
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
