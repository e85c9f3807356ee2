"""The page's link: a button that copies it, and one for a class, which hides the controls that a lecturer chooses."""

from __future__ import annotations

import streamlit as st

from kdviz import i18n
from kdviz.i18n import _
from kdviz.ui import hiding
from kdviz.ui.components import copy_link
from kdviz.ui.hiding import CONTROLS

MENU, OWN = "for_a_class", "own"


def control(page: str, link: dict[str, str]) -> None:
    """Show both. page: its address; link: what its settings say when nothing is left out."""
    whole = {**link, "lang": i18n.current()}
    if hidden := st.session_state[hiding.HIDDEN]:
        whole[hiding.LINK] = hiding.written(hidden)
    copy_link.button(whole, "copy_link", _("Copy link"))
    menu = st.popover(
        _("For a class"), icon=":material/co_present:", help=_("A link that hides controls"), key=MENU, on_change="rerun"
    )
    if menu.open:  # what is in it takes longer than the rest of the header, in every run of a page
        with menu:
            _for_a_class(page, whole)


def _for_a_class(page: str, whole: dict[str, str]) -> None:
    st.markdown(_("A link to this page without the controls that you choose. What they are set to stays as text."))
    hidden = st.session_state[hiding.HIDDEN]
    chosen = [
        name
        for name, each in CONTROLS.items()
        if each.page in ("", page) and st.checkbox(_(each.title), name in hidden, key=f"hide_{name}")
    ]
    colours = {OWN: _("as the viewer's"), "light_theme": _("light"), "dark_theme": _("dark")}
    theme = st.segmented_control(
        _("Colours"), list(colours), format_func=colours.__getitem__, default=OWN, required=True, key="class_theme"
    )
    # A parameter of Streamlit's own, which it follows by itself and keeps from st.query_params.
    also = {hiding.LINK: hiding.written(chosen) or None, "embed_options": None if theme == OWN else theme}
    copy_link.button(whole, "copy_class_link", _("Copy the link for a class"), also)
