"""What the Soft targets page looks at: dataset, teacher, test image, temperature, scale. In the session and in the link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data, teachers
from kdviz.errors import InvalidValue, UnknownName, UserError, quoted
from kdviz.figures import numbers
from kdviz.i18n import N_
from kdviz.soft_targets import check_temperature, softmax
from kdviz.ui import galleries, link, words
from kdviz.ui.galleries import SURE, Answers

PAGE = "soft_targets"
DATASET, TEACHER, IMAGE, GALLERY, TEMPERATURE, LOG = (
    f"{PAGE}_{name}" for name in ("dataset", "teacher", "image", "gallery_of", "T", "log")
)
THUMBNAILS = 20
Values = dict[str, Any]
ARTICLE_TEMPERATURE = 3.0
"""The temperature of the article's figure: a car's ground truth, softmax, and softmax at T = 3."""


@dataclass(frozen=True)
class Subject:
    """One image and what the teacher says to it. number: among the test images; logits: (classes,)."""

    dataset: str
    answers: Answers
    number: int

    @property
    def members(self) -> np.ndarray | None:
        """The logits of an ensemble's networks, (members, classes), or None."""
        return None if self.answers.members is None else np.asarray(self.answers.members[:, self.number])

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
        return words.class_names(self.dataset, self.answers.images.class_names)

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(self.answers.images.pixels[self.number])


def networks(dataset: str) -> list[str]:
    """Return the short names of the trained teachers of a dataset."""
    return [card.short for card in teachers.of(dataset)]


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
        state[IMAGE] = _first(state[DATASET], answers)
    gallery = state[GALLERY]
    if gallery not in galleries.KINDS and not (isinstance(gallery, int) and 0 <= gallery < answers.logits.shape[1]):
        state[GALLERY] = _gallery_with(answers, state[IMAGE])
    return Subject(state[DATASET], answers, state[IMAGE])


def choose_image(number: int | None) -> None:
    """Look at another test image; None: at the one the rule for telling images puts first."""
    st.session_state[IMAGE] = number


def choose_dataset() -> None:
    """Look at another dataset: at its first image, and at the temperature that suits it."""
    choose_image(None)
    st.session_state[GALLERY] = None
    if st.session_state[DATASET] == "street":
        st.session_state[TEMPERATURE] = ARTICLE_TEMPERATURE


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


def _gallery_with(answers: Answers, number: int) -> str | int:
    """Return a gallery that an image is in: the telling ones, or else those of its class, which is given by its index."""
    return "telling" if number in answers.telling[:THUMBNAILS] else int(answers.labels[number])


def _read_gallery(text: str, values: Values) -> str | int | None:
    answers = _answers(values)
    if answers is None or text in galleries.KINDS:
        return text if answers is not None else None
    last = answers.logits.shape[1] - 1
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= last):
        raise InvalidValue(
            N_("gallery must be one of {known}, or the number of a class from 0 to {last}, got {value}"),
            known=list(galleries.KINDS), last=last, value=quoted(text, 40),
        )  # fmt: skip
    return int(text)


def _usual_gallery(values: Values) -> str | int | None:
    answers = _answers(values)
    return None if answers is None or values["image"] is None else _gallery_with(answers, values["image"])


def _first_network(values: Values) -> str | None:
    known = networks(values["dataset"])
    return known[0] if known else None


def _telling_image(values: Values) -> int | None:
    answers = _answers(values)
    return None if answers is None else _first(values["dataset"], answers)


def _first(dataset: str, answers: Answers) -> int:
    """Return the image that is shown first: the most telling one, and of street one for what its article says of a BMW.

    That is, of the cars that the teacher is sure of and finds next like a truck, the one whose share of truck is the largest.
    """
    if dataset == "street":
        from kdviz.data import street  # draws: all else does without

        sure = (answers.labels == street.CAR) & (answers.answers == street.CAR) & (softmax(answers.logits).max(axis=1) >= SURE)
        cars = (answers.labels == street.CAR) & (np.argsort(-answers.logits, axis=1)[:, 1] == street.TRUCK)
        chosen = np.flatnonzero(sure & cars) if (sure & cars).any() else np.flatnonzero(cars)
        if len(chosen):
            return int(chosen[softmax(answers.logits[chosen])[:, street.TRUCK].argmax()])
    return int(answers.telling[0])


def _telling_temperature(values: Values) -> float:
    answers = _answers(values)
    if values["dataset"] == "street":
        return ARTICLE_TEMPERATURE
    if answers is None or values["image"] is None:
        return 1.0
    return float(galleries.telling_temperature(answers.logits[[values["image"]]])[0])


def _read_scale(text: str, values: Values) -> bool:
    if text not in SCALES:
        raise UnknownName(N_("unknown scale {name}; known: {known}"), name=quoted(text, 40), known=list(SCALES))
    return SCALES[text]


SCALES = {"linear": False, "log": True}
TABLE = (
    link.Setting("dataset", DATASET, lambda text, values: data.source(text).name, lambda values: next(iter(data.SOURCES))),
    link.Setting("teacher", TEACHER, lambda text, values: teachers.find(values["dataset"], text).short, _first_network),
    link.Setting("image", IMAGE, _read_image, _telling_image),
    link.Setting("gallery", GALLERY, _read_gallery, _usual_gallery),
    link.Setting("T", TEMPERATURE, lambda text, values: check_temperature(text), _telling_temperature, numbers.temperature),
    link.Setting("scale", LOG, _read_scale, lambda values: False, lambda log: "log" if log else None),
)
