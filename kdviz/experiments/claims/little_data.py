"""Few images: what hard labels lose by them and soft targets keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdviz.experiments import (
    GAIN,
    HINTON,
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
from kdviz.experiments.claims.common import ALL_IMAGES, PLAIN, TEACHER
from kdviz.i18n import N_


def _measure(parts: Parts) -> Measured:
    rows = []
    for part in parts.values():
        setting = part.setting
        right = {name: part.correct(name, setting) for name in ("hard_labels", "distilled")}
        found = students(part, setting)
        gaps = {name: found[name]["train_accuracy"]["mean"] - found[name]["accuracy"]["mean"] for name in found}
        rows.append({"fraction": setting.fraction, "images": int(part.result["settings"]["transfer_images"]), "students": found,
                     "gap": gaps, "gain": interval(right["distilled"], right["hard_labels"])})  # fmt: skip
    return {"rows": sorted(rows, key=lambda row: row["fraction"])}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    rows, said = of["rows"], []
    for row in rows:
        hard, soft = (row["students"][name] for name in ("hard_labels", "distilled"))
        said.append(
            Said(
                {
                    "helps": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, a gain of {points} points [{low}, {high}]. "
                        "From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                    "harms": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, a loss of {points} points [{low}, {high}]. "
                        "From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                    "unknown": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, {points} points; with one "
                        "seed nothing can be told."
                    ),
                }.get(
                    outcome(row["gain"]),
                    N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, no visible difference, {points} points "
                        "[{low}, {high}]. From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                ),
                {"images": f"{row['images']:,}", "hard": f"{hard['accuracy']['mean']:.2%}",
                 "soft": f"{soft['accuracy']['mean']:.2%}", "hard_gap": f"{100 * row['gap']['hard_labels']:.2f}",
                 "soft_gap": f"{100 * row['gap']['distilled']:.2f}", **points(row["gain"])},
            )
        )  # fmt: skip
    three = min(rows, key=lambda row: abs(row["fraction"] - 0.03))
    whole = rows[-1]["students"]["hard_labels"]["accuracy"]["mean"]
    low, high = (three["students"][name]["accuracy"]["mean"] for name in ("hard_labels", "distilled"))
    if rows[-1]["fraction"] == 1 and outcome(three["gain"]) == "helps" and whole > low:
        said.append(
            Said(
                N_(
                    "With {fraction} of the images soft targets win back {share} of what hard labels lose by having no more. In "
                    "the paper's speech recogniser it is 87%."
                ),
                {"fraction": f"{three['fraction']:.0%}", "share": f"{(high - low) / (whole - low):.0%}"},
            )
        )  # fmt: skip
    return outcome(three["gain"]), said


def _fractions(epochs: Mapping[float, int], **more: Any) -> dict[str, dict[str, Any]]:
    """Return a part for each fraction, with epochs of its own: so many that a small one is learned to its end too."""
    return {
        f"{fraction:.1%}": {**TEACHER, "schedule": "linear", "fraction": fraction, "epochs": each, **more}
        for fraction, each in epochs.items()
    }


def _beside(of: Measured) -> Texts:
    three = min(of["rows"], key=lambda row: abs(row["fraction"] - 0.03))["students"]
    whole = of["rows"][-1]
    largest = Said(N_("{accuracy} with {share} of the images"),
                   {"accuracy": plus_minus(whole["students"]["hard_labels"]["accuracy"], 2, 100),
                    "share": f"{whole['fraction']:.0%}"})  # fmt: skip
    return {**{name: [plus_minus(three[name]["accuracy"], 2, 100)] for name in ("hard_labels", "distilled")}, "whole": [largest]}


EXPERIMENT = Experiment(
    name="little-data",
    title=N_("Little data"),
    question=N_("With 3% of the images, how much of what hard labels lose do soft targets keep?"),
    section=f"{HINTON}, section 6",
    predictions=GAIN,
    quick=_fractions({0.01: 120, 0.03: 80, 0.1: 20}, student="mlp-100", temperature=[8], batch_size=32, seeds=3),
    full=_fractions(
        {0.01: 300, 0.03: 200, 0.1: 80, 0.3: 40, 1.0: 20},
        student="mlp-800-800",
        temperature=[8],
        batch_size=128,
        seeds=5,
        learning_rate=0.001,
    ),
    seconds=(27, 1500),
    paper=(
        Found("hard_labels", N_("speech, 3% of the data, hard targets: frame accuracy, percent"), 44.5, "section 6, table 5"),
        Found("distilled", N_("speech, 3% of the data, soft targets: frame accuracy, percent"), 57.0, "section 6, table 5"),
        Found("whole", N_("speech, all of the data, hard targets: frame accuracy, percent"), 58.9, "section 6, table 5"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(
        N_("The paper's experiment is speech, with early stopping; this is MNIST, where there is far less to lose."),
        ALL_IMAGES,
    ),
    beside=_beside,
)
