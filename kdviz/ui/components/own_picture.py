"""A picture of the reader's own: uploaded, or drawn where the dataset is one of digits. The file is not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data
from kdviz.data import picture
from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.ui.asking import Answer
from kdviz.ui.components import drawing_pad, pictures

DIGITS = ("digits", "mnist")
SUFFIXES = ["png", "jpg", "jpeg", "webp", "gif"]
HOW = "own_picture_how"
SIDE = 136  # pixels of each picture on the page


@dataclass(frozen=True)
class OwnPicture:
    """given: the picture, or None where the pad shows it; seen: what the network sees of it, (height, width, channels) uint8."""

    given: Any
    seen: np.ndarray


def choose(known: data.Source) -> OwnPicture | None:
    """Show pad and uploader, and return the picture, or None while there is none. Says what is wrong with one."""
    try:
        if known.name in DIGITS:
            st.session_state[HOW] = st.session_state.get(HOW) or "draw"  # kept while other widgets come and go
            how = st.segmented_control(
                _("How"), ["draw", "upload"], key=HOW, required=True, label_visibility="collapsed",
                format_func=lambda how: _("Draw a digit") if how == "draw" else _("Upload a picture"),
            )  # fmt: skip
            if how == "draw":
                drawn = drawing_pad.drawing_pad(f"own_pad_{known.name}")
                return None if drawn is None else OwnPicture(None, picture.as_digit(drawn, known.shape))
        uploaded = st.file_uploader(
            _("A picture: PNG, JPEG, WebP or GIF"), SUFFIXES, key=f"own_file_{known.name}",
            max_upload_size=-(-picture.MAX_BYTES // 1_000_000), help=_("only this server sees it; the file is not kept"),
        )  # fmt: skip
        if uploaded is None:
            return None
        image = picture.read(uploaded.getvalue())
        if known.name in DIGITS:
            seen = picture.as_digit(picture.digit_from_photo(image), known.shape)
        else:
            seen = picture.fitted(image, known.shape)
        image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        return OwnPicture(image, seen)
    except UserError as error:
        st.error(error.translated(), icon=":material/error:")
        return None


def show(own: OwnPicture) -> None:
    """Show the picture and what the network sees of it, to the pixel."""
    if own.given is not None:
        st.image(own.given, width=SIDE, caption=_("your picture"), alt=_("your picture"))
    seen = _("what the network sees")
    st.image(pictures.png(own.seen, SIDE), width=pictures.width(own.seen, SIDE), caption=seen, alt=seen)


def nearness(answer: Answer) -> None:
    """Say whether the picture looks unlike what the teacher learned from, and by what measure."""
    if answer.far is None or answer.farther is None:
        return
    share = float(answer.farther[0])
    measure = _(
        "How a picture's contrast is spread from coarse to fine, held against the training images; as far as this or farther lie "
        "{share} of the images that were held out of the training.",
        share=f"{share:.1%}",
    )
    if answer.far[0]:
        st.warning(_("This looks unlike anything the teacher learned from: do not trust its answer. {measure}", measure=measure))
    else:
        st.caption(measure)
