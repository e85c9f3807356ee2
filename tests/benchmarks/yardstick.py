"""The yardstick: PyTorch's knowledge distillation tutorial's own loop, unchanged but for data and model.

Its loop (pytorch.org/tutorials, "Knowledge Distillation Tutorial", train_knowledge_distillation) reads a torchvision dataset
through a DataLoader image by image, lets the teacher speak at every step, and trains one student.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from kdviz import data, models, settings, teachers
from kdviz.data.vision import torchvision


def module(network: models.Architecture, parameters: models.Parameters | None = None) -> nn.Sequential:
    """Return a network as the tutorial would write it, with the weights of a teacher (stacked, S = 1) if given."""
    layers: list[nn.Module] = []
    for number, layer in enumerate(network.layers):
        if isinstance(layer, models.Conv):
            layers += [nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, padding="same"), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if layer.pool else []
            continue
        if not any(isinstance(part, nn.Flatten) for part in layers):
            layers.append(nn.Flatten())
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


def loader(train: bool, batch_size: int, workers: int) -> Any:
    """Return the tutorial's DataLoader over torchvision's MNIST, normalised by the transform."""
    known, transforms = data.load("mnist"), torchvision().transforms
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(known.mean, known.std)])
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


def build(teacher_name: str, student_name: str) -> tuple[nn.Module, nn.Module]:
    """Return teacher and student of MNIST as plain modules."""
    network, parameters = teachers.load(teachers.find("mnist", teacher_name))
    known = data.source("mnist")
    student = models.architecture(student_name, known.shape, len(known.class_names))
    return module(network, parameters), module(student)
