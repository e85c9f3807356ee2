"""A slider for the bias of classes that a student never saw: errors move while it is dragged, drawn in the browser.

And the training images from which a student drew its idea of such a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from kdviz import data
from kdviz.errors import UserError
from kdviz.figures import Theme, bias
from kdviz.i18n import _
from kdviz.spec import RunSpec
from kdviz.ui import served
from kdviz.ui.components import pictures

SIDE = 84

_HTML = """
<div class="kdviz-bias">
  <p class="says" aria-hidden="true"></p>
  <input type="range" class="slider">
  <div class="marks"></div>
  <div class="plot" role="img"></div>
</div>
"""

_CSS = """
.kdviz-bias { color: var(--st-text-color); font-family: var(--st-font); font-size: 1rem; }
.kdviz-bias .says {
  margin: 0 0 4px; min-height: 2.6em; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums;
}
.kdviz-bias .slider { display: block; width: 100%; height: 36px; margin: 0; accent-color: var(--st-primary-color); }
.kdviz-bias .marks { display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 4px 0 12px; }
.kdviz-bias button {
  box-sizing: border-box; min-height: 36px; padding: 5px 12px; color: inherit; background: transparent; font: inherit;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: var(--st-button-radius); cursor: pointer;
}
.kdviz-bias button:hover { background: var(--st-secondary-background-color); }
.kdviz-bias button:focus-visible, .kdviz-bias .slider:focus-visible {
  outline: 3px solid var(--st-text-color); outline-offset: 1px;
}
.kdviz-bias .plot { min-height: 340px; }
"""

_mount = served.component("bias_curve", "bias_curve.js", _HTML, _CSS, isolate_styles=False)


def marks(measured: Mapping[str, Any]) -> list[bias.Mark]:
    """Return the biases that stand out: none, the paper's, the one that needs no label, the best on the test images."""
    rows = measured["rows"]
    added = {name: f"{row['bias']['mean']:+.1f}" for name, row in rows.items()}
    labels = {
        "before": _("nothing added"),
        "papers": _("the paper's, {bias}", bias=added.get("papers", "")),  # which has one for its own digit alone
        "matched": _("without any test label, {bias}", bias=added["matched"]),
        "best_on_test": _("best on the test images, {bias}", bias=added["best_on_test"]),
    }
    return [
        bias.Mark(label, rows[name]["bias"]["mean"], rows[name]["errors"]["mean"])
        for name, label in labels.items()
        if name in rows
    ]


def show(measured: Mapping[str, Any], identity: str, theme: Theme) -> None:
    """Show the curve of a result and the slider, which stands at no bias first. identity: another result begins there again."""
    classes = ", ".join(map(str, measured["classes"]))
    found = marks(measured)
    drawing = bias.draw(measured["curve"], classes, found, 0.0, theme)
    given = {
        "id": identity,
        "curve": measured["curve"],
        "figure": drawing.figure,
        "at": 0.0,
        "marks": [{"label": mark.label, "bias": mark.bias} for mark in found],
        "plotly": served.address(served.PLOTLY),
        "words": {"said": bias.said(), "classes": classes, "label": _("added to the bias of {classes}", classes=classes)},
    }
    _mount(key="bias_curve", data=given)
    st.caption(
        _(
            "Each line across has ten times as many errors as the one below it. The best on the test images is chosen with the "
            "labels that judge it, as the paper's was: it is no result, but the most that a bias can do. The one without any "
            "test label gives the class as much as it has of the training images."
        )
        if "papers" in measured["rows"]
        else _(
            "Each line across has ten times as many errors as the one below it. The best on the test images is chosen with the "
            "labels that judge it: it is no result, but the most that a bias can do. The one without any test label gives the "
            "class as much as it has of the training images."
        )
    )


def sources(spec: RunSpec, listed: Sequence[Mapping[str, Any]]) -> None:
    """Show the training images in which the teacher sees most of a class that the student never saw, if they are here."""
    if not listed:
        return
    absent = spec.classes_left_out[0]
    st.markdown(
        _(
            "From these training images the students have their idea of the digit {absent}: to no others does the teacher give "
            "as much of it. Shares at T = {T}:",
            absent=absent,
            T=f"{spec.temperature[0]:g}",
        )
    )
    try:
        images = data.load(spec.dataset)
    except UserError:
        st.caption(_("The images of {dataset} are not on this machine.", dataset=data.title(spec.dataset)))
        return
    where = images.slice("training")
    captions = [
        _("{label}, {share} like {absent}", label=one["label"], share=f"{one['share']:.0%}", absent=absent) for one in listed
    ]
    shown = [pictures.png(np.asarray(images.pixels[where.start + one["image"]]), SIDE) for one in listed]
    alt = [_("Training image {number}: {caption}", number=one["image"], caption=text)
           for one, text in zip(listed, captions, strict=True)]  # fmt: skip
    st.image(shown, caption=captions, width=SIDE, alt=alt, output_format="PNG")
