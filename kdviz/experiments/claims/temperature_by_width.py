"""Which temperatures are the best for narrow students, and whether the high ones are alike for wide ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdviz.experiments import GAIN, Experiment, Found, Measured, Parts, Said, Texts, interval, outcome, points, spread
from kdviz.experiments.claims.common import PLAIN, SECTION, TEACHER
from kdviz.i18n import N_

NARROW, WIDE_FROM, HIGH = (2.5, 4.0), 300, 8.0


def _in_the_band(T: float) -> bool:
    return NARROW[0] <= T <= NARROW[1]


def _width(student: str) -> int:
    return int(student.split("-")[1])


def _measure(parts: Parts) -> Measured:
    rows, correct = [], {}
    for part in parts.values():
        for setting in part.spec.settings:
            right = part.correct("distilled", setting)
            correct[_width(setting.student), setting.temperature] = right
            errors = spread([row["errors"] for row in part.rows("distilled", setting)])
            control = part.correct("hard_labels", setting)
            rows.append({"width": _width(setting.student), "temperature": setting.temperature, "errors": errors,
                         "hard_labels": spread((~control).sum(1).tolist()), "gain": interval(right, control)})  # fmt: skip
    narrowest = min(width for width, _ in correct)
    middle = np.mean([right.astype(float) for (w, T), right in correct.items() if w == narrowest and _in_the_band(T)], axis=0)
    beyond: dict[str, list[dict[str, Any]]] = {"lower": [], "higher": []}
    for (width, T), right in correct.items():
        if width == narrowest and not _in_the_band(T):
            side = beyond["lower" if NARROW[0] > T else "higher"]
            side.append({"temperature": T, "difference": interval(middle, right)})
    best = {
        str(width): max((T for w, T in correct if w == width), key=lambda T: correct[width, T].mean())
        for width in sorted({w for w, _ in correct})
    }
    alike = []
    for width in sorted({w for w, _ in correct if w >= WIDE_FROM}):
        high = sorted((T for w, T in correct if w == width and T > HIGH), key=lambda T: float(correct[width, T].mean()))
        pairs = len(high) * (len(high) - 1) // 2
        between = interval(correct[width, high[-1]], correct[width, high[0]], 1 - 0.05 / pairs)
        alike.append({"width": width, "best": high[-1], "worst": high[0], "pairs": pairs, "difference": between})
    return {
        "rows": rows, "narrowest": narrowest, "best": best, "alike": alike,
        "beyond": beyond,
    }  # fmt: skip


BEYOND: Mapping[str, tuple[str, str, str]] = {
    "lower": (
        N_(
            "At {width} units T from 2.5 to 4 is better than every lower T tried; nearest comes T = {near}: {points} points "
            "[{low}, {high}]."
        ),
        N_(
            "At {width} units T from 2.5 to 4 is not better than every lower T tried: against "
            "T = {near} {points} [{low}, {high}]."
        ),
        N_("At {width} units T from 2.5 to 4 is {points} points from T = {near}, below; with one seed nothing can be told."),
    ),
    "higher": (
        N_(
            "At {width} units T from 2.5 to 4 is better than every higher T tried; nearest comes T = {near}: {points} points "
            "[{low}, {high}]."
        ),
        N_(
            "At {width} units T from 2.5 to 4 is not better than every higher T tried: against "
            "T = {near} {points} [{low}, {high}]."
        ),
        N_("At {width} units T from 2.5 to 4 is {points} points from T = {near}, above; with one seed nothing can be told."),
    ),
}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    said, ends = [], []
    for side, (better, not_better, unknown) in BEYOND.items():
        outcomes = [outcome(one["difference"]) for one in of["beyond"][side]]
        ends.append("unknown" if "unknown" in outcomes else "helps" if set(outcomes) == {"helps"} else "neither")
        # What speaks most against the claim: the lowest difference, of those that do not exclude zero if there are any.
        against = [one for one, each in zip(of["beyond"][side], outcomes, strict=True) if each != "helps"] or of["beyond"][side]
        near = min(against, key=lambda one: float(one["difference"]["mean"]))
        message = {"helps": better, "neither": not_better, "unknown": unknown}[ends[-1]]
        said.append(
            Said(message, {"width": f"{of['narrowest']}", "near": f"{near['temperature']:g}", **points(near["difference"])})
        )
    said += [
        Said(
            {
                "unknown": N_(
                    "At {width} units the best and the worst T above 8 ({best}, {worst}) are {points} points apart; with one "
                    "seed nothing can be told."
                ),
                "helps": N_(
                    "At {width} units T above 8 is not all alike: T = {best} is {points} points better than T = {worst} "
                    "[{low}, {high}], an interval widened because both were chosen after the fact."
                ),
            }.get(
                outcome(one["difference"]),
                N_(
                    "At {width} units the best and the worst T above 8 ({best}, {worst}) are not told apart: {points} points "
                    "[{low}, {high}], an interval widened because both were chosen after the fact."
                ),
            ),
            {"width": f"{one['width']}", "best": f"{one['best']:g}", "worst": f"{one['worst']:g}", **points(one["difference"])},
        )
        for one in of["alike"]
    ]
    return "unknown" if "unknown" in ends else "as_the_paper" if set(ends) == {"helps"} else "otherwise", said


def _beside(of: Measured) -> Texts:
    widest = of["alike"][-1]
    return {
        "narrow": [Said(N_("at {width} units T = {best} makes the fewest errors on the test images"),
                        {"width": f"{of['narrowest']}", "best": f"{of['best'][str(of['narrowest'])]:g}"})],
        "wide": [Said(N_("at {width} units T = {best} is {points} points from T = {worst}"),
                      {"width": f"{widest['width']}", "best": f"{widest['best']:g}", "worst": f"{widest['worst']:g}",
                       "points": points(widest["difference"])["points"]})],
    }  # fmt: skip


EXPERIMENT = Experiment(
    name="temperature-by-width",
    title=N_("Temperature by width"),
    question=N_(
        "Are temperatures from 2.5 to 4 the best for students of 30 units, and all above 8 fairly similar for wide ones?"
    ),
    section=SECTION,
    predictions={
        "as_the_paper": N_("At 30 units T from 2.5 to 4 is better than all lower and higher ones."),
        "otherwise": N_("At 30 units it is not better than all of them."),
        "unknown": GAIN["unknown"],
    },
    quick={
        "widths": {
            **TEACHER,
            "student": ["mlp-30-30", "mlp-300-300"],
            "temperature": [1, 2.5, 4, 10, 20],
            "fraction": 0.1,
            "epochs": 10,
            "batch_size": 64,
            "learning_rate": 0.002,
            "schedule": "linear",
            "seeds": 3,
        }
    },
    full={
        "narrow": {
            **TEACHER,
            "student": ["mlp-30-30", "mlp-100-100"],
            "schedule": "linear",
            "epochs": 25,
            "seeds": 5,
            "temperature": [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 20, 40],
            "batch_size": 128,
            "learning_rate": 0.003,
        },
        "wide": {
            **TEACHER,
            "student": ["mlp-300-300", "mlp-800-800"],
            "schedule": "linear",
            "epochs": 10,
            "seeds": 5,
            "temperature": [1, 2.5, 4, 8, 12, 20, 40],
            "batch_size": 256,
            "learning_rate": 0.001,
        },
    },
    seconds=(50, 1500),
    paper=(
        Found("wide", N_("300 or more units: all T above 8 fairly similar"), 8, "section 3", "T > 8"),
        Found("narrow", N_("30 units: T from 2.5 to 4 significantly better than higher or lower"), 2.5, "section 3", "T = 2.5–4"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(N_("The paper does not say what its temperatures between were, nor its learning rates."),),
    beside=_beside,
)
