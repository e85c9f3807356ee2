"""The galleries of test images: by rule or by class, of which one image is looked at. No network is needed to browse them."""

from __future__ import annotations

import streamlit as st

from kdviz.figures import numbers
from kdviz.i18n import _
from kdviz.ui import galleries, hiding, subject
from kdviz.ui.components import gallery, pictures

MOST_PILLS = 20
SOURCE, KIND, CLASS = "soft_targets_source", "soft_targets_kind", "soft_targets_class"
state = st.session_state


def source() -> str:
    """Ask where the image comes from and return `test` or `own`."""
    if hiding.hidden("own"):
        return "test"
    state[SOURCE] = state.get(SOURCE) or "test"  # kept while other widgets come and go
    chosen = st.segmented_control(
        _("Where from"), ["test", "own"], key=SOURCE, required=True, label_visibility="collapsed",
        format_func=lambda where: _("Test images") if where == "test" else _("Your own picture"),
    )  # fmt: skip
    return chosen or "test"


def show(shown: subject.Subject) -> None:
    """Show the galleries, the image that is looked at marked among its thumbnails."""
    if hiding.hidden("gallery"):
        return
    names, answers = shown.class_names, shown.answers
    many = len(names) > MOST_PILLS
    kinds: list[str | int] = [*galleries.KINDS, *(["class"] if many else range(len(names)))]
    kind: str | int = state[subject.GALLERY]
    # What the widgets say goes to the session when they are moved, and from it, or from a link, to them.
    state[KIND] = "class" if many and isinstance(kind, int) else kind

    def in_words(kind: str | int) -> str:
        if isinstance(kind, int):
            return names[kind]
        if kind == "class":
            return _("By class")
        return (
            _("Wrong answers ({count})", count=f"{len(answers.wrong):,}") if kind == "wrong" else _(galleries.KINDS[kind].title)
        )

    def chosen() -> None:
        state[subject.GALLERY] = shown.label if state[KIND] == "class" else state[KIND]

    def of_class() -> None:
        state[subject.GALLERY] = state[CLASS]

    st.pills(
        _("Which images"), kinds, format_func=in_words, key=KIND, required=True, label_visibility="collapsed", wrap=True,
        on_change=chosen,
    )  # fmt: skip
    if many and isinstance(kind, int):
        state[CLASS] = kind
        st.selectbox(
            _("Class"), range(len(names)), key=CLASS, format_func=lambda index: names[index], width=260, on_change=of_class
        )
    if isinstance(kind, str):
        listed = galleries.KINDS[kind].pick(answers)[: subject.THUMBNAILS]
        label, answer = answers.most_confused or (0, 0)
        rule = _(galleries.KINDS[kind].rule, sure=f"{galleries.SURE:.1%}", label=names[label], answer=names[answer])
    else:
        label = kind
        listed = answers.of_class(label, subject.THUMBNAILS, shown.number)
        rule = _(
            "Chosen by rule: images of class {label}, spread evenly from the highest entropy at T = 1 to the lowest.",
            label=names[label],
        )
    if not len(listed):
        st.info(_("This teacher answers all {count} test images rightly.", count=f"{len(answers):,}"))
        return
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
                    number=int(index), label=names[answers.labels[index]], answer=names[answers.answers[index]],
                    entropy=numbers.nats(float(answers.entropies[index])),
                ),
            )
            for index in listed
        ],
        shown.number,
        key="soft_targets_gallery",
        on_pick=subject.choose_image,
    )  # fmt: skip
    st.caption(rule)
