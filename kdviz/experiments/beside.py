"""What of ours stands beside each figure found elsewhere: of an experiment's measured figures, by the keys of its `paper`.

A table of plain texts; a page and a figure need no more. Knows no page.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kdviz.experiments import Experiment, Said, points
from kdviz.i18n import N_


@dataclass(frozen=True)
class Row:
    """A figure found elsewhere and ours. what: a message; papers: empty where there is none; where: the section that says so."""

    what: str
    papers: str
    ours: str | Said
    where: str


def table(experiment: Experiment, measured: Mapping[str, Any]) -> list[Row]:
    """Return a row for each figure found elsewhere, then those of ours that have none beside them."""
    ours = {key: list(texts) for key, texts in OURS[experiment.name](measured).items()} if experiment.name in OURS else {}
    rows = []
    for found in experiment.paper:
        papers = STATED.get((experiment.name, found.key), f"{found.value:g}")
        rows.append(Row(found.what, papers, ours[found.key].pop(0), found.where))
    return rows + [Row(message, "", text, "") for key, message in OURS_ALONE.items() for text in ours.get(key, [])]


STATED = {("temperature-by-width", "wide"): "T > 8", ("temperature-by-width", "narrow"): "T = 2.5–4"}
"""What the paper says in words where it gives no figure."""

OURS_ALONE = {
    "papers": N_("errors with the paper's bias"),
    "papers_percent": N_("errors with the paper's bias, percent"),
    "matched": N_("errors with the bias that needs no test label"),
    "matched_percent": N_("errors with the bias that needs no test label, percent"),
}

Texts = Mapping[str, list[str | Said]]


def spread(of: Mapping[str, Any], digits: int = 1, times: float = 1.0) -> str:
    """Return a mean over seeds with their standard deviation, if there are several."""
    values = [times * value for value in of["seeds"]]
    mean = statistics.fmean(values)
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else f"{mean:.{digits}f}"


def _table(of: Mapping[str, Any]) -> Texts:
    errors = {name: of["students"][name]["errors"] for name in ("hard_labels", "distilled")}
    return {"teacher": [f"{of['teacher']}"], **{name: [spread(each)] for name, each in errors.items()}}


def _by_width(of: Mapping[str, Any]) -> Texts:
    widest = of["alike"][-1]
    return {
        "narrow": [Said(N_("at {width} units T = {best} makes the fewest errors on the test images"),
                        {"width": f"{of['narrowest']}", "best": f"{of['best'][str(of['narrowest'])]:g}"})],
        "wide": [Said(N_("at {width} units T = {best} is {points} points from T = {worst}"),
                      {"width": f"{widest['width']}", "best": f"{widest['best']:g}", "worst": f"{widest['worst']:g}",
                       "points": points(widest["difference"])["points"]})],
    }  # fmt: skip


def _mythical(of: Mapping[str, Any]) -> Texts:
    return {
        name: [Said(N_("{errors}, {own} of them on the class"),
                    {"errors": f"{row['errors']['mean']:.1f}", "own": f"{row['errors_of_classes']['mean']:.1f}"})]
        for name, row in of["rows"].items()
    }  # fmt: skip


def _two_classes(of: Mapping[str, Any]) -> Texts:
    rates = {name: spread(row["errors"], 1, 100 / of["images"]) for name, row in of["rows"].items()}
    return {"before": [rates["before"]], "best_on_test": [rates["best_on_test"]],
            "papers_percent": [rates["papers"]], "matched_percent": [rates["matched"]]}  # fmt: skip


def _little(of: Mapping[str, Any]) -> Texts:
    three = min(of["rows"], key=lambda row: abs(row["fraction"] - 0.03))["students"]
    whole = of["rows"][-1]
    largest = Said(N_("{accuracy} with {share} of the images"),
                   {"accuracy": spread(whole["students"]["hard_labels"]["accuracy"], 2, 100),
                    "share": f"{whole['fraction']:.0%}"})  # fmt: skip
    return {**{name: [spread(three[name]["accuracy"], 2, 100)] for name in ("hard_labels", "distilled")}, "whole": [largest]}


def _kdtf(of: Mapping[str, Any]) -> Texts:
    students = [row["students"] for row in of["rows"]]
    return {
        "teacher": [f"{100 * of['teacher']:.2f}"],
        "hard_labels": [spread(students[0]["hard_labels"]["accuracy"], 2, 100)],
        "distilled": [spread(each["distilled"]["accuracy"], 2, 100) for each in students],
    }


def _matching(of: Mapping[str, Any]) -> Texts:
    return {
        "hot": [Said(N_("{degrees} at T = {T}"), {"degrees": f"{of['degrees'][-1]:.1f}", "T": f"{of['temperatures'][-1]:g}"})]
    }


def _ensemble(of: Mapping[str, Any]) -> Texts:
    right = {"one": of["one"], "ensemble": of["ensemble"], "several": of["students"]["several"]["mean"]}
    return {name: [f"{100 * (1 - errors / of['images']):.2f}"] for name, errors in right.items()}


def _specialists(of: Mapping[str, Any]) -> Texts:
    return {name: [f"{100 * (1 - of[name] / of['images']):.2f}"] for name in ("generalist", "joined")}


OURS: dict[str, Callable[[Mapping[str, Any]], Texts]] = {
    "mnist-table": _table,
    "temperature-by-width": _by_width,
    "mythical-3": _mythical,
    "only-7-and-8": _two_classes,
    "little-data": _little,
    "kdtf-table": _kdtf,
    "logit-matching": _matching,
    "ensemble": _ensemble,
    "specialists": _specialists,
}
