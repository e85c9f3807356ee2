"""The yardstick: PyTorch's knowledge distillation tutorial's own loops, unchanged but for data and model.

    python -m tests.benchmarks.yardstick [--student mlp-30-30] [--epochs 3] [--steps N] [--json]
    python -m tests.benchmarks.yardstick --train-teacher [--steps N] [--json]

Its loop (pytorch.org/tutorials, "Knowledge Distillation Tutorial", train_knowledge_distillation) reads a torchvision dataset
through a DataLoader image by image, lets the teacher speak at every step, and trains one student. Here on MNIST, with 0 or 2
loader processes, the quicker of the two. With --train-teacher it is the tutorial's other loop, which trains a network on labels,
with the regularisation of the teacher's recipe in torchvision's and torch.nn's own ways. `python -m kdviz bench` starts both.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import nn

from kdviz import data, models, settings, teachers
from kdviz.data.vision import torchvision

BATCH, LEARNING_RATE, TEMPERATURE, SOFT_WEIGHT, HARD_WEIGHT, SEED = 128, 0.001, 4.0, 1.0, 0.1, 0
PROBE, WARM_UP = 100, 10


def module(
    network: models.Architecture, parameters: models.Parameters | None = None, recipe: teachers.Recipe | None = None
) -> nn.Sequential:
    """Return a network as the tutorial would write it, with the weights of a teacher (stacked, S = 1) if given.

    recipe: its dropout, before the first dense layer and before the others.
    """
    layers: list[nn.Module] = []
    for number, layer in enumerate(network.layers):
        if isinstance(layer, models.Conv):
            layers += [nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, padding="same"), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if layer.pool else []
            continue
        if not any(isinstance(part, nn.Flatten) for part in layers):
            layers.append(nn.Flatten())
        if recipe is not None and (rate := recipe.dropout_hidden if number else recipe.dropout_inputs):
            layers.append(nn.Dropout(rate))
        layers.append(nn.Linear(layer.inputs, layer.outputs))
        layers += [nn.ReLU()] if number < len(network.layers) - 1 else []
    built = nn.Sequential(*layers)
    if parameters is not None:
        own = [part for part in built if isinstance(part, (nn.Linear, nn.Conv2d))]
        with torch.no_grad():
            for number, part in enumerate(own):
                part.weight.copy_(parameters[f"{number}.weight"][0])
                part.bias.copy_(parameters[f"{number}.bias"][0])  # type: ignore[union-attr]
    return built


def loader(train: bool, batch_size: int, workers: int, jitter: int = 0) -> Any:
    """Return the tutorial's DataLoader over torchvision's MNIST, normalised by the transform, shifted by a random crop."""
    known, transforms = data.load("mnist"), torchvision().transforms
    shifted = [transforms.RandomCrop(28, padding=jitter)] if jitter else []
    transform = transforms.Compose([*shifted, transforms.ToTensor(), transforms.Normalize(known.mean, known.std)])
    dataset = torchvision().datasets.MNIST(str(settings.data_folder()), train=train, transform=transform)
    return torch.utils.data.DataLoader(dataset, batch_size=batch_size, shuffle=train, num_workers=workers)


def train_knowledge_distillation(
    teacher: nn.Module,
    student: nn.Module,
    train_loader: Any,
    epochs: int,
    learning_rate: float,
    T: float,
    soft_target_loss_weight: float,
    ce_loss_weight: float,
    device: str,
    steps: int | None = None,
) -> tuple[float, int]:
    """The tutorial's loop. Returns (seconds, images seen); steps: stop after so many, to measure a part of an epoch."""
    ce_loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(student.parameters(), lr=learning_rate)
    teacher.eval()
    student.train()
    seen, done, began = 0, 0, time.perf_counter()
    for _epoch in range(epochs):
        running_loss = 0.0
        for inputs, labels in train_loader:
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(inputs)
            student_logits = student(inputs)
            soft_targets = nn.functional.softmax(teacher_logits / T, dim=-1)
            soft_prob = nn.functional.log_softmax(student_logits / T, dim=-1)
            soft_targets_loss = torch.sum(soft_targets * (soft_targets.log() - soft_prob)) / soft_prob.size()[0] * (T**2)
            label_loss = ce_loss(student_logits, labels)
            loss = soft_target_loss_weight * soft_targets_loss + ce_loss_weight * label_loss
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            seen += len(labels)
            done += 1
            if done == steps:
                return time.perf_counter() - began, seen
    return time.perf_counter() - began, seen


def train(
    model: nn.Module, train_loader: Any, epochs: int, learning_rate: float, device: str, steps: int, max_norm: float
) -> float:
    """The tutorial's loop on labels. Returns images/s of so many steps after a few to warm up, the loader's start left out.

    max_norm: of a hidden unit's incoming weights, which the tutorial lacks; 0 for none.
    """
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    hidden = [part for part in model.modules() if isinstance(part, nn.Linear)][:-1]
    model.train()
    seen, done, began = 0, 0, time.perf_counter()
    for _epoch in range(epochs):
        running_loss = 0.0
        for inputs, labels in train_loader:
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            if max_norm:
                with torch.no_grad():
                    for part in hidden:
                        part.weight.copy_(torch.renorm(part.weight, 2, 0, max_norm))
            running_loss += loss.item()
            seen += len(labels)
            done += 1
            if done == WARM_UP:
                seen, began = 0, time.perf_counter()
            if done == WARM_UP + steps:
                return seen / (time.perf_counter() - began)
    return seen / (time.perf_counter() - began)


def test(model: nn.Module, test_loader: Any, device: str) -> tuple[int, int]:
    """The tutorial's judging. Returns (errors, images)."""
    model.to(device)
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for inputs, labels in test_loader:
            inputs, labels = inputs.to(device), labels.to(device)
            outputs = model(inputs)
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += int((predicted == labels).sum().item())
    return total - correct, total


def build(teacher_name: str, student_name: str) -> tuple[nn.Module, nn.Module]:
    """Return teacher and student of MNIST as plain modules."""
    network, parameters = teachers.load(teachers.find("mnist", teacher_name))
    known = data.source("mnist")
    student = models.architecture(student_name, known.shape, len(known.class_names))
    return module(network, parameters), module(student)


def measure_student(teacher_name: str, student_name: str, epochs: int, steps: int | None) -> dict[str, Any]:
    """Train one student with the quicker loader. Returns its speed and its test errors."""
    images = len(loader(True, BATCH, 0).dataset)
    knobs = (LEARNING_RATE, TEMPERATURE, SOFT_WEIGHT, HARD_WEIGHT, "cpu")
    probes = {}
    for workers in (0, 2):
        teacher, student = build(teacher_name, student_name)
        probe = min(PROBE, steps or PROBE)
        seconds, seen = train_knowledge_distillation(teacher, student, loader(True, BATCH, workers), 1, *knobs, probe)
        probes[workers] = seen / seconds
    workers = max(probes, key=lambda workers: probes[workers])
    torch.manual_seed(SEED)
    teacher, student = build(teacher_name, student_name)
    seconds, seen = train_knowledge_distillation(teacher, student, loader(True, BATCH, workers), epochs, *knobs, steps)
    errors, judged = test(student, loader(False, BATCH, workers), "cpu")
    return {
        "loader_processes": workers, "probes": probes, "threads": torch.get_num_threads(), "batch_size": BATCH,
        "images_per_second": seen / seconds, "seconds_per_epoch": images * seconds / seen, "training_seconds": seconds,
        "errors": [errors], "test_images": judged,
    }  # fmt: skip


def measure_teacher(name: str, steps: int | None) -> dict[str, Any]:
    """Train a part of an epoch of a teacher by its recipe, with 0 and with 2 loader processes. Returns the quicker's speed."""
    recipe, known = teachers.recipe("mnist", name, 60_000), data.source("mnist")
    network = models.architecture(name, known.shape, len(known.class_names))
    images, probes = len(loader(True, recipe.batch_size, 0).dataset), {}
    for workers in (0, 2):
        torch.manual_seed(SEED)
        batches = loader(True, recipe.batch_size, workers, recipe.jitter)
        model = module(network, recipe=recipe)
        probes[workers] = train(model, batches, 1, recipe.learning_rate, "cpu", steps or PROBE, recipe.max_norm)
    workers = max(probes, key=lambda workers: probes[workers])
    return {
        "loader_processes": workers, "probes": probes, "threads": torch.get_num_threads(), "batch_size": recipe.batch_size,
        "images_per_second": probes[workers], "seconds_per_epoch": images / probes[workers],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.yardstick")
    parser.add_argument("--teacher", default="mlp-1200-1200", metavar="NAME")
    parser.add_argument("--student", default="mlp-30-30", metavar="NAME")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--steps", type=int, metavar="N", help="stop each training after so many")
    parser.add_argument("--train-teacher", action="store_true", help="train the teacher for a part of an epoch instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    if asked.train_teacher:
        measured = measure_teacher(asked.teacher, asked.steps)
    else:
        measured = measure_student(asked.teacher, asked.student, asked.epochs, asked.steps)
    if asked.json:
        print(json.dumps(measured))
        return
    print(
        f"{measured['images_per_second']:,.0f} images/s, {measured['seconds_per_epoch']:.1f} s an epoch, "
        f"{measured['loader_processes']} loader processes, {measured['threads']} threads"
    )
    if "errors" in measured:
        print(f"{measured['errors'][0]} errors on {measured['test_images']:,} test images")


if __name__ == "__main__":
    main()
