"""Somebody's own folder of images becomes a dataset: given as a zip or a path, looked through by the engine, shown, then used.

The engine reads the folder and writes the arrays; this page's session has the two questions that it was asked, no more. A path
is taken only where the server listens on this machine alone: it would let every viewer look into the server's folders.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from kdviz import data, settings
from kdviz.data.prepare import remove
from kdviz.errors import DataUnavailable, UserError, quoted
from kdviz.i18n import N_, _
from kdviz.store import Question, Store, shown_error
from kdviz.ui import language
from kdviz.ui.components import prepare

LOOK_SECONDS = 0.3
CLASSES_SHOWN = 50
LOOPBACK = ("localhost", "127.0.0.1", "::1")
STAGES = {**prepare.STAGES, "unpack": N_("unpacking the zip"), "inspect": prepare.STAGES["files"]}
OPEN, PATH, NAME = "own_open", "own_path", "own_name"
INSPECT, ADOPT, READY, PROBLEM, UPLOADS = "own_inspect", "own_adopt", "own_ready", "own_problem", "own_uploads"
LINK = "images"
state = st.session_state


def settle(store: Store, adopted: Callable[[str], None]) -> None:
    """Take up what has happened since the last run of the page, before its widgets. adopted: called with a new dataset's name."""
    for key in (INSPECT, ADOPT, READY, PROBLEM):
        state.setdefault(key, None)
    state.setdefault(UPLOADS, 0)
    if state[INSPECT] is None and LINK in st.query_params and state.get("entering"):
        state[INSPECT] = st.query_params[LINK]  # the page was loaded anew: the engine's answer is still there
    looked_at = _asked(store, INSPECT, "inspect")
    if looked_at is not None and looked_at.state == "failed":
        _end(looked_at.error)
    elif looked_at is not None and looked_at.state == "stopped":
        _end(None)
    prepared = _asked(store, ADOPT, "adopt")
    if prepared is not None and prepared.state == "done":
        assert prepared.answer is not None
        report = (looked_at.answer or {}).get("report", {}) if looked_at is not None else {}
        state[READY] = {**prepared.answer, "lost": sum(report.get("counts", ())) - prepared.answer["images"] if report else 0}
        _end(None)
        state[OPEN] = False
        adopted(prepared.answer["name"])
    elif prepared is not None and prepared.state in ("failed", "stopped"):
        state[ADOPT], state[PROBLEM] = None, prepared.error
    if state[INSPECT] is not None:
        st.query_params[LINK] = state[INSPECT]
        state.setdefault(OPEN, True)
    elif LINK in st.query_params:
        del st.query_params[LINK]


def undecided() -> bool:
    """Whether the reader has images at hand that are not used yet."""
    return state[INSPECT] is not None


def show(store: Store, train: Callable[[str], None]) -> None:
    """Show what there is to do. train: called with the dataset of which the reader wants a teacher."""
    with st.expander(_("Your own images"), icon=":material/add_photo_alternate:", key=OPEN, on_change="rerun"):
        if state[PROBLEM]:
            st.error(shown_error(state[PROBLEM]), icon=":material/error:")
        asked = _asked(store, ADOPT, "adopt") or _asked(store, INSPECT, "inspect")
        if asked is None:
            _give(store)
            _datasets(train)
        elif asked.kind == "inspect" and asked.answer is not None:
            _found(store, asked.answer)
        else:
            _working(store, asked)
    if state[READY] is not None and state[READY]["name"] in data.names():
        _say_ready(state[READY])


def forget() -> None:
    """Say no more of what was made ready."""
    state[READY] = None


def _asked(store: Store, key: str, kind: str) -> Question | None:
    """Return the question that the session has under a key, if the store has it."""
    question = store.question(state[key]) if state[key] is not None else None
    if question is None or question.kind != kind:
        state[key] = None
        return None
    return question


def _end(problem: str | None) -> None:
    state[INSPECT], state[ADOPT], state[PROBLEM] = None, None, problem


# Giving images


def _give(store: Store) -> None:
    st.markdown(
        _(
            "A folder with a folder of images for each class, named after it; or with `train` and `test`, which hold these. "
            "kdviz looks through them and says what it has found before anything is made of them."
        )
    )
    upload = f"own_upload_{state[UPLOADS]}"
    st.file_uploader(_("A zip of the folder"), type="zip", key=upload, on_change=_take_upload, args=(store, upload))
    if st.get_option("server.address") in LOOPBACK:
        with st.form("own_path_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(_("Or a folder on this machine"), key=PATH, placeholder=_("its path"), persist_state="session")
            st.form_submit_button(_("Look through it"), key="own_look", on_click=_take_path, args=(store,))
    else:
        st.caption(
            _(
                "The path of a folder is not asked for here: this server can be reached from other machines, and with a path "
                "every viewer could look into its folders. Upload a zip, or run `python -m kdviz data --folder PATH` on it."
            )
        )


def _take_upload(store: Store, key: str) -> None:
    """Keep an uploaded zip where the engine finds it."""
    given = state[key]
    if given is None:
        return
    folder = settings.data_folder() / "uploads"
    file = folder / f"{secrets.token_hex(8)}.zip"
    _end(None)
    state[UPLOADS] += 1  # a new widget: the server need not hold this zip in its memory any longer
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as kept:
            shutil.copyfileobj(given, kept, 1 << 20)
    except OSError as error:
        file.unlink(missing_ok=True)
        problem = N_("the zip cannot be kept in {folder} ({reason}): free some space or set KDVIZ_DATA")
        _end(DataUnavailable(problem, folder=quoted(folder), reason=error.strerror).to_json())
        return
    _ask(store, {"zip": file.name, "name": given.name})


def _take_path(store: Store) -> None:
    given = state[PATH].strip().strip("'\"")
    if given:
        _ask(store, {"folder": str(Path(given).expanduser().absolute())})


def _ask(store: Store, payload: dict[str, Any]) -> None:
    _end(None)
    forget()
    state.pop(NAME, None)
    state[INSPECT] = store.ask("inspect", payload)


def _working(store: Store, asked: Question) -> None:
    @language.fragment(LOOK_SECONDS)
    def look() -> None:
        question = store.question(asked.id)
        if question is None or question.state not in ("queued", "running"):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            if question.progress is None:
                st.progress(0.0, _("waiting for the engine"))
            else:
                st.progress(float(question.progress["share"]), _(STAGES[question.progress["stage"]]))
            st.button(_("Cancel"), icon=":material/close:", key="own_cancel", on_click=_cancel, args=(store, asked))

    look()


def _cancel(store: Store, asked: Question) -> None:
    store.cancel_question(asked.id)
    if "zip" in asked.payload:  # nobody unpacks it any more
        (settings.data_folder() / "uploads" / asked.payload["zip"]).unlink(missing_ok=True)


# What was found


def _found(store: Store, answer: dict[str, Any]) -> None:
    report = answer["report"]
    classes, faults = report["classes"], [shown_error(fault) for fault in report["faults"]]
    (small, median, large), side = ([f"{w} × {h}" for w, h in report["sizes"]], report["shape"][0])
    train, validation, test = report["counts"]
    st.markdown(
        _(
            "**{images} images of {classes} classes**: {train} to learn from, {test} to test with.",
            images=f"{train + validation + test:,}", classes=len(classes), train=f"{train + validation:,}", test=f"{test:,}",
        )
    )  # fmt: skip
    st.markdown(
        _(
            "The smallest has {small} pixels, the largest {large}; the median is {median}. {colour} are in colour, {grey} grey.",
            small=small, median=median, large=large, colour=f"{report['colour']:,}", grey=f"{report['grey']:,}",
        )
    )  # fmt: skip
    seen = (
        _("A network will see the square in the middle of each, in colour, made {side} × {side} pixels.", side=side)
        if report["shape"][2] == 3
        else _("A network will see the square in the middle of each, in grey, made {side} × {side} pixels.", side=side)
    )
    st.markdown(seen)
    rows = [{_("class"): name, _("to learn from"): train, _("to test with"): test} for name, train, test in classes]
    st.dataframe(
        rows[:CLASSES_SHOWN], hide_index=True, width="content", height="auto" if len(rows) <= 8 else 318,
        alt=_("The classes and how many images each has"),
    )  # fmt: skip
    if len(rows) > CLASSES_SHOWN:
        st.caption(_("The first {shown} of {classes} classes.", shown=CLASSES_SHOWN, classes=len(rows)))
    if faults:
        st.warning("\n".join(f"- {fault}" for fault in faults), title=_("Left out, or lacking"), icon=":material/warning:")
    state.setdefault(NAME, data.title(answer["name"]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            _("Name"), key=NAME, max_chars=36, width=220, persist_state="session",
            help=_("of these images, in a-z, 0-9 and hyphens"),
        )  # fmt: skip
        st.button(
            _("Use these images"), icon=":material/check:", type="primary", key="own_use", on_click=_use, args=(store, answer)
        )
        st.button(_("Discard"), icon=":material/close:", key="own_discard", on_click=_discard, args=(answer,))


def _use(store: Store, answer: dict[str, Any]) -> None:
    name = str(state[NAME]).strip() or answer["name"]
    state[PROBLEM] = None
    state[ADOPT] = store.ask("adopt", {"folder": answer["folder"], "unpacked": answer["unpacked"], "name": name})


def _discard(answer: dict[str, Any]) -> None:
    if answer["unpacked"]:
        shutil.rmtree(settings.data_folder() / "folders" / answer["unpacked"], ignore_errors=True)
    _end(None)


def _say_ready(ready: dict[str, Any]) -> None:
    st.success(
        _(
            "{name} is ready: {images} images of {classes} classes. Next, train a teacher of it: Start does that with the "
            "network chosen here.",
            name=data.title(ready["name"]), images=f"{ready['images']:,}", classes=ready["classes"],
        ),
        icon=":material/check_circle:",
    )  # fmt: skip
    if ready["lost"] > 0:
        st.warning(_("Images that proved unreadable were left out: {n}.", n=f"{ready['lost']:,}"), icon=":material/warning:")


# What there is already


def _datasets(train: Callable[[str], None]) -> None:
    for name in data.names():
        if name in data.SOURCES:
            continue
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            try:
                known = data.load(name)
                st.markdown(
                    _(
                        "**{name}**: {images} images of {classes} classes, {width} × {height} pixels",
                        name=data.title(name), images=f"{len(known.labels):,}", classes=len(known.class_names),
                        height=known.shape[0], width=known.shape[1],
                    ),
                    width="content",
                )  # fmt: skip
                st.button(_("Train a teacher of it"), key=f"train_{name}", on_click=_choose, args=(name, known, train))
            except UserError as error:
                st.error(error.translated())
            with st.popover(_("Remove"), icon=":material/delete:"):
                st.markdown(
                    _(
                        "This deletes the prepared images of {name}, their teachers, and what was computed of them. Runs on them "
                        "are no longer listed. Your own files stay.",
                        name=data.title(name),
                    )
                )
                st.button(_("Remove {name}", name=data.title(name)), key=f"remove_{name}", on_click=_remove, args=(name,))


def _choose(name: str, known: data.Dataset, train: Callable[[str], None]) -> None:
    state[READY] = {"name": name, "images": len(known.labels), "classes": len(known.class_names), "lost": 0}
    state[OPEN] = False
    train(name)


def _remove(name: str) -> None:
    state[PROBLEM] = None
    try:
        remove(name)
    except UserError as error:
        state[PROBLEM] = error.to_json()
