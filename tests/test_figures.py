"""What all figures share: numbers as a person reads them, and a palette whose marks can be told apart and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdviz.figures import INK, ON_BAR, PALETTE, Theme, numbers

PAGE: dict[Theme, str] = {"light": "#FFFFFF", "dark": "#0B0E12"}


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
