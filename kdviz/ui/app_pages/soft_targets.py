"""Soft targets: one image, the teacher's shares of every class at T = 1 and at a T of the reader's choice, and why."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import streamlit as st

from kdviz import data, figures, teachers
from kdviz.figures import bars, numbers
from kdviz.i18n import _
from kdviz.soft_targets import entropy, softmax
from kdviz.ui import galleries, link, opinion, subject
from kdviz.ui.components import gallery, pictures, temperature
from kdviz.ui.words import WORDS, explain

THUMBNAILS = 20
state = st.session_state
theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"

shown = subject.settle()
hero = st.container()

st.subheader(_("Choose an image"), anchor=False)
with st.container(horizontal=True):
    st.segmented_control(
        _("Dataset"),
        list(data.SOURCES),
        key=subject.DATASET,
        required=True,
        on_change=subject.choose_image,
        args=(None,),
    )
    cards = {card.network: card for card in teachers.cards() if card.dataset == state[subject.DATASET]}
    if cards:
        network = st.selectbox(_("Teacher"), list(cards), key=subject.TEACHER, width=220)
        card = cards[network or next(iter(cards))]
        with st.container(width="content"):
            st.space("small")  # in line with the controls, below their labels
            st.markdown(
                _(
                    "{accuracy} right: {errors} errors on {images} test images",
                    accuracy=numbers.percent(card.accuracy),
                    errors=f"{card.errors:,}",
                    images=f"{card.test_images:,}",
                )
            )

if shown is None:
    name = data.source(state[subject.DATASET])
    with hero:
        if data.prepared_folder(name.name) is None:
            st.info(
                _("{dataset} is not on this machine yet; it is about {size} MB to fetch.", dataset=name.name, size=name.megabytes)
            )
        elif not cards:
            st.info(_("There is no teacher of {dataset} yet. This trains one:", dataset=name.name))
        else:
            st.info(_("The teacher's answers to {dataset} are not computed on this machine yet.", dataset=name.name))
        if data.prepared_folder(name.name) is not None and not cards:
            st.code(f"python -m kdviz teacher train --data {name.name}", language="shell")
        elif find_spec("kdviz.ui.components.prepare") is not None:
            import_module("kdviz.ui.components.prepare").button(name.name)
        else:
            st.code(f"python -m kdviz data {name.name}", language="shell")
    link.write(subject.PAGE, subject.TABLE)
    st.stop()

names, answers, logits = shown.class_names, shown.answers, shown.logits

with hero:
    picture, view = st.columns([1, 4], gap="medium")
    with view:
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            T = temperature.control(subject.TEMPERATURE)
            log = st.toggle(_("Log scale"), key="soft_targets_log", persist_state="session")
        at_one, at_T = softmax(logits), softmax(logits, T)
        drawing = bars.shares(
            [
                bars.Panel("ground_truth", _("ground truth"), _("hard label"), np.eye(len(names))[shown.label]),
                bars.Panel("teacher", _("teacher"), _("T = {T}", T=numbers.temperature(1.0)), at_one),
                bars.Panel("teacher", _("teacher"), _("T = {T}", T=numbers.temperature(T)), at_T),
            ],
            names,
            theme,
            log,
        )
        st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="soft_targets_bars")
        if log:
            st.caption(_("The bars begin at 10⁻⁶; a smaller share has no bar."))
        st.markdown("##### " + opinion.sentence(logits, shown.label, T, names), anchors=False)
    with picture, st.container(horizontal=True):
        st.image(
            pictures.png(shown.pixels, 512),
            width=208,
            alt=_("Test image {number}, labelled {label}", number=shown.number, label=names[shown.label]),
        )
        with st.container(width=130, gap="xsmall"):
            st.markdown(_("Test image {number}", number=shown.number))
            st.markdown(_("label **{label}**", label=names[shown.label]))
            st.markdown(
                _("teacher **{answer}**", answer=names[shown.answer])
                if shown.answer == shown.label
                else _("teacher **{answer}**, wrong", answer=names[shown.answer])
            )
            st.markdown(_("entropy in nats"), help=explain("entropy", "nats"))
            before, after = numbers.nats(float(entropy(at_one))), numbers.nats(float(entropy(at_T)))
            st.markdown(f"**{before} → {after}**")

# The gallery: one of the rules of galleries.KINDS, or a class (by its index).
kinds = [*galleries.KINDS, *range(len(names))]
if state.get("soft_targets_kind") not in kinds:
    state["soft_targets_kind"] = "telling" if shown.number in answers.telling[:THUMBNAILS] else shown.label


def kind_in_words(kind: str | int) -> str:
    if isinstance(kind, int):
        return names[kind]
    return _("Wrong answers ({count})", count=f"{len(answers.wrong):,}") if kind == "wrong" else _(galleries.KINDS[kind].title)


kind = st.pills(
    _("Which images"),
    kinds,
    format_func=kind_in_words,
    key="soft_targets_kind",
    required=True,
    label_visibility="collapsed",
    wrap=True,
)
if isinstance(kind, str):
    listed = galleries.KINDS[kind].pick(answers)[:THUMBNAILS]
    rule = _(galleries.KINDS[kind].rule, sure=f"{galleries.SURE:.1%}")
else:
    label = shown.label if kind is None else kind
    listed = answers.of_class(label, THUMBNAILS, shown.number)
    rule = _(
        "Chosen by rule: images of class {label}, spread evenly from the highest entropy at T = 1 to the lowest.",
        label=names[label],
    )
if len(listed):
    gallery.gallery(
        _("Test images"),
        [
            gallery.Thumbnail(
                int(index),
                pictures.data_uri(answers.images.pixels[index]),
                names[answers.labels[index]]
                if answers.answers[index] == answers.labels[index]
                else _("{label}, not {answer}", label=names[answers.labels[index]], answer=names[answers.answers[index]]),
                _(
                    "Test image {number}: label {label}, answer {answer}, entropy {entropy} nats",
                    number=int(index),
                    label=names[answers.labels[index]],
                    answer=names[answers.answers[index]],
                    entropy=numbers.nats(float(answers.entropies[index])),
                ),
            )
            for index in listed
        ],
        shown.number,
        key="soft_targets_gallery",
        on_pick=subject.choose_image,
    )
    st.caption(rule)
else:
    st.info(_("This teacher answers all {count} test images rightly.", count=f"{len(answers):,}"))

# Why: from logits to soft targets.
st.subheader(_("From logits to soft targets"), anchor=False, help=explain("logit", "softmax", "soft_targets"))
left, right = st.columns([1, 1.4], gap="large")
with left:
    st.markdown(_("The teacher's **logits** for this image"))
    drawing = bars.logits(logits, names, theme)
    st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="soft_targets_logits")
with right:
    runner_up = int(np.argsort(-logits, kind="stable")[1])
    explained = st.pills(
        _("Its share at T = {T}, worked out for the class", T=numbers.temperature(T)),
        range(len(names)),
        default=runner_up,
        format_func=lambda index: names[index],
        required=True,
        key=f"soft_targets_explained_{shown.number}",
        wrap=True,
    )
    st.latex(opinion.formula(logits, T, explained, names))
    with st.expander(_("All the numbers of this image")):
        exponents = logits / T
        st.table(
            {
                _("Class"): list(names),
                _("Logit"): [numbers.signed(value, 3) for value in logits],
                _("Logit / T"): [numbers.signed(value, 3) for value in exponents],
                _("Share at T = 1"): [numbers.power(value, 4).replace(">", r"\>") for value in at_one.tolist()],  # no quotation
                _("Share at T"): [numbers.power(value, 4).replace(">", r"\>") for value in at_T.tolist()],
            }
        )
    with st.expander(_("The words on this page")):
        st.markdown(explain(*WORDS))

link.write(subject.PAGE, subject.TABLE)
