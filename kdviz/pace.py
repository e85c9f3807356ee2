"""How long a run will take on this machine, from what was measured here: earlier runs like it, else a short calibration.

The model of a step is an overhead plus a time for each multiply-add; the overhead rules for small students, the second for
large ones. Knows no torch unless it measures.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from kdviz import data, models, strategy, teachers
from kdviz.errors import DataUnavailable
from kdviz.spec import RunSpec, TeacherSpec

CALIBRATION = "calibration"


def key(spec: RunSpec | TeacherSpec) -> str:
    """Return the name under which the speed of runs like this one is kept: what a step's work depends on."""
    if isinstance(spec, TeacherSpec):
        return f"pace/teacher/{spec.name}"
    work = (spec.student, spec.fraction, len(spec.students), spec.seeds, spec.batch_size, spec.optimizer, spec.precision)
    return f"pace/{spec.dataset}/{hashlib.sha256(repr(work).encode()).hexdigest()[:20]}"


def expected_images(spec: RunSpec) -> tuple[dict[float, int], int]:
    """Return (transfer set's images at each fraction, images that judge): of the prepared dataset, else of its usual size."""
    try:
        train, validation, test = data.load(spec.dataset).counts
    except DataUnavailable:
        train, validation, test = (50_000, 10_000, 10_000)
    learned = train if spec.evaluate_on == "validation" else train + validation
    share = 1 - len(spec.classes_left_out) / len(data.source(spec.dataset).class_names)
    images = {fraction: max(1, round(learned * fraction * share)) for fraction in spec.fraction}
    return images, validation if spec.evaluate_on == "validation" else test


def expected_steps(spec: RunSpec) -> int:
    """Return the steps of all programs of a run."""
    images, _judging = expected_images(spec)
    networks = spec.networks
    students = spec.students
    firsts = [students[numbers[0]] for numbers in strategy.stacks(students, networks)]
    return sum(-(-images[first.fraction] // spec.batch_size) * spec.epochs for first in firsts)


def seconds(spec: RunSpec, fact: Callable[[str], Any]) -> float | None:
    """Return the seconds a run is expected to train and be judged, or None where nothing was measured yet.

    fact: looks up a measurement by name (the store's `fact`).
    """
    like = fact(key(spec))
    if like is not None:
        return float(like) * expected_steps(spec) + 0.3
    calibration = fact(CALIBRATION)
    if calibration is None:
        return None
    networks = spec.networks
    images, judging = expected_images(spec)
    students, total = spec.students, 0.5
    for numbers in strategy.stacks(students, networks):
        first = students[numbers[0]]
        network = networks[first.network]
        kind = "conv" if network.convolutional else "dense"
        each = calibration[kind] * network.multiply_adds * len(numbers)
        step = calibration["overhead"] * (6 if kind == "conv" else 1) + each * spec.batch_size
        steps = -(-images[first.fraction] // spec.batch_size) * spec.epochs
        total += steps * step * 12 / 11  # kdviz.strategy judges for an eleventh of the time at most, if often enough
        if steps * step / 11 < 6 * judging * each / 3:
            total += 6 * judging * each / 3
    return total


def teacher_seconds(spec: TeacherSpec, fact: Callable[[str], Any]) -> float | None:
    """Return the seconds a teacher's training is expected to take, or None where nothing was measured yet."""
    try:
        train, validation, _test = data.load(spec.dataset).counts
    except DataUnavailable:
        return None
    recipe = teachers.recipe(spec.dataset, spec.architecture.name, train + validation)
    images = train if recipe.learns_from == "train" else train + validation
    steps = -(-images // recipe.batch_size) * (spec.epochs or recipe.epochs) * len(spec.students)
    like, calibration = fact(key(spec)), fact(CALIBRATION)
    if like is not None:
        return float(like) * steps
    if calibration is None:
        return None
    network = spec.architecture
    kind = "conv" if network.convolutional else "dense"
    overhead = calibration["overhead"] * (6 if kind == "conv" else 1)
    return float(steps * (overhead + calibration[kind] * network.multiply_adds * recipe.batch_size))


def calibrate(threads: int) -> dict[str, float]:
    """Measure this machine: seconds of overhead a step, and seconds a multiply-add of training in dense and convolution layers.

    threads: what a run of large students gets; small ones get one.
    """
    import torch

    torch.set_num_threads(1)
    small = _time_step("mlp-30-30", (8, 8, 1), 10, 32)
    torch.set_num_threads(threads)
    dense, dense_work = _time_step("mlp-100-100", (28, 28, 1), 8, 128), _work("mlp-100-100", (28, 28, 1), 8, 128)
    conv, conv_work = _time_step("cnn", (8, 8, 1), 1, 32), _work("cnn", (8, 8, 1), 1, 32)
    return {
        "overhead": small,
        "dense": max(dense - small, 0.0) / dense_work,
        "conv": max(conv - 6 * small, 0.3 * conv) / conv_work,
    }


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
    plan = train.Plan(models.architecture(name, shape, 10), stacked, 48, batch, 0.001, evaluations=4)
    stamps = [time.perf_counter() for _evaluation in train.train(plan, material)]
    # Judged after 3, 12, 27 and 48 steps, on one image.
    return min((stamps[3] - stamps[2]) / 15, (stamps[4] - stamps[3]) / 21)
