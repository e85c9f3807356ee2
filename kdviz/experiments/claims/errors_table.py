"""The paper's table of errors on MNIST: teacher, student on hard labels, student on soft targets."""

from __future__ import annotations

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
from kdviz.experiments.claims.common import JITTER, QUICK, SECTION, TUNED, WIDE
from kdviz.i18n import N_


def _measure(parts: Parts) -> Measured:
    part = parts["students"]
    found = students(part, part.setting)
    gain = interval(part.correct("distilled", part.setting), part.correct("hard_labels", part.setting))
    errors = {name: found[name]["errors"]["mean"] for name in ("hard_labels", "distilled")}
    teacher = part.result["teacher"]["errors"]
    room = errors["hard_labels"] - teacher
    closed = (errors["hard_labels"] - errors["distilled"]) / room if room > 0 else None
    learned = part.result["settings"]["transfer_images"]
    return {"teacher": teacher, "images": len(part.labels), "learned": learned, "students": found, "gain": gain, "closed": closed}


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    hard, distilled = (of["students"][name]["errors"]["mean"] for name in ("hard_labels", "distilled"))
    fields = {"hard": f"{hard:.1f}", "distilled": f"{distilled:.1f}", "images": f"{of['images']:,}", **points(of["gain"])}
    result = outcome(of["gain"])
    said = [
        Said(
            {
                "helps": N_(
                    "Soft targets help, as the paper found: {distilled} errors of {images} instead of {hard}, a gain of {points} "
                    "points with the interval [{low}, {high}]."
                ),
                "harms": N_(
                    "Against the paper, soft targets harm here: {distilled} errors of {images} instead of {hard}, {points} "
                    "points with the interval [{low}, {high}]."
                ),
                "neither": N_(
                    "The paper found fewer errors with soft targets; here no difference is visible: {distilled} errors of "
                    "{images} beside {hard}, {points} points with the interval [{low}, {high}]."
                ),
                "unknown": N_("With one seed nothing can be told: {distilled} errors of {images} beside {hard}."),
            }[result],
            fields,
        )
    ]
    as_many = of["learned"] == 60_000  # as the paper's students learned from
    if as_many and result == "helps" and of["closed"] is not None:
        said.append(
            Said(
                N_(
                    "The teacher makes {teacher} errors; distillation closes {closed} of the way from the hard-label student to "
                    "it. In the paper's table it is 91%."
                ),
                {"teacher": f"{of['teacher']}", "closed": f"{100 * of['closed']:.0f}%"},
            )
        )
    if as_many:
        said.append(
            Said(
                N_("The hard-label student is a stronger control than the paper's, which made 146 errors: {hard}.")
                if hard < 146
                else N_("The hard-label student is no stronger a control than the paper's, which made 146 errors: {hard}."),
                {"hard": f"{hard:.1f}"},
            )
        )
    return result, said


def _beside(of: Measured) -> Texts:
    errors = {name: of["students"][name]["errors"] for name in ("hard_labels", "distilled")}
    return {"teacher": [f"{of['teacher']}"], **{name: [plus_minus(each)] for name, each in errors.items()}}


EXPERIMENT = Experiment(
    name="mnist-table",
    title=N_("The table of errors"),
    question=N_("Does a student make fewer errors with the teacher's soft targets at T = 20 than with hard labels alone?"),
    section=SECTION,
    predictions=GAIN,
    quick={"students": {**QUICK, "fraction": 0.1, "epochs": 30, "batch_size": 64}},
    full={"students": {**WIDE, "hard_weight": 10, "epochs": 40, "learning_rate": 0.001, "seeds": 5}},
    seconds=(40, 1200),
    paper=(
        Found("teacher", N_("teacher 1200-1200, errors"), 67, "section 3"),
        Found("hard_labels", N_("student 800-800 on hard labels, errors"), 146, "section 3"),
        Found("distilled", N_("the same with soft targets at T = 20, errors"), 74, "section 3"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=TUNED,
    reasons=(JITTER, N_("The paper's control was not regularised and its tuning is not told; one run each, as far as is known.")),
    beside=_beside,
)
