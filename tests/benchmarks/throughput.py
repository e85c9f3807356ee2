"""How fast kdviz trains, and how fast this processor multiplies matrices: one measurement a process, one JSON object printed.

    python -m tests.benchmarks.throughput '{"measure": "peak", "seconds": 3}'
    python -m tests.benchmarks.throughput '{"measure": "students", "teacher": "mlp-1200-1200", "student": "mlp-30-30",
        "temperatures": [2, 4], "compiled": false, "steps": null, "epochs": 3, "batch_size": 128, "precision": "fp32"}'
    python -m tests.benchmarks.throughput '{"measure": "teacher", "network": "mlp-1200-1200", "compiled": false, "steps": 100}'

`python -m kdviz bench` starts it, in turn with the yardstick. MNIST, on the CPU; what a run is made of comes from kdviz.run.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from kdviz import data, models, run, settings, strategy, teachers, train
from kdviz.errors import UserError
from kdviz.spec import RunSpec, Student

WARM_UP = 50
SHAPES = ((1024, 1024, 1024), (800, 784, 128), (800, 800, 128), (480, 784, 128), (1200, 1200, 256))


def peak(seconds: float) -> dict[str, Any]:
    """Multiply matrices for so long. Returns GFLOP/s by precision, the best of all, and the best of each shape."""
    torch.set_num_threads(settings.workers().threads)
    shapes: dict[str, dict[str, float]] = {}
    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        for m, k, n in SHAPES:
            a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
            torch.mm(a, b)
            best, end = math.inf, time.perf_counter() + seconds / (2 * len(SHAPES))
            while (began := time.perf_counter()) < end:
                torch.mm(a, b)
                best = min(best, time.perf_counter() - began)
            shapes.setdefault(kind, {})[f"{m} x {k} x {n}"] = 2 * m * k * n / best / 1e9
    return {"gflops": {kind: max(rates.values()) for kind, rates in shapes.items()}, "shapes": shapes}


def students(student: str, temperatures: list[float], compiled: bool, steps: int | None, **knobs: Any) -> dict[str, Any]:
    """Train distilled students, one for each temperature, all of one seed, without their control."""
    spec = RunSpec.from_dict({"dataset": "mnist", "student": student, "temperature": temperatures, "seeds": 1, **knobs})
    (stack,) = run.prepare(spec, "cpu", compiling="no").stacks
    distilled = [one for one in stack.plan.students if one.condition == "distilled"]
    measured = measure(replace(stack.plan, students=distilled, compiled=compiled), stack.material, steps)
    return {**measured, "temperatures": [one.temperature for one in distilled]}


def teacher(network: str, compiled: bool, steps: int | None) -> dict[str, Any]:
    """Train a teacher for an epoch by its recipe, as kdviz.teacher_run does; compiled, in bf16 where strategy would."""
    run.flush_denormals()
    dataset, recipe = data.load("mnist"), teachers.recipe("mnist", network, 60_000)
    torch.set_num_threads(settings.workers().threads)
    learned, judged = dataset.split(recipe.learns_from), dataset.split("test")
    material = train.Material(
        inputs=models.inputs(learned.pixels, dataset.mean, dataset.std),
        labels=torch.tensor(learned.labels),
        teacher_logits=None,
        test_inputs=models.inputs(judged.pixels, dataset.mean, dataset.std),
        test_labels=torch.tensor(judged.labels),
        test_teacher_logits=None,
    )
    plan = train.Plan(
        network=models.architecture(network, dataset.shape, len(dataset.class_names)),
        students=[Student("hard_labels", None, 0, 0.0, 1.0)],
        epochs=1,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        schedule="linear",
        precision="bf16" if compiled and strategy.bf16_gain() > 1.7 else "fp32",
        recipe=recipe,
        compiled=compiled,
    )
    return {key: value for key, value in measure(plan, material, steps).items() if key != "errors"}


def measure(plan: train.Plan, material: train.Material, steps: int | None) -> dict[str, Any]:
    """Train, on the images of so many steps if they are limited. Returns the speed after the first steps, and how it ended."""
    everything = len(material.labels)
    if steps is not None:
        some = min(everything, steps * plan.batch_size)
        teacher = None if material.teacher_logits is None else material.teacher_logits[:some]
        material = replace(material, inputs=material.inputs[:some], labels=material.labels[:some], teacher_logits=teacher)
        plan = replace(plan, epochs=1)
    if plan.compiled:
        strategy.compiled_folder()
    images = len(material.labels)
    per_epoch, total = train.steps_of(images, plan.batch_size, plan.epochs)
    # The first evaluation after the beginning comes at step total / evaluations², where the clock is read: after compiling.
    plan = replace(plan, evaluations=max(2, int(math.sqrt(total / WARM_UP))))
    _beginning, warm, *_others, last = (of for of in train.train(plan, material) if isinstance(of, train.Evaluation))
    seconds = last.points[0].seconds - warm.points[0].seconds
    epochs, within = divmod(warm.step, per_epoch)
    seen = (plan.epochs - epochs) * images - within * plan.batch_size
    compiling = max(0.0, warm.points[0].seconds - warm.step * seconds / (last.step - warm.step)) if plan.compiled else 0.0
    return {
        "images_per_second": len(plan.students) * seen / seconds,
        "seconds_per_epoch": everything * seconds / seen,
        "training_seconds": last.points[0].seconds - compiling,
        **({"compile_seconds": compiling} if plan.compiled else {}),
        "errors": [point.errors for point in last.points],
        "test_images": len(material.test_labels),
        "flops_per_image": flops(plan.network),
        "threads": torch.get_num_threads(),
        "precision": plan.precision,
        "batch_size": plan.batch_size,
        "epochs": plan.epochs,
        "how": f"{'compiled' if plan.compiled else 'eager'}, {plan.precision}",
    }


def flops(network: models.Architecture) -> int:
    """Return the floating point operations of an image's step: forward and two gradients, but nobody needs that of the inputs."""
    return 6 * network.multiply_adds - 2 * network.layers[0].multiply_adds


def main() -> None:
    order = json.loads(sys.argv[1])
    known: dict[str, Callable[..., dict[str, Any]]] = {"peak": peak, "students": students, "teacher": teacher}
    try:
        print(json.dumps(known[order.pop("measure")](**order)))
    except UserError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
