"""What the Soft targets page looks at: dataset, teacher, test image, temperature. In the session and in the link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data, teachers
from kdviz.errors import InvalidValue, UserError, quoted
from kdviz.figures import numbers
from kdviz.i18n import N_
from kdviz.soft_targets import check_temperature
from kdviz.ui import galleries, link
from kdviz.ui.galleries import Answers

PAGE = "soft_targets"
DATASET, TEACHER, IMAGE, TEMPERATURE = (f"{PAGE}_{name}" for name in ("dataset", "teacher", "image", "T"))
Values = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One image and what the teacher says to it. number: among the test images; logits: (classes,)."""

    answers: Answers
    number: int

    @property
    def logits(self) -> np.ndarray:
        return np.asarray(self.answers.logits[self.number])

    @property
    def label(self) -> int:
        return int(self.answers.labels[self.number])

    @property
    def answer(self) -> int:
        return int(self.answers.answers[self.number])

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.answers.images.class_names

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(self.answers.images.pixels[self.number])


def networks(dataset: str) -> list[str]:
    """Return the networks of which there is a trained teacher for a dataset."""
    return [card.network for card in teachers.cards() if card.dataset == dataset]


def settle() -> Subject | None:
    """Read the link and the session and return what the page shows, or None where data, teacher or logits are missing."""
    link.read(PAGE, TABLE)
    state = st.session_state
    known = networks(state[DATASET])
    if state[TEACHER] not in known:
        state[TEACHER] = known[0] if known else None
    answers = _answers({"dataset": state[DATASET], "teacher": state[TEACHER]})
    if answers is None:
        return None
    if not isinstance(state[IMAGE], int) or not 0 <= state[IMAGE] < len(answers):
        state[IMAGE] = int(answers.telling[0])
    return Subject(answers, state[IMAGE])


def choose_image(number: int | None) -> None:
    """Look at another test image; None: at the one the rule for telling images puts first."""
    st.session_state[IMAGE] = number


def _answers(values: Values) -> Answers | None:
    try:
        return galleries.answers(teachers.find(values["dataset"], values["teacher"]), data.load(values["dataset"]))
    except UserError:
        return None


def _read_image(text: str, values: Values) -> int | None:
    answers = _answers(values)
    if answers is None:
        return None
    last = len(answers) - 1
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= last):
        raise InvalidValue(N_("image must be a whole number from 0 to {last}, got {value}"), last=last, value=quoted(text, 40))
    return int(text)


def _first_network(values: Values) -> str | None:
    known = networks(values["dataset"])
    return known[0] if known else None


def _telling_image(values: Values) -> int | None:
    answers = _answers(values)
    return None if answers is None else int(answers.telling[0])


def _telling_temperature(values: Values) -> float:
    answers = _answers(values)
    if answers is None or values["image"] is None:
        return 1.0
    return float(galleries.telling_temperature(answers.logits[[values["image"]]])[0])


TABLE = (
    link.Setting("dataset", DATASET, lambda text, values: data.source(text).name, lambda values: next(iter(data.SOURCES))),
    link.Setting("teacher", TEACHER, lambda text, values: teachers.find(values["dataset"], text).network, _first_network),
    link.Setting("image", IMAGE, _read_image, _telling_image),
    link.Setting("T", TEMPERATURE, lambda text, values: check_temperature(text), _telling_temperature, numbers.temperature),
)
