"""How long a run will take on this machine, from what was measured here: earlier runs like it, else a short calibration.

The model of a step is an overhead plus a time for each multiply-add; the overhead rules for small students, the second for
large ones. Knows no torch unless it measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from kdviz import data, models
from kdviz.errors import DataUnavailable
from kdviz.spec import RunSpec

EVALUATIONS = 16
CALIBRATION = "calibration"


def key(spec: RunSpec) -> str:
    """Return the name under which the speed of runs like this one is kept."""
    return f"pace/{spec.dataset}/{spec.student}/{len(spec.students)}/{spec.batch_size}/{spec.optimizer}/{spec.precision}"


def expected_steps(spec: RunSpec) -> tuple[int, int]:
    """Return (steps, images that judge), from the dataset if it is prepared and its usual size if it is not."""
    try:
        train, validation, test = data.load(spec.dataset).counts
    except DataUnavailable:
        train, validation, test = (50_000, 10_000, 10_000)
    learned = train if spec.evaluate_on == "validation" else train + validation
    classes = len(data.source(spec.dataset).class_names)
    learned = max(1, round(learned * spec.fraction * (1 - len(spec.classes_left_out) / classes)))
    return -(-learned // spec.batch_size) * spec.epochs, validation if spec.evaluate_on == "validation" else test


def seconds(spec: RunSpec, fact: Callable[[str], Any]) -> float | None:
    """Return the seconds a run is expected to train and be judged, or None where nothing was measured yet.

    fact: looks up a measurement by name (the store's `fact`).
    """
    steps, judging = expected_steps(spec)
    like = fact(key(spec))
    if like is not None:
        return float(like) * steps + 0.3
    calibration = fact(CALIBRATION)
    if calibration is None:
        return None
    known = data.source(spec.dataset)
    network = models.architecture(spec.student, known.shape, len(known.class_names))
    each = calibration["conv" if network.name == "cnn" else "dense"] * network.multiply_adds * len(spec.students)
    step = calibration["overhead"] * (2.5 if network.name == "cnn" else 1) + each * spec.batch_size
    return float(steps * step + EVALUATIONS * judging * each / 3 + 0.5)


def calibrate(threads: int) -> dict[str, float]:
    """Measure this machine: seconds of overhead a step, and seconds a multiply-add of training in dense and convolution layers.

    threads: what a run of large students gets; small ones get one.
    """
    import torch

    torch.set_num_threads(1)
    small = _time_step("mlp-30-30", (8, 8, 1), 10, 32)
    torch.set_num_threads(threads)
    dense, dense_work = _time_step("mlp-300-300", (28, 28, 1), 4, 128), _work("mlp-300-300", (28, 28, 1), 4, 128)
    conv, conv_work = _time_step("cnn", (8, 8, 1), 4, 32), _work("cnn", (8, 8, 1), 4, 32)
    return {"overhead": small, "dense": max(dense - small, 0.0) / dense_work, "conv": max(conv - small, 0.0) / conv_work}


def _work(name: str, shape: models.Shape, students: int, batch: int) -> float:
    return float(models.architecture(name, shape, 10).multiply_adds * students * batch)


def _time_step(name: str, shape: models.Shape, students: int, batch: int) -> float:
    """Return the seconds of one training step, the quickest stretch of a few."""
    import torch

    from kdviz import train
    from kdviz.spec import Student

    generator = torch.Generator().manual_seed(0)
    height, width, channels = shape
    x = torch.randn(batch, channels, height, width, generator=generator)
    labels = torch.randint(10, (batch,), generator=generator)
    logits = torch.randn(batch, 10, generator=generator)
    material = train.Material(x, labels, logits, x[:1], labels[:1], logits[:1])
    stacked = [Student("distilled", 4.0, seed, 1.0, 0.1) for seed in range(students)]
    plan = train.Plan(models.architecture(name, shape, 10), stacked, 24, batch, 0.001, evaluations=4)
    stamps = [time.perf_counter() for _evaluation in train.train(plan, material)]
    return min(b - a for a, b in pairwise(stamps[1:])) / 6
