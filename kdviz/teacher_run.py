"""The training of a teacher from its spec to its card: a run like any other, whose students are the members and are kept.

The engine's workers and the command line both go through `prepare`, `Training.training` and `save`. Knows no store and no page.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdviz import data, machine, models, run, settings, strategy, teachers, train, turns
from kdviz.data.prepare import prepare as prepare_data
from kdviz.spec import TeacherSpec, teacher_members

EVALUATIONS = 16


@dataclass(frozen=True)
class Training:
    """A teacher ready to be trained: one program a member. judged_on: the split whose images its errors are counted on."""

    spec: TeacherSpec
    recipe: teachers.Recipe
    dataset: data.Dataset
    stacks: list[turns.Stack]
    settings: dict[str, Any]
    judged_on: data.Split

    def training(
        self, checkpoint: bytes | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[turns.Progress]:
        """Train it, as `turns.take_turns` does."""
        yield from turns.take_turns(self.stacks, checkpoint, should_stop)


def prepare(
    spec: TeacherSpec, device: str = "auto", earlier: Mapping[str, Any] | None = None, hold_out: bool = False
) -> Training:
    """Load what a teacher is trained on and decide how it trains here, setting torch's threads accordingly.

    earlier: the settings stored by an earlier attempt, which are kept; hold_out: learn from the train split and be judged on the
    validation images (to choose a recipe, or to tune students on images that their teacher has not seen), else learn from the
    split of the recipe and be judged on the test images.
    Raises a UserError where the data are not to be had.
    """
    run.flush_denormals()
    dataset = prepare_data(spec.dataset)
    network = spec.architecture
    recipe = teachers.recipe(dataset.name, network.name, sum(dataset.counts[:2]))
    if spec.epochs is not None:
        recipe = replace(recipe, epochs=spec.epochs, restart=recipe.restart if recipe.restart < spec.epochs else 0)
    if hold_out:
        recipe = replace(recipe, learns_from="train")
    learned = dataset.split(recipe.learns_from)
    judged_on: data.Split = "validation" if hold_out else "test"
    judged = dataset.split(judged_on)
    chosen = run.choose_device(device)
    material = train.Material(
        inputs=models.inputs(learned.pixels, dataset.mean, dataset.std),
        labels=torch.from_numpy(np.array(learned.labels)),
        teacher_logits=None,
        test_inputs=models.inputs(judged.pixels, dataset.mean, dataset.std),
        test_labels=torch.from_numpy(np.array(judged.labels)),
        test_teacher_logits=None,
    ).to(chosen)
    _per_epoch, steps = train.steps_of(len(learned), recipe.batch_size, recipe.epochs)
    how = strategy.choose_for_teacher(
        network, recipe.batch_size, steps, EVALUATIONS, settings.workers().threads,
        dropout=recipe.dropout_hidden > 0, device=chosen.type, earlier=earlier,
    )  # fmt: skip
    run.settle(how)
    plan = train.Plan(
        network=network,
        students=[],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        optimizer=recipe.optimizer,
        schedule="linear",
        recipe=recipe,
        evaluations=EVALUATIONS,
        precision=how.precision,  # type: ignore[arg-type]
        compiled=how.compiled,
    )
    stacks = [turns.Stack(replace(plan, students=[member]), material, [n]) for n, member in enumerate(spec.students)]
    chosen_here = {
        "device": str(chosen),
        "precision": how.precision,
        "threads": how.threads,
        "compiled": how.compiled,
        "programs": len(stacks),
        "why": how.why,
        "made": machine.here(),
        "data_sha256": dataset.sha256,
        "images": len(learned),
        "epochs": recipe.epochs,
    }
    return Training(spec, recipe, dataset, stacks, chosen_here, judged_on)


def result(training: Training, last: turns.Progress) -> dict[str, Any]:
    """Return how a teacher's training ended: spec, seconds, errors of the members and of all together."""
    logits, labels = _kept(training, last)[1], training.stacks[0].material.test_labels
    joined = int((logits.mean(0).argmax(-1) != labels).sum())
    return {
        "spec": training.spec.to_dict(),
        "seconds": last.seconds,
        "teacher": {
            "name": training.spec.name,
            "accuracy": 1 - joined / len(labels),
            "errors": joined,
            "member_errors": (logits.argmax(-1) != labels).sum(-1).tolist(),
            "parameters": training.spec.architecture.parameters,
        },
        "settings": training.settings,
    }


def _kept(training: Training, last: turns.Progress) -> tuple[models.Parameters, torch.Tensor]:
    """Return the weights as they are kept, members stacked, and the logits that these give on the images that judge."""
    each = [last.parameters(member) for member in range(teacher_members(training.spec.network)[1])]
    weights = {key: torch.cat([one[key] for one in each]) for key in each[0]}
    if not training.recipe.half:
        return weights, last.test_logits()
    # Biases and statistics are few, and a statistic may be beyond the range of half precision.
    weights = {key: tensor.half() if key.endswith(".weight") else tensor for key, tensor in weights.items()}
    network, inputs = training.spec.architecture, training.stacks[0].material.test_inputs
    rounded = {key: tensor.to(inputs.dtype) for key, tensor in weights.items()}
    members = range(len(each))
    return weights, torch.cat([models.logits(network, models.one(rounded, member), inputs) for member in members])


def save(training: Training, last: turns.Progress, folder: Path) -> teachers.Card:
    """Write a trained teacher's weights and card into a folder. Raises DataUnavailable where it cannot be written."""
    spec, network = training.spec, training.spec.architecture
    _network_name, members = teacher_members(spec.network)
    ended = result(training, last)["teacher"]
    return teachers.save(
        folder, _kept(training, last)[0],
        name=spec.name, dataset=spec.dataset, network=network.name, seed=spec.seed, accuracy=ended["accuracy"],
        errors=ended["errors"], test_images=len(training.stacks[0].material.test_labels), parameters=network.parameters,
        multiply_adds=network.multiply_adds, bytes=network.bytes, recipe=asdict(training.recipe),
        data_sha256=training.dataset.sha256, date=datetime.date.today().isoformat(), seconds=round(last.seconds, 1),
        versions=machine.versions(),
        members=members, member_errors=ended["member_errors"], copy=training.dataset.copy, judged_on=training.judged_on,
    )  # fmt: skip
