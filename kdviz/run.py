"""A run from its spec to its result: finds dataset and teacher, picks the transfer set, trains, compares.

The engine's workers and the command line both go through `prepare`, `Prepared.training` and `result`; only where points are
written differs. Knows no store and no page.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from kdviz import answers, data, machine, misconceptions, models, settings, stats, strategy, teachers, train, turns
from kdviz.data.prepare import prepare as prepare_data
from kdviz.errors import InvalidValue, quoted
from kdviz.i18n import N_
from kdviz.spec import FURTHER, Condition, RunSpec, Setting


@dataclass(frozen=True)
class Prepared:
    """A run ready to train: what it was made from, its programs, and the choices that this machine made for it."""

    spec: RunSpec
    card: teachers.Card
    dataset: data.Dataset
    stacks: list[turns.Stack]
    settings: dict[str, Any]

    @property
    def judges(self) -> train.Material:
        """The images that judge are the same for all students: those of any program."""
        return self.stacks[0].material

    def training(
        self, checkpoint: bytes | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[turns.Progress]:
        """Train it, as `turns.take_turns` does."""
        yield from turns.take_turns(self.stacks, checkpoint, should_stop)
        if self.settings["compiled"]:  # its programs are kept, so that the next run like it has them at once
            mark = strategy.marker(self.spec, self.settings["precision"], self.settings["threads"])
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


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


def prepare(spec: RunSpec, device: str = "auto", earlier: Mapping[str, Any] | None = None, compiling: str = "auto") -> Prepared:
    """Load what a run needs and decide how it trains here, setting torch's threads accordingly.

    earlier: the settings stored by an earlier attempt, which are kept; compiling: auto, yes or no.
    Raises a UserError where data or teacher are not to be had.
    """
    flush_denormals()
    card = teachers.find(spec.dataset, spec.teacher)
    teachers.verify(card)  # its logits may be stored already, but a run never stands on weights that are not the card's
    dataset = prepare_data(spec.dataset)
    chosen = choose_device(device)
    logits = teachers.logits(card, dataset)
    members = teachers.stored_member_logits(card, dataset) if card.members > 1 else None
    learned = {fraction: answers.transfer_set(spec, dataset, fraction) for fraction in spec.fraction}
    images = {fraction: len(numbers) for fraction, numbers in learned.items()}
    judged = dataset.slice(spec.judged_on)
    how = strategy.choose(spec, images, judged.stop - judged.start, settings.workers().threads, compiling, earlier, chosen.type)
    settle(how)
    judges: dict[str, Any] = {
        "test_inputs": models.inputs(dataset.pixels[judged], dataset.mean, dataset.std),
        "test_labels": torch.from_numpy(np.array(dataset.labels[judged])),
        "test_teacher_logits": torch.from_numpy(np.array(logits[judged])),
    }
    material = {}
    for fraction, seen in learned.items():
        answered, weightings = answers.learned_from(spec, card, dataset, logits, seen, members)
        material[fraction] = train.Material(
            inputs=models.inputs(dataset.pixels[seen], dataset.mean, dataset.std),
            labels=torch.from_numpy(dataset.labels[seen]),
            teacher_logits=torch.from_numpy(answered[0] if len(answered) == 1 else answered),
            weightings=None if weightings is None else torch.from_numpy(weightings),
            **judges,
        ).to(chosen)
    students = spec.students
    stacks = []
    for numbers, evaluations in zip(how.stacks, how.evaluations, strict=True):
        first = students[numbers[0]]
        plan = train.Plan(
            network=models.architecture(first.network, dataset.shape, len(dataset.class_names)),
            students=[students[number] for number in numbers],
            epochs=spec.epochs,
            batch_size=spec.batch_size,
            learning_rate=spec.learning_rate,
            optimizer=spec.optimizer,
            schedule=spec.schedule,  # type: ignore[arg-type]
            precision=how.precision,  # type: ignore[arg-type]
            evaluations=evaluations,
            compiled=how.compiled,
        )
        stacks.append(turns.Stack(plan, material[first.fraction], numbers))
    chosen_here = {
        "device": str(chosen),
        "graphics_card": torch.cuda.get_device_name() if chosen.type == "cuda" else None,
        "precision": how.precision,
        "threads": how.threads,
        "compiled": how.compiled,
        "programs": len(stacks),
        "evaluations": how.evaluations,
        "why": how.why,
        "batch_order": strategy.BATCH_ORDER,
        "made": machine.here(),
        "teacher_sha256": card.sha256,
        "data_sha256": dataset.sha256,
        "transfer_images": max(images.values()),
    }
    return Prepared(spec, card, dataset, stacks, chosen_here)


def settle(how: strategy.Strategy) -> None:
    """Set up this process for a training."""
    if how.compiled:
        strategy.compiled_folder()
    torch.set_num_threads(how.threads)


def flush_denormals() -> None:
    """Have the processor take numbers below 1e-38 for 0: a moment of Adam that decays so far made steps twice as long (measured).

    Call it before anything is computed: the threads that help take the setting from the one that starts them, when it does.
    """
    torch.set_flush_denormal(True)


def teacher_facts(prepared: Prepared) -> dict[str, Any]:
    """Return the teacher as the JSON contract has it, judged on the same images as the students."""
    judges = prepared.judges
    assert judges.test_teacher_logits is not None
    wrong = judges.test_teacher_logits.argmax(-1) != judges.test_labels
    errors = int(wrong.sum())
    return {
        "name": prepared.card.name,
        "accuracy": 1 - errors / len(wrong),
        "errors": errors,
        "parameters": prepared.card.parameters,
    }


def kept(prepared: Prepared, last: turns.Progress) -> list[dict[str, bytes]]:
    """Return what is kept of each student: weights (safetensors), logits on the images that judge and which of those are
    answered rightly (npy)."""
    import safetensors.torch

    correct, logits = correctness(last, prepared), last.test_logits()
    return [
        {
            "weights": safetensors.torch.save({key: t.contiguous().cpu() for key, t in last.parameters(s).items()}),
            "test_logits": _npy(logits[s].float().cpu().numpy()),
            "correct": _npy(np.packbits(correct[s])),
        }
        for s in range(len(correct))
    ]


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def correctness(progress: turns.Progress, prepared: Prepared) -> np.ndarray:
    """Return which test images each student answers rightly: (S, n) bool."""
    right: np.ndarray = (progress.test_logits().argmax(-1) == prepared.judges.test_labels).cpu().numpy()
    return right


def pairs(spec: RunSpec, setting: Setting) -> list[tuple[Condition, list[int], Condition, list[int]]]:
    """Return who is compared with whom in a setting: (condition, numbers, against, numbers).

    Every condition with hard labels; the distilled with every further one, whose difference is what that one lacks of the gain;
    and those with a wrong loss with those with the right one, if there are any: `distilled` against `distilled`.
    """
    who: dict[Condition, list[int]] = {condition: spec.members(condition, setting) for condition in spec.conditions}
    further = [condition for condition in FURTHER if condition in who]
    asked: list[tuple[Condition, Condition]] = [("distilled", "hard_labels")]
    if setting.loss == spec.loss[0]:
        asked += [(condition, "hard_labels") for condition in further]
    asked += [("distilled", condition) for condition in further]
    found = [(one, who[one], two, who[two]) for one, two in asked]
    if setting.loss != misconceptions.RIGHT and misconceptions.RIGHT in spec.loss:
        right = spec.members("distilled", setting._replace(loss=misconceptions.RIGHT))
        found.append(("distilled", who["distilled"], "distilled", right))
    return found


def difference(correct: np.ndarray, correct_control: np.ndarray) -> dict[str, Any]:
    """Return `stats.paired_difference` as plain values."""
    return asdict(stats.paired_difference(correct, correct_control))


def result(prepared: Prepared, last: turns.Progress) -> dict[str, Any]:
    """Return a run's result as the JSON contract of the command line has it: spec, seconds, teacher, students, comparisons."""
    spec, students = prepared.spec, prepared.spec.students
    correct = correctness(last, prepared)
    parameters = {stack.plan.network.name: stack.plan.network.parameters for stack in prepared.stacks}
    rows = [
        {
            "condition": student.condition,
            "student": student.network,
            "temperature": student.temperature,
            "soft_weight": student.soft_weight,
            "loss": student.loss,
            "fraction": student.fraction,
            "seed": student.seed,
            "accuracy": point.accuracy,
            "errors": point.errors,
            "agreement": point.agreement,
            "kl": point.kl,
            "train_accuracy": seen,
            "parameters": parameters[student.network],
        }
        for student, point, seen in zip(students, last.last_points(), last.train_accuracies(), strict=True)
    ]
    comparisons = [
        {"condition": condition, "against": against, **setting._asdict(), **difference(correct[ours], correct[theirs])}
        for setting in spec.settings
        for condition, ours, against, theirs in pairs(spec, setting)
    ]
    return {
        "spec": spec.to_dict(),
        "seconds": last.seconds,
        "teacher": teacher_facts(prepared),
        "students": rows,
        "comparisons": comparisons,
        "settings": prepared.settings,
    }
