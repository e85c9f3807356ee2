"""Figures say what they are given: the same numbers, in the same order, in the picture and in its text alternative."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdviz.figures import INK, ON_BAR, PALETTE, Theme, bars, numbers
from kdviz.figures.bars import Panel
from kdviz.soft_targets import softmax

NAMES = tuple("0123456789")
LOGITS = np.array([-16.2, -1.4, -6.1, 10.6, -16.0, 3.1, -14.4, -7.4, -2.6, 2.6])
PAGE: dict[Theme, str] = {"light": "#FFFFFF", "dark": "#0B0E12"}


def panels(T: float = 4.5, logits: np.ndarray = LOGITS) -> list[Panel]:
    return [
        Panel("ground_truth", "ground truth", "hard label", np.eye(len(logits))[3]),
        Panel("teacher", "teacher", "T = 1", softmax(logits)),
        Panel("teacher", "teacher", f"T = {T:g}", softmax(logits, T)),
    ]


def drawn(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["type"] == "bar"]


def written(figure: dict[str, Any]) -> list[list[str]]:
    """Return the values as they are written, panel by panel, whether on the bar or beside it."""
    texts = [[text.strip() for text in trace["text"]] for trace in figure["data"]]
    return [[on or beside for on, beside in zip(*pair, strict=True)] for pair in zip(texts[::2], texts[1::2], strict=True)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_shares_are_a_plotly_figure(theme: Theme) -> None:
    figure = bars.shares(panels(), NAMES, theme).figure
    go.Figure(figure)  # raises where Plotly's schema is not met
    json.dumps(figure, allow_nan=False)  # and goes to the browser as it is


@given(arrays(np.float64, 10, elements=st.floats(-40, 40)), st.floats(0.05, 100))
def test_shares_are_drawn_as_they_are(logits: np.ndarray, T: float) -> None:
    figure = bars.shares(panels(T, logits), NAMES).figure
    for trace, panel in zip(drawn(figure), panels(T, logits), strict=True):
        assert math.fsum(trace["x"]) == pytest.approx(1)
        assert trace["x"] == pytest.approx(list(panel.shares))
        assert trace["y"] == list(range(10))


@given(arrays(np.float64, 10, elements=st.floats(-40, 40)), st.floats(0.05, 100))
def test_every_share_is_written_to_a_thousandth(logits: np.ndarray, T: float) -> None:
    for texts, panel in zip(written(bars.shares(panels(T, logits), NAMES).figure), panels(T, logits), strict=True):
        for text, share in zip(texts, panel.shares, strict=True):
            value = float(text.lstrip("<>").rstrip("%")) / (100 if text.endswith("%") else 1)
            assert value == pytest.approx(share, abs=1e-3)


def test_classes_keep_their_order_in_every_panel() -> None:
    layout = bars.shares(panels(), NAMES).figure["layout"]
    for axis in ("yaxis", "yaxis2", "yaxis3"):
        assert [text.strip("</b> ") for text in layout[axis]["ticktext"]] == list(NAMES)
        assert layout[axis]["range"] == [9.5, -0.5]  # the first on top


def test_names_of_more_than_a_letter_stand_once_and_whole_panels_have_room() -> None:
    short = bars.shares(panels(), NAMES).figure["layout"]
    assert all(short[axis]["showticklabels"] for axis in ("yaxis", "yaxis2", "yaxis3"))
    long = bars.shares(panels(), [*NAMES[:9], "<b> & a name that goes on and on"]).figure["layout"]
    assert [long[axis]["showticklabels"] for axis in ("yaxis", "yaxis2", "yaxis3")] == [True, False, False]
    assert long["yaxis"]["ticktext"][9] == "<b>&lt;b&gt; &amp; a name that…</b> "  # a name is no mark-up
    # Alone, a panel has its names beside it.
    assert bars.shares(panels()[:1], ["car", "truck"] * 5).figure["layout"]["yaxis"]["showticklabels"]


@pytest.mark.parametrize(
    ("title", "lines"),
    [("teacher", 1), ("ground truth", 1), ("mean at 1, then T", 2), ("\u5148\u5728 1 \u5e73\u5747\uff0c\u518d\u7528 T", 2)],
)
def test_a_long_title_takes_another_line_and_its_room(title: str, lines: int) -> None:
    layout = bars.shares([Panel("teacher", title, "T = 1", softmax(LOGITS))], NAMES).figure["layout"]
    text = layout["annotations"][0]["text"]
    assert text.count("<br>") == lines and text.replace("<br>", " ") == f"{title} <b>T = 1</b>"
    plain = bars.shares(panels(), NAMES).figure["layout"]
    assert layout["margin"]["t"] - plain["margin"]["t"] == layout["height"] - plain["height"] == 22 * (lines - 1)


def test_text_alternative_says_the_main_fact() -> None:
    alt = bars.shares(panels(), NAMES).alt
    q = softmax(LOGITS, 4.5)
    assert "ground truth, hard label: 3 alone, 100%." in alt
    assert f"teacher, T = 4.5: 3 {q[3]:.1%}, then 5 {q[5]:.1%} and 9 {q[9]:.1%}." in alt


def test_two_classes_are_enough() -> None:
    two = [Panel("teacher", "teacher", "T = 1", [0.75, 0.25])]
    assert "dog 75.0%, then cat 25.0%" in bars.shares(two, ("dog", "cat")).alt


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_nothing_or_all(share: float) -> None:
    assert numbers.percent(share) not in ("0", "0.0%", "100%", "100.0%")


def test_numbers_as_a_person_reads_them() -> None:
    assert [numbers.percent(share, exact=True) for share in (0.0, 1.0)] == ["0", "100%"]
    assert [numbers.ratio(value) for value in (1.84, 13.4, 73.2, 634.0)] == ["1.8", "13", "73", "630"]
    assert [numbers.temperature(value) for value in (4.5, 20.0, 0.05, 3.3333)] == ["4.5", "20", "0.05", "3.333"]
    assert [numbers.nats(value) for value in (0.0, 0.004, 1.158)] == ["0.00", "<0.01", "1.16"]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1..21, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_can_be_told_apart_and_read(theme: Theme) -> None:
    marks = list(PALETTE.values())
    for mark in marks:
        assert contrast(mark.colour(theme), PAGE[theme]) >= 3
    for kind in ("teacher", "ground_truth"):
        assert contrast(PALETTE[kind].colour(theme), ON_BAR[theme]) >= 4.5
    assert contrast(INK[theme], PAGE[theme]) >= 7
    for name in ("light", "dark", "dash", "symbol", "pattern"):
        assert len({getattr(mark, name) for mark in marks}) == len(marks)
