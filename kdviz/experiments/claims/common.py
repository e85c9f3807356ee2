"""What several claims share: the settings of their runs, why figures may differ, the teacher's answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdviz import data, teachers
from kdviz.experiments import HINTON, Part
from kdviz.i18n import N_
from kdviz.spec import RunSpec

SECTION = f"{HINTON}, section 3"
TEACHER = {"dataset": "mnist", "teacher": "mlp-1200-1200"}
WIDE: dict[str, Any] = {**TEACHER, "student": "mlp-800-800", "temperature": [20], "schedule": "linear", "batch_size": 256}
QUICK: dict[str, Any] = {**TEACHER, "student": "mlp-300-300", "temperature": [20], "schedule": "linear", "batch_size": 128,
                         "epochs": 12, "learning_rate": 0.002, "seeds": 3}  # fmt: skip


FEW: dict[str, Any] = {**TEACHER, "student": "mlp-100", "fraction": 0.03, "batch_size": 32, "epochs": 30}
OF_DIGITS: dict[str, Any] = {"student": "mlp-100", "fraction": 0.1, "batch_size": 16, "epochs": 150, "teacher": "cnn-x5"}


JITTER = N_("The paper's teacher saw jittered images and so did ours; no student did, theirs or ours.")
TUNED = N_(
    "Learning rates, epochs and the weight of the hard labels were chosen on the 10,000 validation images, with a teacher that "
    "never saw them."
)
PLAIN = N_("Not tuned for this question: learning rate and batch size are the same for every condition.")


ALL_IMAGES = N_(
    "The teacher learned from all the images, as the paper's did: through its soft targets students have something of those that "
    "they never see."
)


def teacher_logits(part: Part) -> np.ndarray:
    """Return the stored logits of a part's teacher on the images that judge: (n, classes)."""
    spec: RunSpec = part.spec
    opened = data.load(spec.dataset)
    logits = teachers.stored_logits(teachers.find(spec.dataset, spec.teacher), opened)
    assert logits is not None  # the part was trained from them
    chosen: np.ndarray = np.asarray(logits[opened.slice(spec.judged_on)])
    return chosen
