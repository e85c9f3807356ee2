"""An ensemble on one image: what each member answers, and what three ways of joining them make of it at T.

Drawn in the browser (browser/ensemble.js), where it follows the dial; its formulas are held against kdviz/soft_targets.py by
tests/browser/test_dial.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from kdviz.i18n import _
from kdviz.ui import served
from kdviz.ui.components import parts

_mount = served.component("ensemble", "ensemble.js", '<div class="part ensemble"></div>\n', parts.style("ensemble.css"))


def show(members: np.ndarray, shown: np.ndarray, T: float, names: Sequence[str]) -> None:
    """Show an ensemble: members (members, classes), the logits of its networks for the image; shown: the classes with bars."""
    st.header(_("Five heads, one answer") if len(members) == 5 else _("Several heads, one answer"), anchor=False)
    st.markdown(
        _(
            "This teacher is {members} networks that differ in their initial weights and their batches. They can be joined "
            "before the softmax, after it, or after it and then softened; at T = 1 the last two are one.",
            members=len(members),
        )
    )
    data = {
        "T": T,
        "members": np.asarray(members, dtype=np.float64).tolist(),
        "names": list(names),
        "shown": [int(index) for index in shown],
        **parts.colours(),
        "strings": {
            **parts.words(),
            "geometric": _("mean of logits"),
            "arithmetic": _("mean of shares"),
            "tempered": _("mean at 1, then T"),
            "at": _("at T = {T}", T="{T}"),
            "members": _("What each member answers"),
            "member": _("member"),
            "answer": _("answer"),
            "at_one": _("its share at T = 1"),
            "at_T": _("its share at T"),
            "next": _("next"),
            "next_at_T": _("share of the next at T"),
        },
    }
    _mount(key="ensemble", data=data)
    st.caption(
        _(
            "Mean of logits: the geometric mean of the members' shares at T, and what kdviz takes for this teacher's soft "
            "targets. Mean of shares: every member is softened by T first, then their shares are averaged. Mean at 1, then T: "
            "the shares at T = 1 are averaged, and the logarithm of that is softened by T."
        )
    )
