"""Asks the engine what a teacher says to a picture of the reader's own, and waits the moment that the answer takes."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.teachers import Card
from kdviz.ui import language, server

if TYPE_CHECKING:
    from kdviz.store import Store

PATIENCE_SECONDS = 2.0
"""How long a page waits for the answer before it says so. Warm, it is there after a tenth of a second."""


@dataclass(frozen=True)
class Answer:
    """A teacher's answer to n pictures. logits: (n, classes); members: (members, n, classes), of a single network its own.

    far: for each picture whether it is unlike the images the teacher learned from; farther: the share of held-out images that lie
    farther from those; both (n,), or None where too little is known of the dataset.
    """

    logits: np.ndarray
    members: np.ndarray
    far: np.ndarray | None
    farther: np.ndarray | None


def see(card: Card, pixels: np.ndarray) -> Answer | None:
    """Return a teacher's answer to pictures, (n, height, width, channels) uint8; while there is none, say why and return None."""
    try:
        store = server.store()
    except UserError as error:
        st.error(error.translated())
        return None
    text = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode("ascii")
    answers: dict[tuple[str, str], Answer] = st.session_state.setdefault("answers_seen", {})
    if (card.sha256, text) in answers:
        return answers[card.sha256, text]
    # An answer that took longer than the reader was kept waiting is there now: it need not be asked for again.
    waiting: dict[tuple[str, str], str] = st.session_state.setdefault("answers_waited_for", {})
    asked = waiting.pop((card.sha256, text), None)
    if asked is None or store.question(asked) is None:
        asked = store.ask("see", {"dataset": card.dataset, "teacher": card.short, "pixels": text})
    waited = time.monotonic()
    while (question := store.question(asked)) is not None and question.state in ("queued", "running"):
        if time.monotonic() - waited > PATIENCE_SECONDS:
            waiting[card.sha256, text] = asked
            _wait(store, asked)
            return None
        time.sleep(0.01)
    if question is None or question.answer is None:
        from kdviz.store import shown_error  # SQLAlchemy, which a page that asks nothing does without

        reason = shown_error(question.error) if question is not None and question.error else ""
        st.error(_("The teacher could not answer: {reason}", reason=reason))
        return None
    said = {name: None if value is None else np.asarray(value) for name, value in question.answer.items()}
    answer = Answer(**said)  # type: ignore[arg-type]
    while len(answers) >= 64:  # a session that goes on for days keeps the latest
        answers.pop(next(iter(answers)))
    answers[card.sha256, text] = answer
    return answer


def _wait(store: Store, asked: str) -> None:
    """Say that the engine is not there yet, and show the answer when it is."""

    @language.fragment(0.5)
    def look() -> None:
        question = store.question(asked)
        if question is None or question.state not in ("queued", "running"):
            st.rerun()
        st.info(_("The engine is starting; the answer comes in a few seconds."), icon=":material/hourglass_top:")

    look()
