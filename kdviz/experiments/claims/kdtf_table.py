"""The seed article's table: a softmax regression of a convolutional teacher."""

from __future__ import annotations

from typing import Any

from kdviz.experiments import (
    GAIN,
    Experiment,
    Found,
    Measured,
    Parts,
    Said,
    Texts,
    interval,
    outcome,
    plus_minus,
    points,
    students,
)
from kdviz.i18n import N_


def _measure(parts: Parts) -> Measured:
    part = parts["students"]
    return {
        "teacher": part.result["teacher"]["accuracy"],
        "rows": [
            {"temperature": setting.temperature, "students": students(part, setting),
             "gain": interval(part.correct("distilled", setting), part.correct("hard_labels", setting))}
            for setting in part.spec.settings
        ],
    }  # fmt: skip


KDTF = {2.0: (89.14, 88.84), 5.0: (90.77, 88.84)}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    said, outcomes = [], []
    for row in of["rows"]:
        theirs = KDTF[row["temperature"]]
        outcomes.append(outcome(row["gain"]))
        said.append(
            Said(
                {
                    "helps": N_("At T = {T} distillation helps a softmax regression: {soft} instead of {hard}, {points} points "
                                "[{low}, {high}]. kdtf has {theirs}."),
                    "harms": N_("At T = {T} distillation harms a softmax regression: {soft} instead of {hard}, {points} points "
                                "[{low}, {high}]. kdtf has {theirs}."),
                    "unknown": N_("At T = {T} a softmax regression has {soft} beside {hard}, {points} points; with one seed "
                                  "nothing can be told. kdtf has {theirs}."),
                }.get(
                    outcomes[-1],
                    N_("At T = {T} no difference is visible for a softmax regression: {soft} beside {hard}, {points} points "
                       "[{low}, {high}]. kdtf has {theirs}."),
                ),
                {"T": f"{row['temperature']:g}", "soft": f"{row['students']['distilled']['accuracy']['mean']:.2%}",
                 "hard": f"{row['students']['hard_labels']['accuracy']['mean']:.2%}",
                 "theirs": f"{theirs[0] - theirs[1]:+.2f}", **points(row["gain"])},
            )
        )  # fmt: skip
    alone = of["rows"][0]["students"]["hard_labels"]["accuracy"]["mean"]
    if alone > 0.9:
        said.append(
            Said(
                N_("Our softmax regression on hard labels reaches {alone}, theirs 88.84%: there is less left to gain here."),
                {"alone": f"{alone:.2%}"},
            )
        )
    helped = outcomes.count("helps")
    if "unknown" in outcomes:
        return "unknown", said
    return "both" if helped == len(outcomes) else "one" if helped else "neither", said


AT_BOTH = {
    "both": N_("At both temperatures the distilled students make fewer errors."),
    "one": N_("At one of the two only."),
    "neither": N_("At neither."),
    "unknown": GAIN["unknown"],
}


LINEAR: dict[str, Any] = {
    "dataset": "mnist", "teacher": "kdtf", "student": "linear", "temperature": [2, 5], "soft_weight": 1, "hard_weight": 1,
    "learning_rate": 0.001, "batch_size": 128,
}  # fmt: skip


def _beside(of: Measured) -> Texts:
    students = [row["students"] for row in of["rows"]]
    return {
        "teacher": [f"{100 * of['teacher']:.2f}"] * 2,
        "hard_labels": [plus_minus(students[0]["hard_labels"]["accuracy"], 2, 100)],
        "distilled": [plus_minus(each["distilled"]["accuracy"], 2, 100) for each in students],
    }


EXPERIMENT = Experiment(
    name="kdtf-table",
    title=N_("The seed article's table"),
    question=N_("Does a softmax regression gain from a convolutional teacher at T = 2 and T = 5, as kdtf's table says?"),
    section="DushyantaDhyani/kdtf, README",
    predictions=AT_BOTH,
    quick={"students": {**LINEAR, "epochs": 3, "seeds": 5}},
    full={"students": {**LINEAR, "epochs": 11, "seeds": 5}},
    seconds=(7, 15),
    paper=(
        Found("teacher", N_("teacher at T = 2, percent"), 97.9, "README"),
        Found("teacher", N_("teacher at T = 5, percent"), 98.12, "README"),
        Found("hard_labels", N_("student alone, percent"), 88.84, "README"),
        Found("distilled", N_("student distilled at T = 2, percent"), 89.14, "README"),
        Found("distilled", N_("student distilled at T = 5, percent"), 90.77, "README"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=N_(
        "The settings are kdtf's: Adam 0.001, batches of 128, T² times the soft term, the teacher's layers and dropout; 5,159 "
        "steps, 5,000 in whole epochs."
    ),
    reasons=(
        N_(
            "kdtf draws all initial weights from a standard normal distribution, a softmax regression's too: likely why it is "
            "still at 88.84% after 5,000 steps. Ours are PyTorch's usual ones, much smaller."
        ),
        N_("kdtf trained a teacher for each T, with its logits divided by T; ours is one teacher for both, trained at T = 1."),
        N_("kdtf trained one student each and kept the weights that were best on its validation images."),
    ),
    beside=_beside,
)
