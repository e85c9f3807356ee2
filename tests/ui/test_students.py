"""Students beside the teacher: those of the newest finished run of this teacher, read from the store when they are asked for."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from kdviz import settings
from kdviz.spec import RunSpec
from kdviz.store import open_store
from tests.ui.test_soft_targets_page import dial, page

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("own_data")]
IMAGES, NUMBER = 360, 12


def finished(spec: RunSpec, images: int = IMAGES, seed: int = 0) -> np.ndarray:
    """Put a finished run into the store, its students' logits made up, and return them: (students, images, classes)."""
    store = open_store(settings.store_url())
    store.add_run(spec)
    run = store.claim()
    assert run is not None
    logits = np.random.default_rng(seed).normal(0, 3, (len(spec.students), images, 10)).astype(np.float32)
    kept = []
    for each in logits:
        file = io.BytesIO()
        np.save(file, each)
        kept.append({"weights": b"", "test_logits": file.getvalue(), "correct": b""})
    store.finish(run.id, run.attempt, "done", {}, kept)
    return logits


def asked(at: AppTest) -> dict[str, Any]:
    at.session_state["soft_targets_students"] = True
    at.run()
    assert not at.exception
    return dict(dial(at)["students"])


def test_nobody_asks_the_store_before_the_reader_does() -> None:
    at = page(image=str(NUMBER))
    assert dial(at)["students"] == {"wanted": False, "panels": [], "note": ""}
    given = asked(at)
    assert (given["wanted"], given["panels"]) == (True, [])
    assert "No run of this teacher has finished yet" in given["note"]


def test_students_are_those_of_the_newest_plain_run_of_this_teacher() -> None:
    spec = RunSpec(student=("linear",), temperature=(4.0,), seeds=2)
    finished(spec, seed=1)
    logits = finished(spec, seed=2)
    finished(RunSpec(student=("linear",), temperature=(2.0, 4.0), seeds=1), seed=3)  # a sweep
    finished(RunSpec(student=("linear",), teacher="cnn-x5", seeds=1), seed=4)  # another teacher
    finished(RunSpec(student=("linear",), seeds=1, evaluate_on="validation"), seed=5)  # other images
    given = asked(page(image=str(NUMBER)))
    by_kind = {panel["kind"]: np.asarray(panel["logits"]) for panel in given["panels"]}
    for kind, condition in (("distilled", "distilled"), ("hard_labels", "hard_labels")):
        mine = [number for number, student in enumerate(spec.students) if student.condition == condition]
        np.testing.assert_array_equal(by_kind[kind], logits[mine, NUMBER])
    assert "T = 4" in given["note"]


def test_students_of_other_images_are_not_shown() -> None:
    finished(RunSpec(student=("linear",), seeds=1), images=IMAGES - 1)
    given = asked(page(image=str(NUMBER)))
    assert not given["panels"]
    assert "answered other images" in given["note"]
