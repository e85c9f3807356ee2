"""An ensemble in one student."""

from __future__ import annotations

from typing import Any

from kdviz import teachers
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
    points,
    spread,
)
from kdviz.experiments.claims.common import OF_DIGITS, PLAIN
from kdviz.i18n import N_


def _measure(parts: Parts) -> Measured:
    one, several = parts["one"], parts["several"]
    card = teachers.find(several.spec.dataset, several.spec.teacher)
    right = {name: part.correct("distilled", part.setting) for name, part in parts.items()}
    return {
        "members": card.member_errors, "ensemble": several.result["teacher"]["errors"], "one": one.result["teacher"]["errors"],
        "images": len(one.labels),
        "students": {name: spread((~correct).sum(1).tolist()) for name, correct in right.items()},
        "hard_labels": spread([row["errors"] for row in one.rows("hard_labels", one.setting)]),
        "difference": interval(right["several"], right["one"]),
    }  # fmt: skip


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    said = [
        Said(
            N_(
                "Of {images} images the members miss {members}, together {ensemble}; a student of all misses {several}, of "
                "a single teacher {one}, of hard labels {hard}."
            ),
            {"images": f"{of['images']:,}", "members": ", ".join(map(str, of["members"])), "ensemble": f"{of['ensemble']}",
             "several": f"{of['students']['several']['mean']:.1f}", "one": f"{of['students']['one']['mean']:.1f}",
             "hard": f"{of['hard_labels']['mean']:.1f}"},
        ),
        Said(
            N_("What the ensemble's student has over the single teacher's: {points} points [{low}, {high}]."),
            points(of["difference"]),
        ),
    ]  # fmt: skip
    return outcome(of["difference"]), said


TOGETHER = {
    **GAIN,
    "helps": N_("Yes: students of all five make fewer errors than those of the single one here."),
    "harms": N_("No: students of all five make more errors than those of the single one here."),
}


AN_ENSEMBLE: dict[str, Any] = {**OF_DIGITS, "temperature": [8], "hard_weight": 0}


def _beside(of: Measured) -> Texts:
    right = {"one": of["one"], "ensemble": of["ensemble"], "several": of["students"]["several"]["mean"]}
    return {name: [f"{100 * (1 - errors / of['images']):.2f}"] for name, errors in right.items()}


EXPERIMENT = Experiment(
    name="ensemble",
    title=N_("An ensemble in one student"),
    question=N_("Does a student learn more from five networks that answer together than from one?"),
    section=f"{HINTON}, section 4",
    predictions=TOGETHER,
    quick={"one": {**AN_ENSEMBLE, "teacher": "cnn", "seeds": 8}, "several": {**AN_ENSEMBLE, "seeds": 8}},
    full={"one": {**AN_ENSEMBLE, "teacher": "cnn", "seeds": 32}, "several": {**AN_ENSEMBLE, "seeds": 32}},
    seconds=(5, 10),
    paper=(
        Found("one", N_("speech, one network: frame accuracy, percent"), 58.9, "section 4, table 1"),
        Found("ensemble", N_("speech, ten networks together: frame accuracy, percent"), 61.1, "section 4, table 1"),
        Found("several", N_("speech, one student of all ten: frame accuracy, percent"), 60.8, "section 4, table 1"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(N_("The paper's table is speech; here it is digits, whose 360 test images tell little apart."),),
    beside=_beside,
)
