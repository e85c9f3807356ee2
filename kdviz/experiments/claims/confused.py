"""Section 5 of the paper on ten classes: specialists for those that a generalist confuses, and students of their joint answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kdviz import answers, data, specialists, teachers
from kdviz.errors import UserError
from kdviz.experiments import (
    GAIN,
    HINTON,
    Experiment,
    Found,
    Measured,
    Part,
    Parts,
    Said,
    Texts,
    interval,
    outcome,
    points,
    students,
)
from kdviz.experiments.claims.common import PLAIN, teacher_logits
from kdviz.i18n import N_
from kdviz.soft_targets import softmax


def answered(part: Part) -> tuple[np.ndarray, list[specialists.Specialist]]:
    """Return the generalist's probabilities on the images that judge, (n, classes), and its specialists' answers to them."""
    opened = data.load(part.spec.dataset)
    card = teachers.find(part.spec.dataset, part.spec.teacher)
    seen = answers.transfer_set(part.spec, opened, part.setting.fraction)
    found = specialists.stored(card, opened, seen, answers.asked_of_specialists(part.spec, opened, seen))
    if found is None:  # the part was trained from them, but they have been deleted since
        raise UserError(N_("the specialists' answers are no longer here: run it again"))
    return softmax(teacher_logits(part).astype(np.float64)), [replace(one, p=one.p[len(seen) :]) for one in found]


def _measure(parts: Parts) -> Measured:
    part = parts["students"]
    p, mine = answered(part)
    before, after = p.argmax(1) == part.labels, specialists.joined(p, mine).argmax(1) == part.labels
    correct = {condition: part.correct(condition, part.setting) for condition in part.spec.conditions}
    return {
        "images": len(part.labels), "learned": int(part.result["settings"]["transfer_images"]),
        "class_names": list(data.source(part.spec.dataset).class_names),
        "clusters": [list(one.classes) for one in mine],
        "generalist": int((~before).sum()), "joined": int((~after).sum()),
        "righted": int((after & ~before).sum()), "wronged": int((before & ~after).sum()),
        "students": students(part, part.setting),
        "gains": {name: interval(correct[name], correct["hard_labels"]) for name in ("distilled", "specialists")},
        "difference": interval(correct["specialists"], correct["distilled"]),
    }  # fmt: skip


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    errors = {name: f"{of['students'][name]['errors']['mean']:.1f}" for name in ("specialists", "distilled")}
    said = [
        Said(
            N_("The generalist predicts these classes together, and each group has a specialist: {groups}."),
            {"groups": "; ".join(", ".join(of["class_names"][number] for number in group) for group in of["clusters"])},
        ),
        Said(
            N_(
                "Of {images} test images the generalist misses {generalist}, joined with its specialists {joined}: {righted} "
                "that were wrong are right, {wronged} that were right are wrong."
            ),
            {"images": f"{of['images']:,}", **{name: f"{of[name]:,}" for name in ("generalist", "joined", "righted", "wronged")}},
        ),
        Said(
            {
                "helps": N_(
                    "Students of the joint answers make fewer errors than students of the generalist: {specialists} beside "
                    "{distilled}, {points} points [{low}, {high}]."
                ),
                "harms": N_(
                    "Students of the joint answers make more errors than students of the generalist: {specialists} beside "
                    "{distilled}, {points} points [{low}, {high}]."
                ),
                "unknown": N_(
                    "Students of the joint answers make {specialists} errors, students of the generalist {distilled}: {points} "
                    "points; with one seed nothing can be told."
                ),
            }.get(
                outcome(of["difference"]),
                N_(
                    "Students of the joint answers and of the generalist are not told apart: {specialists} errors beside "
                    "{distilled}, {points} points [{low}, {high}]."
                ),
            ),
            {**errors, **points(of["difference"])},
        ),
    ]  # fmt: skip
    return outcome(of["difference"]), said


QUICK: dict[str, Any] = {
    "dataset": "cifar10", "student": "mlp-300", "conditions": ["hard_labels", "distilled", "specialists"], "temperature": [4],
    "fraction": 0.1, "epochs": 10, "schedule": "linear", "learning_rate": 0.001, "seeds": 3,
}  # fmt: skip


def _beside(of: Measured) -> Texts:
    return {name: [f"{100 * (1 - of[name] / of['images']):.2f}"] for name in ("generalist", "joined")}


EXPERIMENT = Experiment(
    name="specialists",
    title=N_("Specialists"),
    question=N_("Does a student learn more from a generalist joined with specialists for the classes that it confuses?"),
    section=f"{HINTON}, section 5",
    predictions={
        **GAIN,
        "helps": N_("Yes: students of the joint answers make fewer errors."),
        "harms": N_("No: students of the joint answers make more errors."),
    },
    quick={"students": QUICK},
    full={"students": {**QUICK, "seeds": 5}},
    seconds=(50, 90),
    paper=(
        Found("generalist", N_("JFT, 15,000 classes, the generalist: test accuracy, percent"), 25.0, "section 5, table 3"),
        Found("joined", N_("JFT, 15,000 classes, with 61 specialists: test accuracy, percent"), 26.1, "section 5, table 3"),
    ),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(
        N_(
            "The paper has 15,000 classes and 61 whole networks; here are ten, and a specialist has only "
            "its last layer of its own."
        ),
        N_("A generalist that answers nearly all of its training images rightly leaves specialists little to learn from them."),
        N_("The paper leaves open what a student of the joint answers learns; its table is of the networks themselves."),
    ),
    beside=_beside,
)
