"""A button that copies the page's link to the clipboard, whole: also what the address leaves out, and the language."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from kdviz import i18n
from kdviz.i18n import _
from kdviz.ui import served

_HTML = """
<div class="copy">
  <button type="button">
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d="M10 13a5 5 0 0 0 7.5.5l3-3a5 5 0 0 0-7-7l-1.7 1.7M14 11a5 5 0 0 0-7.5-.5l-3 3a5 5 0 0 0 7 7l1.7-1.7"/>
    </svg>
    <span class="words"></span>
  </button>
  <span class="said" role="status"></span>
  <input type="text" readonly hidden>
</div>
"""

_CSS = """
.copy { position: relative; font-family: var(--st-font); color: var(--st-text-color); }
button {
  all: unset; box-sizing: border-box; cursor: pointer; display: flex; align-items: center; justify-content: center; gap: 0.4rem;
  min-width: 44px; min-height: 44px; padding: 0 0.7rem; border: 1px solid var(--st-border-color); border-radius: 6px;
  font-size: 0.875rem; white-space: nowrap;
}
button:hover { border-color: var(--st-primary-color); color: var(--st-link-color); }
button:focus-visible, input:focus-visible { outline: 3px solid var(--st-text-color); outline-offset: 1px; }
svg { width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; flex: none; }
.said, input { position: absolute; top: calc(100% + 4px); right: 0; z-index: 10; }
.said:not(:empty) {
  padding: 0.3rem 0.6rem; border-radius: 6px; font-size: 0.875rem; white-space: nowrap; background: var(--st-text-color);
  color: var(--st-background-color);
}
input {
  top: calc(100% + 40px); width: min(80vw, 28rem); box-sizing: border-box; padding: 0.5rem; font: inherit; color: inherit;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 6px;
}
[hidden] { display: none; }
.wide .said, .wide input { right: auto; left: 0; }
@media (max-width: 640px) {
  .said, input { right: auto; left: 0; }
  .copy:not(.wide) button { padding: 0; }
  .copy:not(.wide) .words { display: none; }
}
"""

_mount = served.component("copy_link", "copy_link.js", _HTML, _CSS)


def button(link: Mapping[str, str], key: str, label: str, also: Mapping[str, str | None] | None = None) -> None:
    """Show the button. link: what the page's link says when nothing is left out; also: what this one has besides, None for
    what it must not have."""
    _mount(
        key=key,
        data={
            "link": dict(link),
            "seen": st.query_params.to_dict(),
            "set": dict(also or {}),
            "wide": also is not None,
            "lang": i18n.current().replace("_", "-"),
            "words": {
                "label": label,
                "help": _("Copies a link that shows what you see now"),
                "copied": _("Link copied"),
                "field": _("The link"),
                "yourself": _("Copy the marked link yourself"),
            },
        },
        width="content",
        height="content",
    )
