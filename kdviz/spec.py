"""RunSpec: everything a run depends on, each knob once, with its default, range and unit; TeacherSpec: of a teacher's training.

The command line's options, the page's widgets, the JSON in the store and the link are all made from this one table, and all
are validated by it. Knows neither torch nor pages.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from kdviz import data, misconceptions, models
from kdviz.errors import InvalidValue, UnknownName, UserError, quoted
from kdviz.i18n import N_, Message
from kdviz.knobs import followed, knob, number, validated, written
from kdviz.soft_targets import TEMPERATURE_RANGE, check_temperature

Condition = Literal[
    "hard_labels", "distilled", "permuted_non_targets", "confidence_weighted", "label_smoothing", "random_teacher",
    "specialists",
]  # fmt: skip
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
"""What students learn from, in the order in which they stand. `distilled`: the teacher's soft targets. `permuted_non_targets`:
those with the probabilities of the wrong classes changed about among themselves, in each image its own way (Furlanello et al.
2018, arXiv:1805.04770, "dark knowledge with permuted predictions"). `confidence_weighted`: the hard labels, each image weighing
as much as the teacher is sure of its label, 1 on average (ibid., "confidence weighted by teacher max", but of the true class).
`label_smoothing`: the mean probability of the true class that the soft targets have at that T, the rest shared evenly.
`random_teacher`: the soft targets of a network of the teacher's kind that was never trained. `specialists`: the teacher's answers
joined with those of specialists for the classes that it confuses (kdviz.specialists)."""
EVERY_RUN: tuple[Condition, ...] = ("hard_labels", "distilled")
LABELS_ALONE: tuple[Condition, ...] = ("hard_labels", "confidence_weighted")
FURTHER = tuple(condition for condition in CONDITIONS if condition not in EVERY_RUN)
APART = tuple(condition for condition in FURTHER if condition != "specialists")
"""Those that take the soft targets apart."""
GRID = ("temperature", "student", "soft_weight", "fraction", "loss")
SELDOM_LISTS = ("student", "soft_weight", "fraction")
MAX_STUDENTS = 1024
MAX_BYTES = 4_000_000_000
TEACHER, MAX_MEMBERS = "teacher", 10
OWN, OWN_TEACHER = "own", "cnn-32-64-64"
"""The key of `by_dataset` for all datasets made of somebody's folder; and the network of which a teacher is trained there."""


@dataclass(frozen=True)
class Student:
    """One student of a run.

    temperature: None for a student that never sees the teacher; network: its name; fraction: of the transfer set that it sees;
    learning_rate: its own, None for that of everybody; targets: which of several teachers' answers it learns from;
    emphasis: which of several weightings of the images its hard labels carry, None for none; loss: of kdviz.misconceptions.
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
    emphasis: int | None = None
    loss: str = misconceptions.RIGHT


class Answers(NamedTuple):
    """One array of logits that students learn from: whose condition it serves, and at which temperature, None for any."""

    condition: Condition
    temperature: float | None = None


class Setting(NamedTuple):
    """One cell of a run's grid: what distilled students of all seeds share. Its control has the same network and fraction."""

    student: str
    fraction: float
    temperature: float
    soft_weight: float
    loss: str = misconceptions.RIGHT


@dataclass(frozen=True)
class RunSpec:
    """What a run trains and compares. Construction validates: UnknownName or InvalidValue, one sentence each."""

    dataset: str = knob("digits", N_("Dataset"), N_("the images"))
    teacher: str = knob(
        "cnn", N_("Teacher"), N_("a trained network of this dataset"),
        by_dataset={"street": "cnn-16-32-32", "fashion-mnist": OWN_TEACHER, "cifar10": "cnn-96-352-352", OWN: OWN_TEACHER},
    )  # fmt: skip
    student: tuple[str, ...] = knob(
        ("mlp-30-30",), N_("Student"),
        N_(
            "linear, mlp-A-B (hidden layers of A and B units), cnn, cnn-A-B-C (blocks of convolutions) or kdtf; a list trains "
            "each"
        ),
        by_dataset={"cifar10": ("cnn-16-32-32",), OWN: ("cnn-16-32-32",)}, each=str,
    )  # fmt: skip
    temperature: tuple[float, ...] = knob(
        (4.0,), N_("Temperature T"), N_("how far the teacher's answer is softened; a list trains a student for each"),
        *TEMPERATURE_RANGE, each=check_temperature,
    )  # fmt: skip
    soft_weight: tuple[float, ...] = knob(
        (1.0,), N_("Weight of the soft targets"), N_("multiplies the soft term, which carries its T²; a list trains each"),
        0, 1000,
    )  # fmt: skip
    hard_weight: float = knob(
        0.1, N_("Weight of the hard labels"), N_("multiplies the hard term of the distilled student"), 0, 1000
    )
    conditions: tuple[Condition, ...] = knob(
        EVERY_RUN, N_("Conditions"),
        N_("what is compared: hard_labels and distilled in every run, and controls that take the soft targets apart"),
        choices=CONDITIONS,
    )  # fmt: skip
    loss: tuple[str, ...] = knob(
        (misconceptions.RIGHT,), N_("Loss"),
        N_("of the distilled students: right, or as code had it that was wrong; a list trains each"),
        choices=misconceptions.LOSSES,
    )  # fmt: skip
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
    learning_rate: float = knob(0.001, N_("Learning rate"), N_("step size of the optimizer"), 1e-6, 10)
    control_learning_rate: float | None = knob(
        None, N_("Learning rate of the control"),
        N_("of the students without soft targets, which may need another one; none: the same as the others"), 1e-6, 10,
    )  # fmt: skip
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
        (), N_("Classes left out"), N_("classes whose images no student sees, by number"), 0, 999, whole=True
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
            object.__setattr__(self, f.name, validated(f, getattr(self, f.name)))
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
        if missing := [condition for condition in EVERY_RUN if condition not in self.conditions]:
            raise InvalidValue(N_("conditions must include {needed}, got {value}"), needed=missing, value=list(self.conditions))
        if misconceptions.OF_ENSEMBLES in self.loss and not self.of_ensemble:
            raise InvalidValue(
                N_("the loss {loss} needs a teacher of several members, such as {example}, got {value}"),
                loss=misconceptions.OF_ENSEMBLES, example=f"{self.teacher}-x5", value=quoted(self.teacher, 80),
            )  # fmt: skip
        if "specialists" in self.conditions and self.of_ensemble:
            raise InvalidValue(
                N_("specialists stand on a single network, got the teacher {value}: choose one without -x5"),
                value=quoted(self.teacher, 80),
            )
        each = self.seeds * len(self.fraction) * len(_conditions(self))
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
        return [Setting(*values) for values in itertools.product(*(getattr(self, name) for name in Setting._fields))]

    @property
    def students(self) -> list[Student]:
        """Every student of the run, in the order of all stacked arrays: each network on each fraction of the images, there
        the control first, then the distilled by temperature and weight, then further conditions; seeds within each."""
        return list(_students(self))

    @property
    def of_ensemble(self) -> bool:
        """Whether several networks answer together as the teacher."""
        return teacher_members(self.teacher)[1] > 1

    @property
    def judged_on(self) -> data.Split:
        """The split whose images judge the students."""
        return "validation" if self.evaluate_on == "validation" else "test"

    @property
    def answers(self) -> list[Answers]:
        """The logits that students learn from, in the order of `Student.targets`."""
        return _answers(self)

    def compared(self, setting: Setting) -> tuple[list[int], list[int]]:
        """Return the numbers of a setting's distilled students and of their controls, both by seed."""
        return self.members("distilled", setting), self.members("hard_labels", setting)

    def members(self, condition: Condition, setting: Setting) -> list[int]:
        """Return the numbers of a condition's students in a setting, by seed."""
        cell = _cell(condition, setting.temperature, setting.soft_weight, setting.loss)
        return list(_members(self)[setting.student, setting.fraction, cell])

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
        spec, problems = followed(cls.from_dict, given)
        return spec or cls(), problems


KNOBS = {f.name: f for f in dataclasses.fields(RunSpec)}


@dataclass(frozen=True)
class TeacherSpec:
    """The training of a teacher, a run like any other. Construction validates, as RunSpec's does.

    epochs: None for those of the recipe (kdviz.teachers.recipe).
    """

    dataset: str = field(default="digits", metadata=KNOBS["dataset"].metadata)
    network: str = knob(
        "cnn", N_("Network"), N_("linear, mlp-A-B, cnn, cnn-A-B-C or kdtf; -x5 behind it trains five that answer together"),
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
                object.__setattr__(self, name, number(Message(name, meta["label"]), value, meta["low"], meta["high"], whole=True))

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

        spec, problems = followed(built, {name: text for name, text in texts.items() if name in cls.__dataclass_fields__})
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


class _Cell(NamedTuple):
    """What students of one network and fraction have in common but for their seed; None where it is nothing to them."""

    condition: Condition
    temperature: float | None
    soft_weight: float | None
    loss: str


def _cell(condition: Condition, temperature: float, soft_weight: float, loss: str) -> _Cell:
    if condition == "hard_labels":
        return _Cell(condition, None, None, misconceptions.RIGHT)
    weight = None if condition in LABELS_ALONE else soft_weight
    return _Cell(condition, temperature, weight, loss if condition == "distilled" else misconceptions.RIGHT)


def _conditions(spec: RunSpec) -> list[_Cell]:
    """Return the cells of every network and fraction, in the order of the students."""
    grid = list(itertools.product(spec.temperature, spec.soft_weight, spec.loss))
    return list(dict.fromkeys(_cell(condition, *each) for condition in spec.conditions for each in grid))


def _answers(spec: RunSpec) -> list[Answers]:
    # Members' averaged probabilities depend on T, and what is made of them does; the first, averaged logits, is right for one.
    by_temperature = {
        "label_smoothing": True, "random_teacher": False, "permuted_non_targets": spec.of_ensemble, "specialists": False
    }  # fmt: skip
    found = [Answers("distilled")] + [Answers("distilled", T) for T in spec.temperature if spec.of_ensemble]
    for condition in spec.conditions:
        if by_temperature.get(condition) is True:
            found += [Answers(condition, T) for T in spec.temperature]
        if by_temperature.get(condition) is False:
            found.append(Answers(condition))
    return found


@lru_cache(maxsize=64)
def _students(spec: RunSpec) -> tuple[Student, ...]:
    answers, cells, students = _answers(spec), _conditions(spec), []
    for network, fraction, cell in itertools.product(spec.student, spec.fraction, cells):
        of: dict[str, Any] = dict(network=network, fraction=fraction)
        if cell.soft_weight is None:  # hard labels alone
            of |= dict(soft_weight=0.0, hard_weight=1.0, learning_rate=spec.control_learning_rate)
            if cell.temperature is not None:
                of["emphasis"] = spec.temperature.index(cell.temperature)
        else:
            own = Answers(cell.condition, cell.temperature)
            averaged = cell.loss == misconceptions.OF_ENSEMBLES
            learned = own if own in answers and not averaged else Answers(cell.condition)
            of |= dict(loss=cell.loss, soft_weight=cell.soft_weight, hard_weight=spec.hard_weight, targets=answers.index(learned))
        students += [Student(condition=cell.condition, temperature=cell.temperature, seed=s, **of) for s in range(spec.seeds)]
    return tuple(students)


@lru_cache(maxsize=64)
def _members(spec: RunSpec) -> dict[tuple[str, float, _Cell], list[int]]:
    """Return the numbers of the students of every cell of every network and fraction."""
    members: dict[tuple[str, float, _Cell], list[int]] = {}
    for n, s in enumerate(_students(spec)):
        cell = _cell(s.condition, s.temperature or 0.0, s.soft_weight, s.loss)
        members.setdefault((s.network, s.fraction, cell), []).append(n)
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
