"""A result of every experiment, of made-up students: what pages and figures show, without a run and without MNIST's images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from kdviz import experiments, soft_targets
from kdviz.experiments import Part
from kdviz.experiments.claims import confused, logit_matching
from kdviz.spec import RunSpec, Student
from kdviz.specialists import Specialist

IMAGES = 300


def part(spec: RunSpec, number: int) -> Part:
    """Return a part whose students answer from 60 to 95 in a hundred images rightly, the distilled ones more than the others."""
    rng = np.random.default_rng(number)
    labels = np.tile(np.arange(10), IMAGES // 10)
    logits = rng.normal(0, 1, (len(spec.students), IMAGES, 10)).astype(np.float32)
    logits[:, np.arange(IMAGES), labels] += np.array([_skill(student) for student in spec.students], np.float32)[:, None]
    right = logits.argmax(-1) == labels
    rows = [
        {
            "condition": student.condition, "temperature": student.temperature, "loss": student.loss, "seed": student.seed,
            "errors": int((~own).sum()), "accuracy": float(own.mean()), "train_accuracy": 1.0, "agreement": 0.9, "kl": 0.1,
        }
        for own, student in zip(right, spec.students, strict=True)
    ]  # fmt: skip
    settings = {"transfer_images": 600, "torch": "2", "teacher_sha256": "0" * 64, "data_sha256": "1" * 64}
    teacher = {"errors": 20 + number, "accuracy": 1 - (20 + number) / IMAGES}
    result = {"spec": spec.to_dict(), "students": rows, "teacher": teacher, "settings": settings, "seconds": 1.0}
    return Part(spec, result, logits, labels)


def _skill(student: Student) -> float:
    return 2.2 if student.condition == "hard_labels" else 3.0


@lru_cache
def result(name: str, kind: str = "quick") -> dict[str, Any]:
    """Return a result of an experiment on digits, whose images and logits are part of kdviz, with two seeds."""
    experiment = experiments.find(name)
    parts = {key: part(_of_digits(values), number) for number, (key, values) in enumerate(experiment.quick.items())}
    with pytest.MonkeyPatch.context() as patch:  # those of digits are of other images
        patch.setattr(logit_matching, "teacher_logits", _teacher_logits)
        patch.setattr(confused, "answered", _answered)
        concluded = experiment.concluded(parts)
    made = {
        "date": "2015-03-09", "machine": "x86_64", "processor": "", "cores": 2, "seconds": 1234.5,
        "seeds": dict.fromkeys(parts, 2),
        "versions": {"kdviz": "0", "torch": "2", "numpy": "2", "python": "3"}, "teacher_sha256": dict.fromkeys(parts, "0" * 64),
    }  # fmt: skip
    return {"experiment": name, "kind": kind, "made": made, "parts": {key: one.result for key, one in parts.items()}, **concluded}


def _of_digits(values: Mapping[str, Any]) -> RunSpec:
    several = str(values.get("teacher", "")).endswith("-x5")
    return RunSpec.from_dict({**values, "dataset": "digits", "teacher": "cnn-x5" if several else "cnn", "seeds": 2})


def _answered(part: Part) -> tuple[np.ndarray, list[Specialist]]:
    p = soft_targets.softmax(part.logits[0].astype(np.float64))
    return p, [Specialist((3, 5), soft_targets.softmax(part.logits[1][:, [3, 5, 0]].astype(np.float64)))]


def _teacher_logits(part: Part) -> np.ndarray:
    logits: np.ndarray = np.log(soft_targets.softmax(part.logits[0].astype(np.float64), 2.0))
    return logits
