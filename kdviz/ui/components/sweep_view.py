"""A sweep on the page: the map of differences, the accuracies behind it, and a table of every cell. Live while it trains."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import streamlit as st

from kdviz import figures
from kdviz.figures import grid
from kdviz.figures import sweep as drawing
from kdviz.i18n import _
from kdviz.spec import RunSpec
from kdviz.ui import shown, words

VERDICT = "verdict"  # of the container of the one sentence that says how a run came out


def show(view: shown.Shown, teacher_accuracy: float | None, replayed: bool = False) -> None:
    """Draw a sweep as far as it has come. replayed: the points are those of an earlier moment of a run that is over."""
    assert isinstance(view.spec, RunSpec)
    theme: figures.Theme = "dark" if st.context.theme.type == "dark" else "light"
    _across, _down, others = grid.axes(view.spec)
    held = {}
    for name in others:
        held[name] = st.segmented_control(
            _(grid.TITLES[name]), getattr(view.spec, name), key=f"held_{name}", required=True,
            default=getattr(view.spec, name)[0], format_func=partial(_named, name),
        )  # fmt: skip
    seen = grid.grid(view.spec, view.points, view.result, held)
    final = view.result is not None
    heat = drawing.heat_map(seen.columns, seen.rows, seen.cells, theme, final)
    st.plotly_chart(heat.figure, alt=heat.alt, config=figures.CONFIG, key="sweep_map")
    filled = sum(cell.difference is not None for cell in seen.cells)
    if not final and (replayed or not (view.run and view.run.over)):
        st.caption(
            _(
                "{filled} of {cells} cells have points; the last evaluation of each is shown. Intervals follow at the end.",
                filled=filled, cells=len(seen.cells),
            )
        )  # fmt: skip
    # A figure for each row, so that they stand side by side where there is room and one below the other on a phone.
    with st.container(horizontal=True):
        for row, value in enumerate(seen.rows.values):
            cells = [dataclasses.replace(cell, row=0) for cell in seen.cells if cell.row == row]
            one = drawing.Axis(seen.rows.title, (value,))
            panel = drawing.small_multiples(seen.columns, one, cells, teacher_accuracy, theme, among=seen.cells)
            st.plotly_chart(panel.figure, alt=panel.alt, config=figures.CONFIG, key=f"sweep_panel_{row}", width=350)


def _named(knob: str, value: float | str) -> str:
    return words.value(knob, value) if isinstance(value, str) else f"{value:g}"


def table(view: shown.Shown) -> None:
    """Say in how many cells distillation helps, and list every cell with its interval."""
    assert view.result is not None and isinstance(view.spec, RunSpec)
    comparisons = grid.gains(view.result)
    verdicts = [comparison["verdict"] for comparison in comparisons]
    if None not in verdicts:
        words = _(
            "Of {cells} settings distillation helps in {helps}, harms in {harms}, and in {neither} no difference is visible.",
            cells=len(verdicts), helps=verdicts.count("helps"), harms=verdicts.count("harms"),
            neither=verdicts.count("no visible difference"),
        )  # fmt: skip
        with st.container(key=VERDICT):
            st.markdown(f"## {words}", anchors=False)
        st.caption(
            _(
                "Each verdict stands on its own 95% interval: of {cells} settings without any effect, about {chance} would still "
                "be called helpful or harmful by chance. Look for a pattern over neighbouring cells.",
                cells=len(verdicts), chance=f"{max(1, round(0.05 * len(verdicts)))}",
            )
        )  # fmt: skip
    with st.expander(_("Every cell in numbers"), icon=":material/table:", key="sweep_table"):
        st.dataframe([_row(view, comparison) for comparison in comparisons], hide_index=True, width="stretch")


def _row(view: shown.Shown, comparison: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(view.spec, RunSpec)
    row: dict[str, Any] = {_(grid.TITLES[name]): words.value(name, comparison[name]) for name in view.spec.swept}
    row[_("difference (points)")] = f"{100 * comparison['mean']:+.2f}"
    if comparison["low"] is not None:
        row[_("95% interval")] = f"[{100 * comparison['low']:+.2f}, {100 * comparison['high']:+.2f}]"
        row[_("verdict")] = {
            "helps": _("helps"), "harms": _("harms"), "no visible difference": _("no visible difference"),
        }[comparison["verdict"]]  # fmt: skip
    return row
