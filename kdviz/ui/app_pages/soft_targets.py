"""Soft targets: one image, the teacher's shares of every class at T = 1 and at a T of the reader's choice, and why.

The dial is sent to the browser first, which has most to do for it. What only some readers see is imported for them alone.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data, teachers
from kdviz.figures import numbers
from kdviz.i18n import _
from kdviz.ui import hiding, link, students, subject
from kdviz.ui.components import dial, pictures, test_images
from kdviz.ui.ending import PageEnds
from kdviz.ui.words import WORDS, explain

MOST_BARS, MOST_DATASETS = 12, 8
SIDE = 208  # pixels of the image on the page
state = st.session_state

looked_at = subject.settle()
hero = st.container()
choice = st.container()
cards = {card.short: card for card in teachers.of(state[subject.DATASET])}


def choose(of_the_reader: bool) -> None:
    """Show the choice of dataset and teacher, above the gallery of images; of_the_reader: the image is their own."""
    if not all(hiding.hidden(name) for name in ("dataset", "teacher", "gallery")):
        only = of_the_reader or hiding.hidden("gallery")
        st.header(_("Choose dataset and teacher") if only else _("Choose an image"), anchor=False)
    with st.container(horizontal=True):
        known = data.names()
        few = len(known) <= MOST_DATASETS
        control: Any = partial(st.segmented_control, wrap=True) if few else partial(st.selectbox, width=260)
        if not hiding.instead("dataset", _("Dataset"), data.title(state[subject.DATASET])):
            control(
                _("Dataset"), known, key=subject.DATASET, required=True, on_change=subject.choose_dataset, format_func=data.title
            )
        if not cards:
            return
        if not hiding.instead("teacher", _("Teacher"), state[subject.TEACHER]):
            st.selectbox(_("Teacher"), list(cards), key=subject.TEACHER, width=220)
        card = cards[state[subject.TEACHER]]
        with st.container(width="content"):
            if not hiding.hidden("teacher"):
                st.space("small")  # in line with the controls, below their labels
            st.markdown(
                _(
                    "{accuracy} right: {errors} errors on {images} test images",
                    accuracy=numbers.percent(card.accuracy), errors=f"{card.errors:,}", images=f"{card.test_images:,}",
                )
            )  # fmt: skip


if looked_at is None:
    name = data.source(state[subject.DATASET])
    with hero:
        here = data.prepared_folder(name.name) is not None
        if here and not cards:
            st.info(_("There is no teacher of {dataset} yet.", dataset=data.title(name.name)))
            st.page_link(
                "app_pages/teachers.py", label=_("Train a teacher"), icon=":material/co_present:",
                query_params={"dataset": name.name},
            )  # fmt: skip
        else:
            st.info(
                _("The teacher's answers to {dataset} are not computed on this machine yet.", dataset=name.name)
                if here
                else _("{dataset} is not on this machine yet.", dataset=name.name)
            )
            from kdviz.ui.components import prepare

            prepare.button(name.name)
    with choice:
        choose(state.get(test_images.SOURCE) == "own")
    link.write(subject.PAGE, subject.TABLE)
    raise PageEnds

with hero:
    left, right = st.columns([1.2, 4], gap="medium")
card = cards[state[subject.TEACHER]]
own, answer, truth = None, None, None
with left:
    source = test_images.source()
    if source == "own":
        from kdviz.ui.components import own_picture

        own = own_picture.choose(data.source(state[subject.DATASET]))
if own is not None:
    from kdviz.ui import asking

    with right:
        answer = asking.see(card, own.seen[None])
T: float = state[subject.TEMPERATURE]
names, logits, label, members = looked_at.class_names, looked_at.logits, looked_at.label, looked_at.members
if answer is not None:
    logits, label, members = answer.logits[0], int(answer.logits[0].argmax()), answer.members[:, 0]
# Of many classes those with the largest shares, in their usual order.
shown = np.arange(len(names))
if len(names) > MOST_BARS:
    shown = np.union1d(np.argsort(-logits, kind="stable")[: MOST_BARS - 1], [label])
if looked_at.answers.shapes is not None:
    from kdviz.ui.components import street_view

    truth = street_view.truth_of(looked_at.answers, looked_at.number) if source == "test" else None
with right:
    if source == "test" or answer is not None:
        hiding.instead("T", _("Temperature T"), numbers.temperature(T))
        dial.dial(
            "soft_targets_dial",
            T,
            dial.Image(
                f"{card.sha256} {looked_at.number if source == 'test' else source}", logits, names, label, source == "test",
                shown.tolist(), truth,
            ),
            students.of(card, looked_at.number, len(looked_at.answers)) if source == "test" else None,
            log=state[subject.LOG],
            hidden=[name for name in ("T", "log") if hiding.hidden(name)],
            on_turn=partial(state.__setitem__, subject.TEMPERATURE),
            on_log=partial(state.__setitem__, subject.LOG),
            on_students=partial(state.__setitem__, students.WANTED),
        )  # fmt: skip
        if answer is not None:
            own_picture.nearness(answer)
    elif own is None:
        st.info(
            _("Draw a digit or upload a picture; the teacher's soft targets appear here.")
            if state[subject.DATASET] in own_picture.DIGITS
            else _("Upload a picture; the teacher's soft targets appear here.")
        )
with left:
    if source == "test":  # also to keep the image's own buttons, which float above it, from lying on the control
        st.markdown(_("Test image {number}", number=looked_at.number))
with left, st.container(horizontal=True):
    if source == "test":
        st.image(
            pictures.png(looked_at.pixels, SIDE), width=pictures.width(looked_at.pixels, SIDE),
            alt=_("Test image {number}, labelled {label}", number=looked_at.number, label=names[label]),
        )  # fmt: skip
    elif own is not None:
        own_picture.show(own)
    with st.container(width=130, gap="xsmall"):
        if source == "test":
            st.markdown(_("label **{label}**", label=names[label]))
        if source == "test" or answer is not None:
            said = names[int(logits.argmax())]
            right_answer = _("teacher **{answer}**", answer=said)
            st.markdown(right_answer if int(logits.argmax()) == label else _("teacher **{answer}**, wrong", answer=said))

with choice:
    choose(source == "own")
if source == "test":
    test_images.show(looked_at)
if looked_at.answers.shapes is not None:
    street_view.morph(card, T, names)
    street_view.distance(card, looked_at.answers, T)

if (source == "test" or answer is not None) and members is not None and len(members) > 1:
    from kdviz.ui.components import ensemble_view

    ensemble_view.show(members, shown, T, names)

with st.expander(_("The words on this page")):
    st.markdown(explain(*WORDS))

link.write(subject.PAGE, subject.TABLE)
