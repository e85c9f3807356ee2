"""Runs worth starting with: each a spec and the reason to look at it. The reasons' figures come from records, not from here.

Every preset has two records made by `python -m kdviz distill --record`: NAME.json, the run that the page shows before the
reader's own, and NAME.validation.json, the same students judged on validation images, on which the preset was chosen.
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
    """title, reason: messages; the reason may use {points}, {low}, {high}, in points, of the comparison on validation images."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any]

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
    )
}


@lru_cache
def record(name: str, on_validation: bool = False) -> dict[str, Any]:
    """Return a preset's record: `made` (date, machine, versions), `result` (as the command line prints it), `points`."""
    file = RECORDS / f"{name}{'.validation' if on_validation else ''}.json"
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content
