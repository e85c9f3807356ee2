"""Whether the better of two teachers makes the better students."""

from __future__ import annotations

from typing import Any

from kdviz.experiments import GAIN, Experiment, Measured, Parts, Said, interval, outcome, points, spread
from kdviz.experiments.claims.common import FEW, PLAIN
from kdviz.i18n import N_


def _measure(parts: Parts) -> Measured:
    rows = {}
    for name, part in parts.items():
        own = part.rows("distilled", part.setting)
        rows[name] = {
            "teacher_errors": part.result["teacher"]["errors"], "errors": spread([row["errors"] for row in own]),
            "agreement": spread([row["agreement"] for row in own]), "kl": spread([row["kl"] for row in own]),
        }  # fmt: skip
    better, worse = sorted(parts, key=lambda name: int(parts[name].result["teacher"]["errors"]))
    ours, theirs = (parts[name].correct("distilled", parts[name].setting) for name in (better, worse))
    difference = interval(ours, theirs)
    return {"rows": rows, "better": better, "worse": worse, "difference": difference}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    better, worse = of["rows"][of["better"]], of["rows"][of["worse"]]
    said = [
        Said(
            N_(
                "The better teacher, {better} errors, makes students of {own} errors, the worse one, {worse} errors, students of "
                "{others}: a difference of {points} points [{low}, {high}]."
            ),
            {"better": f"{better['teacher_errors']}", "worse": f"{worse['teacher_errors']}",
             "own": f"{better['errors']['mean']:.1f}", "others": f"{worse['errors']['mean']:.1f}", **points(of["difference"])},
        ),
        Said(
            N_(
                "The better teacher's students agree with it on {own} of the images, the worse one's with theirs on {others}."
            ),
            {"own": f"{better['agreement']['mean']:.2%}", "others": f"{worse['agreement']['mean']:.2%}"},
        ),
    ]  # fmt: skip
    return outcome(of["difference"]), said


BETTER = {
    **GAIN,
    "helps": N_("Yes: the better teacher's students make fewer errors."),
    "harms": N_("No: the better teacher's students make more errors."),
}


BY_TEACHER: dict[str, Any] = {**FEW, "temperature": [8], "hard_weight": 0, "seeds": 5}


EXPERIMENT = Experiment(
    name="good-teacher-good-student",
    title=N_("A good teacher, a good student"),
    question=N_("Does the better of two teachers make the better students?"),
    section="Stanton et al. 2021, arXiv:2106.05945",
    predictions=BETTER,
    quick={"mlp-1200-1200": {**BY_TEACHER, "seeds": 3}, "cnn": {**BY_TEACHER, "teacher": "cnn", "seeds": 3}},
    full={"mlp-1200-1200": BY_TEACHER, "cnn": {**BY_TEACHER, "teacher": "cnn"}},
    seconds=(11, 15),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(N_("A convolutional teacher may answer in ways that a student of dense layers cannot follow."),),
)
