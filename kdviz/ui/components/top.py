"""Brings the reader to the top of the page where something else is shown on it than before."""

from __future__ import annotations

from kdviz.ui import served

_mount = served.component("top", "top.js", "<span></span>", "span { display: none; }")


def of(shown: str) -> None:
    """Scroll to the top if what is shown, by its name, is another thing than in the run before."""
    _mount(key="top", data={"shown": shown}, height=1)
