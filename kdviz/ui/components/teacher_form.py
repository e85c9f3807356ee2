"""Widgets made from TeacherSpec: the images, the network, how many of it, and the spec that they say."""

from __future__ import annotations

import streamlit as st

from kdviz import data, models, settings, spec, teachers
from kdviz.errors import DataUnavailable, UserError
from kdviz.i18n import _
from kdviz.spec import MAX_MEMBERS, TeacherSpec

NETWORKS = [
    "linear",
    "mlp-100",
    "mlp-1200-1200",
    "cnn",
    "cnn-8-16",
    "cnn-16-32-32",
    "cnn-32-64-64",
    "cnn-64-256-256",
    "cnn-96-352-352",
]
FIELDS = TeacherSpec.__dataclass_fields__
DATASET, NETWORK, MEMBERS, EPOCHS, SEED = (f"teacher_{name}" for name in ("dataset", "network", "members", "epochs", "seed"))


def fill(values: TeacherSpec) -> None:
    """Put a spec into the widgets. Call before they are shown, or from a callback."""
    network, members = spec.teacher_members(values.network)
    chosen = {DATASET: values.dataset, NETWORK: network, MEMBERS: members, EPOCHS: values.epochs, SEED: values.seed}
    for key, value in chosen.items():
        st.session_state[key] = value


def choose(dataset: str) -> None:
    """Choose a dataset, and the network that suits it."""
    fill(TeacherSpec(dataset, suited(dataset)))


def suited(dataset: str) -> str:
    """Return the network that suits a dataset."""
    default, possible = spec.defaults(dataset)["teacher"], networks(dataset)
    if spec.teacher_members(default)[0] in possible:
        return str(default)
    return "cnn" if "cnn" in possible else possible[0]  # the images are too small for the usual one


def networks(dataset: str) -> list[str]:
    """Return the suggested networks that a dataset's images are large enough for."""
    known, possible = data.source(dataset), []
    for name in NETWORKS:
        try:
            models.architecture(name, known.shape, len(known.class_names))
        except UserError:
            continue
        possible.append(name)
    return possible


def read() -> TeacherSpec | UserError:
    """Return the spec that the widgets say, or the one sentence about what is wrong with it."""
    state = st.session_state
    network = str(state[NETWORK] or "").strip()
    try:
        return TeacherSpec(
            dataset=state[DATASET], network=network if state[MEMBERS] == 1 else f"{network}-x{state[MEMBERS]}",
            epochs=state[EPOCHS], seed=state[SEED],
        )  # fmt: skip
    except UserError as error:
        return error


def form() -> None:
    """Show all widgets."""
    state = st.session_state
    suggested = dict.fromkeys([*networks(state[DATASET]), *([state[NETWORK]] if state[NETWORK] else [])])
    with st.container(horizontal=True):
        st.selectbox(
            _(FIELDS["dataset"].metadata["label"]), data.names(), key=DATASET, format_func=data.title, width=200,
            on_change=lambda: choose(state[DATASET]), persist_state="session", help=_(FIELDS["dataset"].metadata["help"]),
        )  # fmt: skip
        st.selectbox(
            _(FIELDS["network"].metadata["label"]), list(suggested), key=NETWORK, accept_new_options=True,
            width=220, persist_state="session", help=_("linear, mlp-A-B, cnn, cnn-A-B-C or kdtf: choose one, or type another"),
        )  # fmt: skip
        st.number_input(
            _("Members"), 1, MAX_MEMBERS, key=MEMBERS, step=1, width=130, persist_state="session",
            help=_("how many such networks are trained, each with a seed of its own, to answer together by their mean logits"),
        )  # fmt: skip
        epochs, seed = FIELDS["epochs"].metadata, FIELDS["seed"].metadata
        st.number_input(
            _(epochs["label"]), epochs["low"], epochs["high"], None, key=EPOCHS, step=1, width=150, persist_state="session",
            placeholder=_usual_epochs(),
            help=_("passes over the training images; left empty, those of the recipe for this network"),
        )  # fmt: skip
        st.number_input(
            _(seed["label"]), seed["low"], seed["high"], key=SEED, step=1, width=150, persist_state="session",
            help=_(seed["help"]),
        )  # fmt: skip


def _usual_epochs() -> str:
    """Return the epochs of the recipe, or nothing where the images are not there yet, on whose number it depends."""
    asked = read()
    if isinstance(asked, UserError):
        return ""
    try:
        train, validation, _test = data.load(asked.dataset).counts
    except DataUnavailable:
        return ""
    return str(teachers.recipe(asked.dataset, asked.architecture.name, train + validation).epochs)


def replaced(asked: TeacherSpec) -> str | None:
    """Return what becomes of a teacher of this name that is there already, or None where there is none."""
    there = next((card for card in teachers.of(asked.dataset) if card.short == asked.network), None)
    if there is None:
        return None
    fields = dict(teacher=there.short, dataset=data.title(there.dataset), accuracy=f"{there.accuracy:.2%}")
    if there.folder == settings.ASSETS / "teachers":
        return _(
            "{dataset} has a teacher {teacher} already ({accuracy}). The new one takes its place on this machine; "
            "the one that ships with kdviz is hidden, not deleted.",
            **fields,
        )
    return _("{dataset} has a teacher {teacher} already ({accuracy}). The new one replaces it.", **fields)


def expected(seconds: float) -> str:
    """Return in a sentence how long a training will take here."""
    if seconds < 90:
        return _("About {seconds} s on this machine.", seconds=f"{max(1.0, seconds):.0f}")
    if seconds < 90 * 60:
        return _("About {minutes} minutes on this machine.", minutes=f"{seconds / 60:.0f}")
    return _("About {hours} hours on this machine.", hours=f"{seconds / 3600:.1f}")
