"""Figures: data in, a Plotly figure and its text alternative out. Pure; knows no page. This file owns the palette.

What a mark stands for keeps its colour, dash, symbol and bar pattern in every figure of the app, so that no two are told
apart by colour alone. The colours are those of Okabe and Ito (2008), chosen to differ for every common colour vision; each is
readable (3:1 or more) on its theme's background, and the light one still so on a dark page, for the moment before a
browser has said which theme it shows.

A figure is the plain dictionary that Plotly's schema describes: the same one is drawn by Python and by plotly.js.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Theme = Literal["light", "dark"]
Kind = Literal["teacher", "distilled", "hard_labels", "ground_truth"]


class Drawing(NamedTuple):
    """A Plotly figure (a dictionary of its schema) and the sentence that says its main fact to who cannot see it."""

    figure: dict[str, Any]
    alt: str


@dataclass(frozen=True)
class Mark:
    """How one kind of thing looks. dash, symbol and pattern are Plotly's names; an empty pattern is a plain bar."""

    light: str
    dark: str
    dash: str
    symbol: str
    pattern: str

    def colour(self, theme: Theme) -> str:
        return self.dark if theme == "dark" else self.light


PALETTE: dict[Kind, Mark] = {
    "teacher": Mark("#0072B2", "#56B4E9", dash="dot", symbol="square", pattern=""),
    "distilled": Mark("#00876A", "#2CC8A0", dash="solid", symbol="circle", pattern="/"),
    "hard_labels": Mark("#D55E00", "#FF9E57", dash="dash", symbol="diamond", pattern="x"),
    "ground_truth": Mark("#6E6E6E", "#B4B4B4", dash="longdash", symbol="cross", pattern="."),
}

INK: dict[Theme, str] = {"light": "#1B1F24", "dark": "#F2F4F8"}
"""The colour of text beside marks."""

ON_BAR: dict[Theme, str] = {"light": "#FFFFFF", "dark": "#10141C"}
"""The colour of text written on a bar."""

CONFIG: dict[str, Any] = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
"""Plotly's settings for a figure that is looked at, not worked with."""
