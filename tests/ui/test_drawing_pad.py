"""The drawing pad in Python: a picture is what a browser sent, and whatever else a browser sends is no picture."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from kdviz.ui.components.drawing_pad import SIDE, picture

DRAWN = np.zeros((SIDE, SIDE), np.uint8)
DRAWN[20:90, 50:60] = 255
DRAWN[90, 50:60] = 128


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def refused() -> dict[str, Any]:
    right = sent(DRAWN.tobytes())
    return {
        "nothing yet": None,
        "cleared": "",
        "no ink": sent(bytes(SIDE**2)),
        "one pixel less": sent(DRAWN.tobytes()[:-1]),
        "two pixels more": sent(DRAWN.tobytes() + b"\xff\xff"),
        "another letter": "!" + right[1:],
        "a letter beyond ASCII": "é" + right[1:],
        "a line break": right[:76] + "\n" + right[77:],
        "an end in the middle": right[:8] + "====" + right[12:],
        "ten megabytes": "A" * 10_000_000,
        "a number": 7,
        "a list": [255] * SIDE**2,
        "a mapping": {"drawing": right},
        "bytes": right.encode("ascii"),
    }


def shown(drawing: Any) -> AppTest:
    """Run a page with a pad, to whose drawing the session holds a value."""

    def page() -> None:
        import streamlit as st

        from kdviz.ui.components.drawing_pad import drawing_pad

        drawn = drawing_pad("pad")
        st.text("nothing" if drawn is None else f"{drawn.shape} {drawn.dtype} {drawn.sum()}")

    at = AppTest.from_function(page)
    at.session_state["pad"] = {"drawing": drawing}
    return at.run()


def test_a_picture_is_what_was_sent() -> None:
    got = picture(sent(DRAWN.tobytes()))
    assert got is not None
    assert got.dtype == np.uint8
    assert np.array_equal(got, DRAWN)
    got[0, 0] = 1  # torch warns of an array that cannot be written to


@pytest.mark.parametrize("what", refused())
def test_anything_else_is_no_picture(what: str) -> None:
    assert picture(refused()[what]) is None


@pytest.mark.filterwarnings("default")
def test_the_page_gets_the_picture() -> None:
    at = shown(sent(DRAWN.tobytes()))
    assert not at.exception
    assert at.text[0].value == f"(112, 112) uint8 {DRAWN.sum()}"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("what", ["no ink", "another letter", "a number", "a mapping"])
def test_the_page_gets_nothing_else(what: str) -> None:
    at = shown(refused()[what])
    assert not at.exception
    assert at.text[0].value == "nothing"
