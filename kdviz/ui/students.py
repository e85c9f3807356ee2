"""The students whose soft targets stand beside the teacher's: those of the newest finished run of this teacher, from the store.

Read with numpy alone, and only when the reader asks: the first paint opens no store.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from kdviz.figures import Kind
from kdviz.i18n import _
from kdviz.teachers import Card
from kdviz.ui import server
from kdviz.ui.components.dial import Panel, Students

if TYPE_CHECKING:
    from kdviz.store import Run

WANTED = "soft_targets_students"


def of(card: Card, number: int, images: int) -> Students:
    """Return what students of a teacher say to test image `number` of so many, if the reader wants to see any."""
    if not st.session_state.get(WANTED):
        return Students(wanted=False)
    from kdviz.ui import shown  # SQLAlchemy, which the first page does without

    run = _newest(card)
    if run is None:
        return Students(True, note=_("No run of this teacher has finished yet: start one on the page Distill."))
    conditions = _logits(run.id, run)
    if any(logits.shape[1] != images for logits in conditions.values()):
        return Students(True, note=_("The students of the last run of this teacher answered other images."))
    labels: dict[Kind, str] = {"distilled": _("distilled students"), "hard_labels": _("hard-label students")}
    return Students(
        True,
        [Panel(kind, labels[kind], logits[:, number]) for kind, logits in conditions.items()],
        _("Students: the mean soft targets of those of the run {run}.", run=shown.name(run)),
    )


def _newest(card: Card) -> Run | None:
    """Return the newest finished run with one kind of student, judged on the test images."""
    from kdviz.spec import RunSpec

    for run in server.store().runs():
        spec = run.spec
        plain = isinstance(spec, RunSpec) and not spec.swept and spec.evaluate_on == "test"
        if run.state == "done" and plain and (spec.dataset, getattr(spec, "teacher", None)) == (card.dataset, card.short):
            return run
    return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _logits(run_id: str, _run: Run) -> dict[Kind, np.ndarray]:
    """Return the logits of a run's students on all test images, by condition: (seeds, images, classes)."""
    by_condition: dict[Kind, list[np.ndarray]] = {"distilled": [], "hard_labels": []}
    from kdviz.spec import RunSpec

    assert isinstance(_run.spec, RunSpec)
    for student, what in enumerate(_run.spec.students):
        outcome = server.store().outcome(run_id, student)
        if outcome is not None:
            kind: Kind = "distilled" if what.condition == "distilled" else "hard_labels"
            by_condition[kind].append(np.load(io.BytesIO(outcome["test_logits"]), allow_pickle=False))
    return {kind: np.stack(logits) for kind, logits in by_condition.items() if logits}
