"""The paper's experiments, and those it leaves open, as data: question, runs, what was found elsewhere, how a verdict comes.

An experiment is one or several runs (`parts`), each a spec; `measure` turns their results and stored test logits into figures,
`verdict` the figures into sentences, so that a page, the command line and a committed result say what was computed and no more.
Nothing is chosen on the test set: where the settings of a full run were chosen stands in `chosen`. Needs no torch;
`kdviz.experiments.running` trains.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kdviz import settings, stats
from kdviz.errors import UnknownName, quoted
from kdviz.i18n import N_, english
from kdviz.spec import Condition, RunSpec, Setting

HINTON = "Hinton, Vinyals, Dean 2015, arXiv:1503.02531"


@dataclass(frozen=True)
class Found:
    """A figure found elsewhere. what: a message; where: the section or file that says so; key: what of ours it stands beside;
    stated: how it is written where it is more than a number."""

    key: str
    what: str
    value: float
    where: str
    stated: str = ""


@dataclass(frozen=True)
class Said:
    """A sentence with its fields, translated where it is shown."""

    message: str
    fields: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {"message": str(self.message), "fields": dict(self.fields), "text": english(self.message, **self.fields)}


Texts = Mapping[str, list[str | Said]]
"""Texts by the keys of figures: of each as many as there are figures with its key."""


@dataclass(frozen=True)
class Part:
    """One finished run of an experiment. logits: (students, n, classes) on the images that judge, labels: (n,)."""

    spec: RunSpec
    result: Mapping[str, Any]
    logits: np.ndarray
    labels: np.ndarray

    def correct(self, condition: Condition, setting: Setting) -> np.ndarray:
        """Return which images a condition's students answer rightly: (seeds, n) bool."""
        right: np.ndarray = self.of(condition, setting).argmax(-1) == self.labels
        return right

    def of(self, condition: Condition, setting: Setting) -> np.ndarray:
        """Return a condition's logits in a setting: (seeds, n, classes)."""
        chosen: np.ndarray = self.logits[self.spec.members(condition, setting)]
        return chosen

    def rows(self, condition: Condition, setting: Setting) -> list[Mapping[str, Any]]:
        """Return a condition's rows of the result, by seed."""
        return [self.result["students"][number] for number in self.spec.members(condition, setting)]

    @property
    def setting(self) -> Setting:
        """The first cell, which is the only one where no knob has several values."""
        return self.spec.settings[0]


Parts = Mapping[str, Part]
Measured = dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """One experiment. title, question, reasons (why our figures may differ), chosen: messages; predictions: what a reader may
    expect, by the `outcome` that a verdict may have; quick, full: the values of each part's spec; seconds: what the quick and the
    full one are expected to take on two cores; paper: what was found elsewhere; section: who says so, and where; titles:
    messages, of parts that their settings do not tell apart in one line; beside: what of `measured` stands beside each of
    `paper`; fields: of the question; others: of a claim of which there are several kinds their names, by what tells them apart,
    its own among them; one_of: the name of the claim that it is another kind of."""

    name: str
    title: str
    question: str
    section: str
    predictions: Mapping[str, str]
    quick: Mapping[str, Mapping[str, Any]]
    full: Mapping[str, Mapping[str, Any]]
    seconds: tuple[float, float]
    measure: Callable[[Parts], Measured]
    verdict: Callable[[Measured], tuple[str, list[Said]]]
    chosen: str
    paper: Sequence[Found] = ()
    beside: Callable[[Measured], Texts] = lambda _measured: {}
    reasons: Sequence[str] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    one_of: str | None = None

    @property
    def listed(self) -> str:
        """The name under which it is listed, which is another's where that is another kind of it."""
        return self.one_of or self.name

    def specs(self, full: bool, seeds: int | None = None) -> dict[str, RunSpec]:
        """Return the spec of every part. Raises InvalidValue for a wrong number of seeds."""
        more = {} if seeds is None else {"seeds": seeds}
        return {name: RunSpec.from_dict({**values, **more}) for name, values in (self.full if full else self.quick).items()}

    def concluded(self, parts: Parts) -> dict[str, Any]:
        """Return what the parts show, as plain values: `measured`, `outcome` (a key of predictions) and `verdict`, sentences."""
        measured = self.measure(parts)
        outcome, said = self.verdict(short(measured))  # of the figures that are kept, so that they give it again
        assert outcome in self.predictions
        return {"measured": measured, "outcome": outcome, "verdict": [one.to_dict() for one in said]}


def find(name: object) -> Experiment:
    """Return an experiment by its name. Raises UnknownName, listing the known ones."""
    from kdviz.experiments import claims

    known = {one.name: one for one in _all()}
    there = known | {one.name: one for one in claims.kinds()}
    if name not in there:
        raise UnknownName(N_("unknown experiment {name}; known: {known}"), name=quoted(name, 80), known=list(there))
    return there[str(name)]


def names() -> list[str]:
    """Return the names of all experiments that are listed, in the order in which they are read."""
    return [one.name for one in _all()]


def chapters() -> list[tuple[str, list[Experiment]]]:
    """Return all experiments in the order in which they are read, in chapters with a title each, a message."""
    from kdviz.experiments import claims

    return claims.chapters()


def recorded(name: str) -> dict[str, Any] | None:
    """Return the result of an experiment that ships with kdviz: of the full run if there is one, else of the quick one."""
    for kind in ("full", "quick"):
        file = settings.ASSETS / "experiments" / f"{name}.{kind}.json"
        if file.is_file():
            return _read(file, file.stat().st_mtime_ns)
    return None


@lru_cache(maxsize=32)
def _read(file: Path, _modified: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def _all() -> list[Experiment]:
    return [one for _title, experiments in chapters() for one in experiments]


def duration(seconds: float) -> str:
    """Return seconds as the command line says them."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def short(value: Any) -> Any:
    """Return plain values with six digits of every number, which is what is kept of a result."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: short(of) for key, of in value.items()}
    return [short(of) for of in value] if isinstance(value, (list, tuple)) else value


# What several experiments measure.


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of values over seeds, and the values."""
    return {"mean": float(np.mean(values)), "seeds": [float(value) for value in values]}


def plus_minus(of: Mapping[str, Any], digits: int = 1, times: float = 1.0) -> str:
    """Return in figures what `spread` has: the mean, with the standard deviation over seeds if there are several."""
    values = [times * value for value in of["seeds"]]
    mean = statistics.fmean(values)
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else f"{mean:.{digits}f}"


def interval(ours: np.ndarray, theirs: np.ndarray, confidence: float = 0.95) -> dict[str, Any]:
    """Return the paired difference in accuracy of two tables (seeds, n), the first minus the second, as plain values."""
    return dict(vars(stats.paired_difference(ours, theirs, confidence)))


def students(part: Part, setting: Setting) -> dict[str, Any]:
    """Return, for every condition of a setting, test errors and train accuracy over the seeds."""
    return {
        condition: {
            "errors": spread([row["errors"] for row in part.rows(condition, setting)]),
            "accuracy": spread([row["accuracy"] for row in part.rows(condition, setting)]),
            "train_accuracy": spread([row["train_accuracy"] for row in part.rows(condition, setting)]),
        }
        for condition in part.spec.conditions
    }


def points(difference: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a paired difference in points of accuracy."""
    return {
        key: f"{100 * difference[name]:+.2f}" if difference[name] is not None else "?"
        for key, name in (("points", "mean"), ("low", "low"), ("high", "high"))
    }


def outcome(difference: Mapping[str, Any]) -> str:
    """Return a difference's verdict in one word; one seed has none."""
    return {"helps": "helps", "harms": "harms", None: "unknown"}.get(difference["verdict"], "neither")


GAIN = {
    "helps": N_("The distilled students make fewer errors."),
    "neither": N_("No difference is visible."),
    "harms": N_("The distilled students make more errors."),
    "unknown": N_("It cannot be told: one seed has no interval."),
}
"""What a reader may expect of a comparison."""
