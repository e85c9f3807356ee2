"""What of ours stands beside each figure found elsewhere: of an experiment's measured figures, by the keys of its `paper`.

A table of plain texts; a page needs no more. Knows no page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdviz.experiments import Experiment, Said
from kdviz.i18n import N_


@dataclass(frozen=True)
class Row:
    """A figure found elsewhere and ours. what: a message; papers: empty where there is none; where: the section that says so."""

    what: str
    papers: str
    ours: str | Said
    where: str


def table(experiment: Experiment, measured: Mapping[str, Any]) -> list[Row]:
    """Return a row for each figure found elsewhere, then those of ours that have none beside them."""
    ours = {key: list(texts) for key, texts in experiment.beside(dict(measured)).items()}
    rows = [
        Row(found.what, found.stated or f"{found.value:g}", ours[found.key].pop(0), found.where) for found in experiment.paper
    ]
    return rows + [Row(message, "", text, "") for key, message in OURS_ALONE.items() for text in ours.get(key, [])]


OURS_ALONE = {
    "before": N_("errors before the bias is raised"),
    "best_on_test": N_("errors with the bias that is best on the test images"),
    "papers": N_("errors with the paper's bias"),
    "papers_percent": N_("errors with the paper's bias, percent"),
    "as_few": N_("errors with no more of the class wrong than the paper's best bias leaves, 14"),
    "matched": N_("errors with the bias that needs no test label"),
    "matched_percent": N_("errors with the bias that needs no test label, percent"),
}
