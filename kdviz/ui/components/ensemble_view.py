"""An ensemble on one image: what each member answers, and what three ways of joining them make of it at T."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from kdviz import figures
from kdviz.figures import bars, numbers
from kdviz.i18n import _
from kdviz.soft_targets import ensemble_arithmetic, ensemble_geometric, ensemble_tempered, softmax


def show(members: np.ndarray, shown: np.ndarray, T: float, names: Sequence[str], theme: figures.Theme) -> None:
    """Show an ensemble: members (members, classes), the logits of its networks for the image; shown: the classes with bars."""
    st.subheader(_("Five heads, one answer") if len(members) == 5 else _("Several heads, one answer"), anchor=False)
    st.markdown(
        _(
            "This teacher is {members} networks that differ in their initial weights and their batches. They can be joined "
            "before the softmax, after it, or after it and then softened; at T = 1 the last two are one.",
            members=len(members),
        )
    )
    at = _("at T = {T}", T=numbers.temperature(T))
    drawing = bars.shares(
        [
            bars.Panel("teacher", _("mean of logits"), at, ensemble_geometric(members, T)[shown]),
            bars.Panel("teacher", _("mean of shares"), at, ensemble_arithmetic(members, T)[shown]),
            bars.Panel("teacher", _("mean at 1, then T"), at, ensemble_tempered(members, T)[shown]),
        ],
        [names[index] for index in shown],
        theme,
    )
    st.plotly_chart(drawing.figure, alt=drawing.alt, config=figures.CONFIG, key="ensemble_bars")
    st.caption(
        _(
            "Mean of logits: the geometric mean of the members' shares at T, and what kdviz takes for this teacher's soft "
            "targets. Mean of shares: every member is softened by T first, then their shares are averaged. Mean at 1, then T: "
            "the shares at T = 1 are averaged, and the logarithm of that is softened by T."
        )
    )
    st.dataframe([_row(number, member, T, names) for number, member in enumerate(members)], hide_index=True, width="stretch")


def _row(number: int, logits: np.ndarray, T: float, names: Sequence[str]) -> dict[str, str]:
    first, second = (int(index) for index in np.argsort(-logits, kind="stable")[:2])
    at_T = softmax(logits, T)
    return {
        _("member"): str(number + 1),
        _("answer"): names[first],
        _("its share at T = 1"): numbers.percent(float(softmax(logits)[first])),
        _("its share at T"): numbers.percent(float(at_T[first])),
        _("next"): names[second],
        _("share of the next at T"): numbers.percent(float(at_T[second])),
    }
