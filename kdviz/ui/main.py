"""The frame of every page: navigation, title, language. AppTest starts here; app.py serves it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from kdviz.errors import UserError
from kdviz.i18n import _
from kdviz.ui import hiding, language, link, server
from kdviz.ui.components import share
from kdviz.ui.ending import PageEnds

PAGES = Path(__file__).parent / "app_pages"

# A drawing of our own: a Material icon here would be fetched from a server of Google (seen with 1.67), and an emoji looks as the
# machine's fonts have it, if they do.
st.set_page_config(page_title="kdviz", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")
language.settle()
hiding.settle()

pages = [
    st.Page(
        PAGES / "soft_targets.py",
        title=_("Soft targets"),
        icon=":material/bar_chart:",
        url_path="soft-targets",
        default=True,
        help=_("Pick an image and a temperature and see what the teacher thinks of every class."),
    ),
    st.Page(
        PAGES / "distill.py",
        title=_("Distill"),
        icon=":material/school:",
        url_path="distill",
        help=_("Train a student on soft targets, beside the same student trained on hard labels, and watch both learn."),
    ),
    st.Page(
        PAGES / "paper.py",
        title=_("The paper"),
        icon=":material/fact_check:",
        url_path="paper",
        help=_("Take the paper's claims one by one: say what you expect, then see what comes out."),
    ),
    st.Page(
        PAGES / "teachers.py",
        title=_("Teachers"),
        icon=":material/co_present:",
        url_path="teachers",
        help=_("See which teachers there are, train one, and make a dataset of your own images."),
    ),
]
page = st.navigation(pages, position="hidden" if hiding.hidden("pages") else "top")
address = page.url_path or "soft-targets"
link.visit(page.url_path)

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.title(page.title, width="content", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        sharing = st.container(horizontal=True, vertical_alignment="center", width="content")
        language.control()
language.tell()
hiding.note(address)

try:
    page.run()
except UserError as error:  # what a page does not answer in its own place is said here, in one sentence
    st.error(error.translated(), icon=":material/error:")
except PageEnds:
    pass
finally:  # also of a page that stops early, to say what is missing: the engine is what fetches it
    with sharing:  # when the page has settled what its link says
        share.control(address, link.full(address.replace("-", "_")))
    server.painted()
