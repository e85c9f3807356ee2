"""A run from its spec to its result: finds dataset and teacher, picks the transfer set, trains, compares.

The engine's workers and the command line both go through `prepare`, `train.train` and `result`; only where points are
written differs. Knows no store and no page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from kdviz import data, models, settings, stats, teachers, train
from kdviz.data.prepare import prepare as prepare_data
from kdviz.errors import InvalidValue, quoted
from kdviz.i18n import N_
from kdviz.spec import RunSpec, Student

TRANSFER_SEED = 2015
TEACHER_SEED = 0


@dataclass(frozen=True)
class Prepared:
    """A run ready to train: what it was made from, and the choices that this machine made for it."""

    spec: RunSpec
    card: teachers.Card
    dataset: data.Dataset
    plan: train.Plan
    material: train.Material
    settings: dict[str, Any]


def transfer_set(spec: RunSpec, dataset: data.Dataset) -> np.ndarray:
    """Return the indices of the images that students learn from, sorted: (n,) int64.

    A fraction takes its share of every class, at least one image; a smaller fraction's images are among a larger one's.
    """
    where = dataset.slice("train" if spec.evaluate_on == "validation" else "training")
    labels = np.asarray(dataset.labels[where])
    chosen = []
    for label in range(len(dataset.class_names)):
        if label in spec.classes_left_out:
            continue
        members = np.random.default_rng([TRANSFER_SEED, label]).permutation(np.flatnonzero(labels == label))
        chosen.append(members[: max(1, round(spec.fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def choose_device(asked: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda` or `mps`. Raises InvalidValue where this machine has none of that kind."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available.get(asked, False):
        raise InvalidValue(
            N_("device must be one that this machine has ({known}), got {value}"),
            known=[name for name, there in available.items() if there],
            value=quoted(asked),
        )
    return torch.device(asked)


def choose_threads(plan: train.Plan, available: int) -> int:
    """Return how many threads a step is worth: one for small students, which wait for each other longer than they compute.

    Measured on two busy cores, 10 students 30-30, batch 32: 2 ms a step with one thread, 5 to 67 with two.
    """
    work = plan.network.multiply_adds * len(plan.students) * plan.batch_size
    return 1 if work < 100_000_000 else available


def prepare(spec: RunSpec, device: str = "auto", threads: int | None = None) -> Prepared:
    """Load what a run needs and decide how it trains here, setting torch's threads accordingly.

    threads: those of an earlier attempt, kept because they decide the last bits of a result; None chooses.
    Raises a UserError where data or teacher are not to be had.
    """
    card = teachers.find(spec.dataset, spec.teacher)
    teachers.verify(card)  # its logits may be stored already, but a run never stands on weights that are not the card's
    dataset = prepare_data(spec.dataset)
    chosen = choose_device(device)
    logits = teachers.logits(card, dataset)
    learned = transfer_set(spec, dataset)
    judged = dataset.slice("validation" if spec.evaluate_on == "validation" else "test")
    material = train.Material(
        inputs=models.inputs(dataset.pixels[learned], dataset.mean, dataset.std),
        labels=torch.from_numpy(dataset.labels[learned]),
        teacher_logits=torch.from_numpy(logits[learned]),
        test_inputs=models.inputs(dataset.pixels[judged], dataset.mean, dataset.std),
        test_labels=torch.from_numpy(np.array(dataset.labels[judged])),
        test_teacher_logits=torch.from_numpy(np.array(logits[judged])),
    ).to(chosen)
    precision = "bf16" if spec.precision == "bf16" else "fp32"
    plan = train.Plan(
        network=models.architecture(spec.student, dataset.shape, len(dataset.class_names)),
        students=spec.students,
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        optimizer=spec.optimizer,
        precision=precision,  # type: ignore[arg-type]
    )
    torch.set_num_threads(threads or choose_threads(plan, settings.workers().threads))
    chosen_here = {
        "device": str(chosen),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "batch_order": "one order for all students",
        "torch": torch.__version__,
        "teacher_sha256": card.sha256,
        "data_sha256": dataset.sha256,
        "transfer_images": len(learned),
    }
    return Prepared(spec, card, dataset, plan, material, chosen_here)


def teacher_facts(prepared: Prepared) -> dict[str, Any]:
    """Return the teacher as the JSON contract has it, judged on the same images as the students."""
    assert prepared.material.test_teacher_logits is not None
    wrong = prepared.material.test_teacher_logits.argmax(-1) != prepared.material.test_labels
    errors = int(wrong.sum())
    return {
        "name": prepared.card.name,
        "accuracy": 1 - errors / len(wrong),
        "errors": errors,
        "parameters": prepared.card.parameters,
    }


def correctness(evaluation: train.Evaluation, prepared: Prepared) -> np.ndarray:
    """Return which test images each student answers rightly: (S, n) bool."""
    right: np.ndarray = (evaluation.test_logits.argmax(-1) == prepared.material.test_labels).cpu().numpy()
    return right


def result(prepared: Prepared, last: train.Evaluation) -> dict[str, Any]:
    """Return a run's result as the JSON contract of the command line has it: spec, seconds, teacher, students, comparisons."""
    spec, students = prepared.spec, prepared.spec.students
    correct = correctness(last, prepared)
    rows = [
        {
            "condition": student.condition,
            "temperature": student.temperature,
            "seed": student.seed,
            "accuracy": point.accuracy,
            "errors": point.errors,
            "agreement": point.agreement,
            "kl": point.kl,
            "parameters": prepared.plan.network.parameters,
        }
        for student, point in zip(students, last.points, strict=True)
    ]
    comparisons = []
    for T in spec.temperature:
        distilled = correct[[s.condition == "distilled" and s.temperature == T for s in students]]
        control = correct[[s.condition == "hard_labels" for s in students]]
        difference = asdict(stats.paired_difference(distilled, control))
        comparisons.append({"condition": "distilled", "against": "hard_labels", "temperature": T, **difference})
    return {
        "spec": spec.to_dict(),
        "seconds": last.points[0].seconds,
        "teacher": teacher_facts(prepared),
        "students": rows,
        "comparisons": comparisons,
        "settings": prepared.settings,
    }


def train_teacher(
    dataset_name: str,
    network_name: str,
    seed: int = TEACHER_SEED,
    recipe: teachers.Recipe | None = None,
    device: str = "auto",
    checkpoint: bytes | None = None,
    on_evaluation: Callable[[train.Evaluation], None] = lambda evaluation: None,
    hold_out: bool = False,
) -> tuple[data.Dataset, models.Architecture, teachers.Recipe, train.Evaluation]:
    """Train one network on a dataset's labels by its recipe; the evaluation returned is the last.

    hold_out: train on the train split and judge on the validation images (to choose a recipe); otherwise train on the split
    of the recipe and judge on the test images.
    """
    dataset = prepare_data(dataset_name)
    network = models.architecture(network_name, dataset.shape, len(dataset.class_names))
    recipe = recipe or teachers.recipe(dataset.name, network.name)
    learned = dataset.split("train" if hold_out else recipe.learns_from)
    judged = dataset.split("validation" if hold_out else "test")
    material = train.Material(
        inputs=models.inputs(learned.pixels, dataset.mean, dataset.std),
        labels=torch.from_numpy(np.array(learned.labels)),
        teacher_logits=None,
        test_inputs=models.inputs(judged.pixels, dataset.mean, dataset.std),
        test_labels=torch.from_numpy(np.array(judged.labels)),
        test_teacher_logits=None,
    ).to(choose_device(device))
    plan = train.Plan(
        network=network,
        students=[Student("hard_labels", None, seed, 0.0, 1.0)],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        schedule="linear",
        recipe=recipe,
        order_seed=seed,
        evaluations=recipe.epochs,
    )
    last = None
    for last in train.train(plan, material, checkpoint):
        on_evaluation(last)
    if last is None:
        raise InvalidValue(N_("this teacher's training was already complete: delete its checkpoint to train again"))
    return dataset, network, recipe, last
