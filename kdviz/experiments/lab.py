"""One bug of the misconception lab against the right loss: a small run, and what its result says.

Of the lab's quick form, the run that has the bug, with no other bug in it; where the images are not on the machine, the same
question of digits, which ship with kdviz. Knows no training and no page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdviz import experiments
from kdviz.experiments import Said
from kdviz.experiments.claims import bugs
from kdviz.experiments.claims.common import OF_DIGITS
from kdviz.i18n import N_
from kdviz.misconceptions import RIGHT
from kdviz.spec import RunSpec

EXPECTED: Mapping[str, str] = {
    "harms": N_("The students make more errors than with the right line."),
    "neither": N_("No difference is visible."),
    "helps": N_("The students make fewer errors than with the right line."),
    "unknown": N_("It cannot be told: one seed has no interval."),
}
"""What a reader may expect of a bug."""
KEPT = ("temperature", "hard_weight", "optimizer", "learning_rate")


def spec(bug: str, has_images: bool = True) -> RunSpec:
    """Return the run of a bug beside the right loss. has_images: whether the images of the lab's own run are on this machine."""
    parts = experiments.find("misconceptions").quick
    values: dict[str, Any] = next(dict(part) for part in parts.values() if bug in part["loss"])
    values["loss"] = [RIGHT, bug]
    if "dataset" in values and not has_images:
        kept = {name: value for name, value in values.items() if name in KEPT}
        values = {**OF_DIGITS, **kept, "loss": values["loss"], "seeds": 8}
    return RunSpec.from_dict(values)


def row(bug: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run of `spec` shows of a bug, as the experiment's `measured` has it in a row."""
    found = {(one["against"], one["loss"]): one for one in result["comparisons"]}
    wrong, right, harm = found["hard_labels", bug], found["hard_labels", RIGHT], found["distilled", bug]
    return {"loss": bug, "temperature": harm["temperature"], "harm": harm, "gain_of_right": right, "gain_of_wrong": wrong}


def committed(bug: str, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a result of the whole experiment has of a bug, at its highest temperature; None where it has nothing."""
    return bugs.hottest(result["measured"]["rows"]).get(bug)


def verdict(of: Mapping[str, Any]) -> tuple[str, Said]:
    """Return what a row says: a key of EXPECTED, and the sentence."""
    _all, said = bugs.verdict({"rows": [dict(of)]})
    return experiments.outcome(of["harm"]), said[0]
