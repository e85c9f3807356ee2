"""Runs worth starting with: each a spec and the reason to look at it. The reasons' figures come from records, not from here.

Every preset has a record made by `python -m kdviz distill --record`: NAME.json, the run that the page shows before the
reader's own. One that was chosen for its effect has NAME.validation.json too, the same students judged on validation images,
on which it was chosen; a sweep asks a question and was not chosen for its answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kdviz import settings
from kdviz.i18n import N_
from kdviz.spec import RunSpec

RECORDS = settings.ASSETS / "recorded"


@dataclass(frozen=True)
class Preset:
    """title, reason: messages; the reason may use {points}, {low}, {high}, in points, of the comparison on validation images.
    That of a sweep is a question: it has no one comparison."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any]

    @property
    def sweep(self) -> bool:
        return bool(self.spec.swept)

    @property
    def spec(self) -> RunSpec:
        return RunSpec.from_dict(self.values)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "few-labels",
            N_("Few images"),
            N_(
                "The students see 142 images, one in ten. A hard label says one thing about an image, the teacher's soft targets "
                "say ten: chosen because distillation gained {points} points [{low}, {high}] on validation images."
            ),
            {"student": "mlp-100", "fraction": 0.1, "temperature": [8], "epochs": 400, "batch_size": 16, "seeds": 8},
        ),
        Preset(
            "mnist-few-images",
            N_("Few images of MNIST"),
            N_(
                "The students see 3% of MNIST, as much as the speech recognisers of the paper's section 6, and 10,000 test "
                "images can tell small differences apart: chosen because distillation gained {points} points [{low}, {high}] "
                "on validation images."
            ),
            {
                "dataset": "mnist",
                "student": "mlp-100",
                "fraction": 0.03,
                "temperature": [8],
                "epochs": 40,
                "batch_size": 32,
            },
        ),
        Preset(
            "all-images",
            N_("All images"),
            N_(
                "The students see all 1,437 training images, and hard labels alone nearly reach the teacher: "
                "on validation images the difference was {points} points [{low}, {high}]."
            ),
            {},
        ),
        Preset(
            "linear-student",
            N_("A student too simple"),
            N_(
                "A softmax regression cannot bend its boundaries to follow the teacher's shades: "
                "on validation images the difference was {points} points [{low}, {high}]."
            ),
            {"student": "linear"},
        ),
        Preset(
            "temperature-by-width",
            N_("Temperature by width"),
            N_("Does a narrow student need another temperature than a wide one? Eight temperatures, three widths, five seeds."),
            {
                "student": ["mlp-8", "mlp-16", "mlp-64"],
                "temperature": [0.5, 1, 2, 4, 8, 16, 32, 64],
                "epochs": 100,
            },
        ),
        Preset(
            "temperature-by-images",
            N_("Temperature by images"),
            N_("Do soft targets help more where images are few? Five temperatures, from 70 images to 1,437, eight seeds."),
            {
                "student": "mlp-30",
                "temperature": [1, 2, 4, 8, 16],
                "fraction": [0.05, 0.1, 0.3, 1],
                "batch_size": 16,
                "epochs": 100,
                "seeds": 8,
            },
        ),
        Preset(
            "weight-by-temperature",
            N_("Weights by temperature"),
            N_(
                "How much should the soft targets weigh against the hard labels, and does that depend on the temperature? "
                "The hard labels weigh 1, the soft targets from 0 to 10."
            ),
            {
                "student": "mlp-16",
                "temperature": [1, 2, 4, 8, 16],
                "soft_weight": [0, 0.1, 0.3, 1, 3, 10],
                "hard_weight": 1,
                "fraction": 0.3,
                "epochs": 100,
            },
        ),
    )
}


@lru_cache
def record(name: str, on_validation: bool = False) -> dict[str, Any]:
    """Return a preset's record: `made` (date, machine, versions), `result` (as the command line prints it), `points`."""
    file = RECORDS / f"{name}{'.validation' if on_validation else ''}.json"
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content
