"""What the parts of a page that are drawn in the browser share: their styles, the palette, the words of a panel of bars."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kdviz.figures import ON_BAR, PALETTE
from kdviz.i18n import _
from kdviz.ui import served


def style(*names: str) -> str:
    """Return style sheets of `kdviz/ui/browser`, the one of all parts first."""
    return "".join((served.SCRIPTS / name).read_text("utf-8") for name in ("parts.css", *names))


def colours() -> dict[str, Any]:
    """Return how every kind of thing looks, in both themes: what `colour` of bars.js asks for."""
    return {"palette": {kind: asdict(mark) for kind, mark in PALETTE.items()}, "on_bar": ON_BAR}


def words() -> dict[str, str]:
    """Return what is said of a panel of bars: to a screen reader, and as its main fact (words.js)."""
    return {
        "shares": _("Shares by class"),
        "alone": _(
            "{title}, {subtitle}: {first} alone, {first_share}.",
            title="{title}", subtitle="{subtitle}", first="{first}", first_share="{first_share}",
        ),
        "shares_in_words": _(
            "{title}, {subtitle}: {first} {first_share}, then {second} {second_share} and {third} {third_share}.",
            title="{title}", subtitle="{subtitle}", first="{first}", first_share="{first_share}", second="{second}",
            second_share="{second_share}", third="{third}", third_share="{third_share}",
        ),
    }  # fmt: skip
