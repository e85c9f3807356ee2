"""The page's link: a button that copies it, and one for a class, which hides the controls that a lecturer chooses."""

from __future__ import annotations

import streamlit as st

from kdviz import i18n
from kdviz.i18n import _
from kdviz.ui import hiding
from kdviz.ui.components import copy_link
from kdviz.ui.hiding import CONTROLS

OWN = "own"


def control(page: str, link: dict[str, str]) -> None:
    """Show both. page: its address; link: what its settings say when nothing is left out."""
    state = st.session_state
    whole = {**link, "lang": i18n.current()}
    if state[hiding.HIDDEN]:
        whole[hiding.LINK] = hiding.written(state[hiding.HIDDEN])
    copy_link.button(whole, "copy_link", _("Copy link"))
    with st.popover(_("For a class"), icon=":material/co_present:", help=_("A link that hides controls"), key="for_a_class"):
        st.markdown(_("A link to this page without the controls that you choose. What they are set to stays as text."))
        chosen = [
            name
            for name, each in CONTROLS.items()
            if each.page in ("", page) and st.checkbox(_(each.title), name in state[hiding.HIDDEN], key=f"hide_{name}")
        ]
        colours = {OWN: _("as the viewer's"), "light_theme": _("light"), "dark_theme": _("dark")}
        theme = st.segmented_control(
            _("Colours"), list(colours), format_func=colours.__getitem__, default=OWN, required=True, key="class_theme"
        )
        also = {
            hiding.LINK: hiding.written(chosen) or None,
            "embed_options": theme if theme in colours and theme != OWN else None,
        }
        copy_link.button(whole, "copy_class_link", _("Copy the link for a class"), also)
