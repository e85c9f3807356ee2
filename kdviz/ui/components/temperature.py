"""The temperature control. One place, so that a dial drawn in the browser can take it over without the pages noticing."""

from __future__ import annotations

import streamlit as st

from kdviz.figures.numbers import temperature as written
from kdviz.i18n import _

_DECADE = (1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
SCALE: tuple[float, ...] = tuple(
    round(step * power, 3)
    for power, steps in ((0.01, _DECADE[13:]), (0.1, _DECADE), (1.0, _DECADE), (10.0, _DECADE), (100.0, (1,)))
    for step in steps
)
"""60 temperatures from 0.05 to 100, evenly spread in log T as far as short numbers go."""


def control(key: str) -> float:
    """Show the control and return the temperature. Its value lives in the session under the key, which must be set before.

    A value that came by a link and is not on the scale is put on it for this session, so that the link shows what it says.
    """
    extra: set[float] = st.session_state.setdefault(f"{key}_extra", set())
    extra |= {st.session_state[key]} - set(SCALE)
    chosen: float = st.select_slider(
        _("Temperature T"),
        options=sorted({*SCALE, *extra}),
        format_func=written,
        key=key,
        help=_(
            "T divides the logits before the softmax. At T = 1 the teacher speaks as it was trained to. A higher T makes the "
            "soft targets softer and shows what the teacher thinks of the other classes; the order of the classes never changes."
        ),
    )
    return chosen
