"""The sentence about one image says what is so, in the plain case and in every degenerate one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdviz.soft_targets import softmax
from kdviz.ui import opinion

NAMES = ("dog", "cat", "car", "van")
Z = np.array([6.0, 3.0, -3.0])


def test_what_it_thinks_of_the_others() -> None:
    q, p = softmax(Z, 4.0), softmax(Z)
    assert opinion.sentence(Z, 0, 4.0, NAMES) == (
        f"At T = 4 the teacher gives **cat** a share of {q[1]:.1%} ({p[1]:.1%} at T = 1), "
        f"{q[1] / q[2]:.1f} times that of **car**."
    )


@pytest.mark.parametrize(
    ("logits", "label", "T", "said"),
    [
        (Z, 0, 1.0, "At T = 1 the teacher gives **cat** a share of 4.7%, 400 times that of **car**."),
        (Z, 0, 0.05, "leaves less than 0.1% to all others together"),
        (Z, 0, 100.0, "all shares are much alike, from 34.7% for **dog** down to 31.7% for **car**"),
        (np.array([5.0, 5.0, 0.0]), 0, 1.0, "cannot decide: it gives **dog** and **cat** a share of 49.8% each"),
        (np.array([5.0, 1.0, 0.9]), 0, 2.0, "finds all other classes much alike"),
        (np.array([9.0, 8.0, -9.0]), 0, 1.0, "over 1,000 times that of **car**"),
        (np.array([9.0, 8.0, -9.0]), 0, 1.2, "(26.9% at T = 1), over 1,000 times that of **car**"),
        (Z, 1, 4.0, "it answers **dog**, the label says **cat**. Yet **cat** comes second: at T = 4 it gets a share of 29.9%"),
        (Z, 2, 4.0, "it gives **car** a share of 6.7%, rank 3 of 3"),
        (Z, 2, 0.1, "**car** has rank 3 of 3"),
        (np.zeros(3), 0, 1.0, "all shares are much alike"),
        (np.array([5.0, 2.0, 2.0, 0.0]), 0, 2.0, "gives **cat** and **car** a share of 14.6% each, 2.7 times that of **van**"),
    ],
)  # fmt: skip
def test_each_case_has_its_sentence(logits: np.ndarray, label: int, T: float, said: str) -> None:
    assert said in opinion.sentence(logits, label, T, NAMES)


@given(arrays(np.float64, 10, elements=st.floats(-60, 60)), st.integers(0, 9), st.floats(0.05, 100))
def test_there_is_always_a_sentence(logits: np.ndarray, label: int, T: float) -> None:
    names = tuple("0123456789")
    said = opinion.sentence(logits, label, T, names)
    assert said.endswith(".")
    assert not any(word in said for word in ("nan", "inf", "{", "e+"))
