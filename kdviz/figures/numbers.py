"""Numbers as a person reads them. A share that is not 0 is never written as 0, nor one below 1 as 1."""

from __future__ import annotations

import math


def percent(share: float, exact: bool = False) -> str:
    """Return a share (0..1) in percent with one decimal, `66.9%`; `<0.1%` and `>99.9%` where that would say nothing or all.

    exact: 0 and 1 are meant (a label), not the rounding of a softmax, which never reaches them.
    """
    if exact and share in (0.0, 1.0):
        return f"{share:.0%}" if share else "0"
    if share < 0.0005:
        return "<0.1%"
    if share >= 0.9995:
        return ">99.9%"
    return f"{100 * share:.1f}%"


def temperature(value: float) -> str:
    """Return a temperature as short as it is exact to four digits: `4.5`, `20`."""
    return f"{value:.4g}"


def ratio(value: float) -> str:
    """Return how many times as much, `1.8`, `13`, `1,200`; two digits are enough to be felt."""
    if value < 10:
        return f"{value:.1f}"
    rounded = round(value, 1 - math.floor(math.log10(value)))
    return f"{rounded:,.0f}"


def nats(value: float) -> str:
    """Return an entropy with two decimals, `1.16`; `<0.01` where it is not 0 and that would say so."""
    return "<0.01" if 0.0 < value < 0.005 else f"{value + 0.0:.2f}"
