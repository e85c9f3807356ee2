"""T² with and without, beside hard labels, by gradient descent and by Adam."""

from __future__ import annotations

from typing import Any

from kdviz.experiments import GAIN, HINTON, Experiment, Measured, Parts, Said, interval, outcome, points
from kdviz.experiments.claims.common import FEW
from kdviz.i18n import N_
from kdviz.misconceptions import RIGHT

RATE = 0.005


def _measure(parts: Parts) -> Measured:
    found = {}
    for name, part in parts.items():
        rights = parts["gradient descent"] if name == "raised" else part
        found[name] = [
            {
                "temperature": one.temperature,
                "harm": interval(part.correct("distilled", one), rights.correct("distilled", one._replace(loss=RIGHT))),
            }
            for one in part.spec.settings
            if one.loss != RIGHT
        ]
    return found


SQUARED = {
    "with hard labels": N_("Beside hard labels, leaving T² out changes accuracy by {points} points [{low}, {high}] at T = {T}."),
    "gradient descent": N_(
        "Without hard labels, by gradient descent at an equal learning rate: {points} points [{low}, {high}] at T = {T}."
    ),
    "raised": N_(
        "With the learning rate raised by T² instead, every step is the same but for rounding: {points} points at T = {T}, as it "
        "must be."
    ),
    "Adam": N_("Without hard labels, by Adam, which divides the scale out: {points} points [{low}, {high}] at T = {T}."),
}
WAYS = {
    "all": N_("It costs accuracy in all three."),
    "some": N_("It costs accuracy in some of the three."),
    "none": N_("It costs no accuracy that can be seen."),
    "unknown": GAIN["unknown"],
}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    hottest = {name: max(of[name], key=lambda row: float(row["temperature"])) for name in SQUARED if name in of}
    said = [Said(SQUARED[name], {"T": f"{row['temperature']:g}", **points(row["harm"])}) for name, row in hottest.items()]
    outcomes = [outcome(row["harm"]) for name, row in hottest.items() if name != "raised"]  # that one cannot but be the same
    harmful = outcomes.count("harms")
    if "unknown" in outcomes:
        return "unknown", said
    return "all" if harmful == len(outcomes) else "some" if harmful else "none", said


def _squares(temperatures: list[int], seeds: int) -> dict[str, dict[str, Any]]:
    both = {**FEW, "loss": [RIGHT, "no_t_squared"], "seeds": seeds}
    hottest = max(temperatures)
    descent = {**both, "hard_weight": 0, "optimizer": "sgd", "learning_rate": RATE}
    return {
        "with hard labels": {**both, "temperature": temperatures, "hard_weight": 1},
        "gradient descent": {**descent, "temperature": temperatures},
        "raised": {**descent, "temperature": [hottest], "loss": ["no_t_squared"], "learning_rate": RATE * hottest**2,
                   "control_learning_rate": RATE},
        "Adam": {**both, "temperature": temperatures, "hard_weight": 0},
    }  # fmt: skip


EXPERIMENT = Experiment(
    name="t-squared",
    title=N_("T² with and without"),
    question=N_("What does leaving T² out do as T grows: beside hard labels, by gradient descent, and by Adam?"),
    section=f"{HINTON}, section 2",
    predictions=WAYS,
    quick=_squares([2, 32], 3),
    full=_squares([1, 2, 4, 8, 16, 32], 5),
    seconds=(36, 90),
    measure=_measure,
    verdict=_verdict,
    chosen=N_("Not tuned: one learning rate for all but the students whose rate is raised by T²."),
    reasons=(N_("The paper derives the factor and does not test it."),),
    titles={
        "with hard labels": N_("beside hard labels, Adam"),
        "gradient descent": N_("alone, gradient descent"),
        "raised": N_("alone, gradient descent, learning rate times T²"),
        "Adam": N_("alone, Adam"),
    },
)
