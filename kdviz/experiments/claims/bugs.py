"""The misconception lab: the bugs that take the gain away, each against the right loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdviz.experiments import GAIN, Experiment, Measured, Parts, Said, interval, outcome, points
from kdviz.experiments.claims.common import ALL_IMAGES, FEW, OF_DIGITS
from kdviz.i18n import N_
from kdviz.misconceptions import MISCONCEPTIONS, RIGHT


def _measure(parts: Parts) -> Measured:
    rows = []
    for name, part in parts.items():
        for setting in part.spec.settings:
            if setting.loss == RIGHT:
                continue
            right = part.correct("distilled", setting._replace(loss=RIGHT))
            wrong, hard = part.correct("distilled", setting), part.correct("hard_labels", setting)
            rows.append({
                "loss": setting.loss, "temperature": setting.temperature, "part": name,
                "accuracy": {"right": float(right.mean()), "wrong": float(wrong.mean()), "hard_labels": float(hard.mean())},
                "harm": interval(wrong, right), "gain_of_right": interval(right, hard), "gain_of_wrong": interval(wrong, hard),
            })  # fmt: skip
    return {"rows": rows}


def hottest(rows: Sequence[Measured]) -> dict[str, Measured]:
    """Return each bug's row at its highest temperature, where T² counts most, in the order of the lab."""
    found = {row["loss"]: row for row in sorted(rows, key=lambda row: float(row["temperature"]))}
    return {loss: found[loss] for loss in MISCONCEPTIONS if loss in found}


def verdict(of: Measured) -> tuple[str, list[Said]]:
    said = []
    rows = hottest(of["rows"])
    for loss, one in rows.items():
        fields = {"bug": loss, "T": f"{one['temperature']:g}", **points(one["harm"]),
                  "right": points(one["gain_of_right"])["points"], "wrong": points(one["gain_of_wrong"])["points"]}  # fmt: skip
        said.append(
            Said(
                {
                    "harms": N_(
                        "{bug} harms at T = {T}: {points} points [{low}, {high}] against the right loss. Against hard labels it "
                        "is {wrong} points, the right loss {right}."
                    ),
                    "helps": N_(
                        "{bug} does not harm at T = {T} but helps: {points} points [{low}, {high}] against the right loss. "
                        "Against hard labels it is {wrong} points, the right loss {right}."
                    ),
                    "unknown": N_("{bug}: {points} points against the right loss at T = {T}; with one seed nothing can be told."),
                }.get(
                    outcome(one["harm"]),
                    N_(
                        "{bug} does not show at T = {T}: {points} points [{low}, {high}] against the right loss. Against hard "
                        "labels it is {wrong} points, the right loss {right}."
                    ),
                ),
                fields,
            )
        )
    outcomes = [outcome(one["harm"]) for one in rows.values()]
    harmful = outcomes.count("harms")
    if "unknown" in outcomes:
        return "unknown", said
    return "all" if harmful == len(rows) else "most" if harmful > len(rows) / 2 else "few", said


BUGS = {
    "all": N_("Every one of the bugs costs accuracy that can be seen."),
    "most": N_("More than half of the bugs cost accuracy that can be seen."),
    "few": N_("Half of the bugs or fewer cost accuracy that can be seen."),
    "unknown": GAIN["unknown"],
}
LAB = tuple(name for name, bug in MISCONCEPTIONS.items() if name not in ("zero_weight_drops_t_squared",
                                                                         "averaged_logits_for_probabilities"))  # fmt: skip


def _lab(temperatures: list[int], seeds: int, of_digits: int) -> dict[str, dict[str, Any]]:
    return {
        "with hard labels": {**FEW, "seeds": seeds, "temperature": temperatures, "hard_weight": 1, "loss": [RIGHT, *LAB]},
        "no hard labels": {**FEW, "seeds": seeds, "temperature": [8], "hard_weight": 0, "optimizer": "sgd",
                           "learning_rate": 0.005, "loss": [RIGHT, "zero_weight_drops_t_squared"]},
        "ensemble": {**OF_DIGITS, "seeds": of_digits, "temperature": [8], "hard_weight": 0,
                     "loss": [RIGHT, "averaged_logits_for_probabilities"]},
    }  # fmt: skip


EXPERIMENT = Experiment(
    name="misconceptions",
    title=N_("The misconception lab"),
    question=N_("Which of the bugs that much-read code had cost accuracy, held against the right line?"),
    section="kdviz/misconceptions.py cites each",
    predictions=BUGS,
    quick=_lab([32], 4, 8),
    full=_lab([2, 8, 32], 5, 32),
    seconds=(34, 50),
    measure=_measure,
    verdict=verdict,
    chosen=N_(
        "On few images, where distillation gains most. The weight of the hard labels and the temperatures were chosen on the "
        "validation images, for the gain of the right loss to be plain and hard labels to count."
    ),
    reasons=(N_("Where the right loss gains nothing, no bug can take anything away."), ALL_IMAGES),
    titles={
        "with hard labels": N_("beside hard labels, Adam"),
        "no hard labels": N_("alone, gradient descent"),
        "ensemble": N_("of an ensemble, alone, Adam"),
    },
)
