"""What the paper derives and what came after it: T² with and without, logits matched, which teacher is a good one, ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdviz import data, teachers
from kdviz.experiments import GAIN, HINTON, Experiment, Found, Measured, Part, Parts, Said, interval, outcome, points, spread
from kdviz.experiments.gain import FEW, OF_DIGITS
from kdviz.experiments.mnist import PLAIN
from kdviz.i18n import N_
from kdviz.misconceptions import RIGHT
from kdviz.soft_targets import softmax
from kdviz.spec import RunSpec


def teacher_logits(part: Part) -> np.ndarray:
    """Return the stored logits of a part's teacher on the images that judge: (n, classes)."""
    spec: RunSpec = part.spec
    opened = data.load(spec.dataset)
    logits = teachers.stored_logits(teachers.find(spec.dataset, spec.teacher), opened)
    assert logits is not None  # the part was trained from them
    chosen: np.ndarray = np.asarray(logits[opened.slice(spec.judged_on)])
    return chosen


# T² with and without


RATE = 0.005


def _squared(parts: Parts) -> Measured:
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


def _squared_verdict(of: Measured) -> tuple[str, list[Said]]:
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


# Logits matched


def angles(z: np.ndarray, v: np.ndarray, temperatures: tuple[float, ...]) -> list[float]:
    """Return the mean angle in degrees, over images, between the gradient of distillation at each T in the student's logits z and
    that of matching zero-mean logits, z - v: both (n, classes). Section 2.1: it tends to 0 as T grows."""
    z, v = z.astype(np.float64), v.astype(np.float64)
    matching = (z - z.mean(1, keepdims=True)) - (v - v.mean(1, keepdims=True))
    found = []
    for T in temperatures:
        gradient = softmax(z, T) - softmax(v, T)
        cosine = (gradient * matching).sum(1) / (np.linalg.norm(gradient, axis=1) * np.linalg.norm(matching, axis=1) + 1e-300)
        found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()))
    return found


ANGLED = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0)


def _matching(parts: Parts) -> Measured:
    part = parts["students"]
    v = teacher_logits(part)
    each = [angles(z, v, ANGLED) for z in part.of("hard_labels", part.setting)]
    hottest = part.spec.settings[-1]
    return {
        "temperatures": list(ANGLED), "degrees": np.mean(each, axis=0).tolist(), "hottest": hottest.temperature,
        "rows": [
            {"temperature": T.temperature, "errors": spread([row["errors"] for row in part.rows("distilled", T)]),
             "difference": interval(part.correct("distilled", T), part.correct("distilled", hottest))}
            for T in part.spec.settings
        ],
    }  # fmt: skip


def _matching_verdict(of: Measured) -> tuple[str, list[Said]]:
    degrees = dict(zip(of["temperatures"], of["degrees"], strict=True))
    said = [
        Said(
            N_(
                "The gradient of distillation stands at {cold} degrees to that of matching logits at T = 1, at {warm} at T = 8 "
                "and at {hot} at T = 100."
            ),
            {"cold": f"{degrees[1.0]:.0f}", "warm": f"{degrees[8.0]:.0f}", "hot": f"{degrees[100.0]:.1f}"},
        )
    ]
    said += [
        Said(
            N_("Students at T = {T} make {errors} errors, {points} points [{low}, {high}] against those at T = {hottest}."),
            {"T": f"{row['temperature']:g}", "errors": f"{row['errors']['mean']:.1f}", "hottest": f"{of['hottest']:g}",
             **points(row["difference"])},
        )
        for row in of["rows"] if row["temperature"] != of["hottest"]
    ]  # fmt: skip
    return "tends" if degrees[100.0] < 10 else "does_not", said


# Which teacher is a good one


def _teachers(parts: Parts) -> Measured:
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


def _teachers_verdict(of: Measured) -> tuple[str, list[Said]]:
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


# Ensembles


def _ensemble(parts: Parts) -> Measured:
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


def _ensemble_verdict(of: Measured) -> tuple[str, list[Said]]:
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


BETTER = {
    **GAIN,
    "helps": N_("Yes: the better teacher's students make fewer errors."),
    "harms": N_("No: the better teacher's students make more errors."),
}
TOGETHER = {
    **GAIN,
    "helps": N_("Yes: students of all five make fewer errors than those of the single one here."),
    "harms": N_("No: students of all five make more errors than those of the single one here."),
}
AN_ENSEMBLE: dict[str, Any] = {**OF_DIGITS, "temperature": [8], "hard_weight": 0}
BY_TEACHER: dict[str, Any] = {**FEW, "temperature": [8], "hard_weight": 0, "seeds": 5}

EXPERIMENTS = [
    Experiment(
        "t-squared",
        N_("T² with and without"),
        N_("What does leaving T² out do as T grows: beside hard labels, by gradient descent, and by Adam?"),
        f"{HINTON}, section 2",
        WAYS,
        _squares([2, 32], 3),
        _squares([1, 2, 4, 8, 16, 32], 5),
        (36, 200),
        (),
        _squared,
        _squared_verdict,
        N_("Not tuned: one learning rate for all but the students whose rate is raised by T²."),
        (N_("The paper derives the factor and does not test it."),),
        {
            "with hard labels": N_("beside hard labels, Adam"),
            "gradient descent": N_("alone, gradient descent"),
            "raised": N_("alone, gradient descent, learning rate times T²"),
            "Adam": N_("alone, Adam"),
        },
    ),
    Experiment(
        "logit-matching",
        N_("Matching logits"),
        N_("Does distillation become the matching of logits as T grows?"),
        f"{HINTON}, section 2.1",
        {
            "tends": N_("Yes: the angle between the two gradients is below ten degrees at T = 100."),
            "does_not": N_("No: an angle of ten degrees or more is left at T = 100."),
        },
        {"students": {**FEW, "temperature": [1, 8, 100], "hard_weight": 0, "seeds": 3}},
        {"students": {**FEW, "temperature": [1, 2, 4, 8, 16, 32, 100], "hard_weight": 0, "seeds": 5}},
        (10, 60),
        (Found("hot", N_("angle in the limit of high T, degrees, for zero-mean logits"), 0, "section 2.1"),),
        _matching,
        _matching_verdict,
        PLAIN,
        (),
    ),
    Experiment(
        "good-teacher-good-student",
        N_("A good teacher, a good student"),
        N_("Does the better of two teachers make the better students?"),
        "Stanton et al. 2021, arXiv:2106.05945",
        BETTER,
        {"mlp-1200-1200": {**BY_TEACHER, "seeds": 3}, "cnn": {**BY_TEACHER, "teacher": "cnn", "seeds": 3}},
        {"mlp-1200-1200": BY_TEACHER, "cnn": {**BY_TEACHER, "teacher": "cnn"}},
        (11, 40),
        (),
        _teachers,
        _teachers_verdict,
        PLAIN,
        (N_("A convolutional teacher may answer in ways that a student of dense layers cannot follow."),),
    ),
    Experiment(
        "ensemble",
        N_("An ensemble in one student"),
        N_("Does a student learn more from five networks that answer together than from one?"),
        f"{HINTON}, section 4",
        TOGETHER,
        {"one": {**AN_ENSEMBLE, "teacher": "cnn", "seeds": 8}, "several": {**AN_ENSEMBLE, "seeds": 8}},
        {"one": {**AN_ENSEMBLE, "teacher": "cnn", "seeds": 32}, "several": {**AN_ENSEMBLE, "seeds": 32}},
        (5, 60),
        (
            Found("one", N_("speech, one network: frame accuracy, percent"), 58.9, "section 4, table 1"),
            Found("ensemble", N_("speech, ten networks together: frame accuracy, percent"), 61.1, "section 4, table 1"),
            Found("several", N_("speech, one student of all ten: frame accuracy, percent"), 60.8, "section 4, table 1"),
        ),
        _ensemble,
        _ensemble_verdict,
        PLAIN,
        (N_("The paper's table is speech; here it is digits, whose 360 test images tell little apart."),),
    ),
]  # fmt: skip
