"""Classes that a student never saw: the paper's mythical 3, and students of sevens and eights alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdviz import answers, bias, data, teachers
from kdviz.experiments import Experiment, Found, Measured, Part, Parts, Said, Texts, plus_minus, spread
from kdviz.experiments.claims.common import JITTER, QUICK, SECTION, TUNED, WIDE
from kdviz.i18n import N_
from kdviz.soft_targets import softmax


def _transferred(
    part: Part, raised: tuple[int, ...], grid: np.ndarray, papers: float | None, most: int | None = None
) -> Measured:  # fmt: skip
    """Measure one student after the other, before and after the biases of `raised` are moved together.

    papers: the paper's bias; most: how many images of those classes its best bias leaves wrong; None where it has none.
    """
    opened = data.load(part.spec.dataset)
    wanted = float(np.isin(opened.labels[opened.slice("training")], raised).mean())
    each = part.of("distilled", part.setting)
    biases = {
        "before": [0.0] * len(each),
        "best_on_test": [bias.best(logits, part.labels, raised) for logits in each],
        "matched": [bias.matched(logits, raised, wanted) for logits in each],
    }
    if papers is not None:
        biases["papers"] = [papers] * len(each)
    if most is not None:
        biases["as_few"] = [bias.best(logits, part.labels, raised, most) for logits in each]
    rows = {}
    for name, values in biases.items():
        counted = [bias.errors(z, part.labels, raised, np.array([b])) for z, b in zip(each, values, strict=True)]
        rows[name] = {
            "bias": spread(values),
            "errors": spread([float(one.all[0]) for one in counted]),
            "errors_of_classes": spread([float(one.of_classes[0]) for one in counted]),
        }
    curves = [bias.errors(logits, part.labels, raised, grid) for logits in each]
    hard = part.correct("hard_labels", part.setting)
    return {
        "classes": list(raised), "images": len(part.labels), "images_of_classes": int(np.isin(part.labels, raised).sum()),
        "share": wanted, "rows": rows, "hard_labels": spread([row["errors"] for row in part.rows("hard_labels", part.setting)]),
        "hard_labels_of_classes": spread((~hard & np.isin(part.labels, raised)).sum(1).tolist()),
        "curve": {"bias": grid.tolist(), "errors": np.mean([c.all for c in curves], 0).tolist(),
                  "errors_of_classes": np.mean([c.of_classes for c in curves], 0).tolist()},
    }  # fmt: skip


def _sources(part: Part, absent: int, most: int = 24) -> list[dict[str, Any]]:
    """Return the images, of those that the students saw, in whose soft targets the absent class is strongest."""
    opened = data.load(part.spec.dataset)
    logits = teachers.stored_logits(teachers.find(part.spec.dataset, part.spec.teacher), opened)
    if logits is None:
        return []
    seen = answers.transfer_set(part.spec, opened, part.setting.fraction)
    shares = softmax(np.asarray(logits[seen]).astype(np.float64), part.setting.temperature)[:, absent]
    first = np.argsort(-shares, kind="stable")[:most]
    return [{"image": int(seen[n]), "label": int(opened.labels[seen[n]]), "share": float(shares[n])} for n in first]


PAPERS_DIGIT, PAPERS_BIAS = 3, 3.5
PAPERS_BEST = (109, 14)
"""The paper's errors with the bias that is best on the test set: of all images, and of the threes among them."""


def _mythical(parts: Parts) -> Measured:
    part = parts["students"]
    absent = part.spec.classes_left_out
    papers, most = (PAPERS_BIAS, PAPERS_BEST[1]) if absent == (PAPERS_DIGIT,) else (None, None)
    of = _transferred(part, absent, np.round(np.arange(-4, 16.01, 0.1), 1), papers, most)
    return {**of, "sources": _sources(part, absent[0])}


def _mythical_verdict(of: Measured) -> tuple[str, list[Said]]:
    best, matched = (of["rows"][name] for name in ("best_on_test", "matched"))
    as_few = of["rows"].get("as_few")  # of the paper's digit alone
    count, names = of["images_of_classes"], ", ".join(map(str, of["classes"]))

    def known(errors: Measured) -> str:
        return f"{1 - errors['mean'] / count:.1%}"

    said = [
        Said(
            N_(
                "Without a bias raised, students that never saw the digit {classes} know {share} of "
                "them; hard-label students know {hard}."
            ),
            {"classes": names, "share": known(of["rows"]["before"]["errors_of_classes"]),
             "hard": known(of["hard_labels_of_classes"])},
        ),
        Said(
            N_(
                "With the bias at which the class's mean predicted share of the test images is its share of the training set, "
                "{bias} on average, it is {share}: {errors} errors in all, {own} of them on the class. No test label is needed."
            ),
            {"bias": f"{matched['bias']['mean']:+.1f}", "share": known(matched["errors_of_classes"]),
             "errors": f"{matched['errors']['mean']:.1f}", "own": f"{matched['errors_of_classes']['mean']:.1f}"},
        ),
        Said(
            N_(
                "With the bias that is best on the test set, {bias} on average, it is {share}: {errors} errors in all, {own} on "
                "the class. The paper: 109 and 14, 98.6%."
            )
            if as_few
            else N_(
                "With the bias that is best on the test set, {bias} on average, it is {share}: {errors} errors in all, {own} on "
                "the class."
            ),
            {"bias": f"{best['bias']['mean']:+.1f}", "share": known(best["errors_of_classes"]),
             "errors": f"{best['errors']['mean']:.1f}", "own": f"{best['errors_of_classes']['mean']:.1f}"},
        ),
    ]  # fmt: skip
    if as_few:
        said.append(
            Said(
                N_(
                    "Of the biases that leave no more of the class wrong than the paper's, {most}, the best on the test set, "
                    "{bias} on average, leaves {errors} wrong in all; the paper has {papers}."
                ),
                {"most": f"{PAPERS_BEST[1]}", "papers": f"{PAPERS_BEST[0]}", "bias": f"{as_few['bias']['mean']:+.1f}",
                 "errors": f"{as_few['errors']['mean']:.1f}"},
            )
        )  # fmt: skip
    return _how_many(1 - matched["errors_of_classes"]["mean"] / count), said


def _how_many(share: float) -> str:
    return "nearly_all" if share > 0.9 else "many" if share > 0.5 else "few"


def _two_classes(parts: Parts) -> Measured:
    part = parts["students"]
    present = tuple(sorted(set(range(10)) - set(part.spec.classes_left_out)))
    return _transferred(part, present, np.round(np.arange(-30, 4.01, 0.2), 1), -7.6)


def _two_classes_verdict(of: Measured) -> tuple[str, list[Said]]:
    rates = {name: 100 * of["rows"][name]["errors"]["mean"] / of["images"] for name in of["rows"]}
    said = [
        Said(
            N_(
                "Students that saw images of {classes} alone are wrong on {before} of all test images; with both biases lowered, "
                "best on the test set at {bias}, on {after}. The paper: 47.3% and 13.2%."
            ),
            {"classes": ", ".join(map(str, of["classes"])), "before": f"{rates['before']:.1f}%",
             "after": f"{rates['best_on_test']:.1f}%", "bias": f"{of['rows']['best_on_test']['bias']['mean']:+.1f}"},
        ),
        Said(
            N_(
                "Lowered until the classes' mean predicted share of the test images is their share of the training set, by "
                "{bias}, which needs no test label: {rate} are wrong."
            ),
            {"bias": f"{of['rows']['matched']['bias']['mean']:+.1f}", "rate": f"{rates['matched']:.1f}%"},
        ),
    ]  # fmt: skip
    return _how_many(1 - rates["matched"] / 100), said


SEEN: Mapping[str, str] = {
    "few": N_("Half of them or fewer: nobody can know what they never saw."),
    "many": N_("More than half of them, but not nine in ten."),
    "nearly_all": N_("Nearly all of them: more than nine in ten."),
}
ON_TEST = N_(
    "The paper's biases were the best on the test set, and so are ours but the matched one, which uses the test images and the "
    "classes' shares of the training set, but no test label."
)


def _mythical_beside(of: Measured) -> Texts:
    return {
        name: [Said(N_("{errors}, {own} of them on the class"),
                    {"errors": f"{row['errors']['mean']:.1f}", "own": f"{row['errors_of_classes']['mean']:.1f}"})]
        for name, row in of["rows"].items()
    }  # fmt: skip


def _two_beside(of: Measured) -> Texts:
    rates = {name: plus_minus(row["errors"], 1, 100 / of["images"]) for name, row in of["rows"].items()}
    return {"before": [rates["before"]], "best_on_test": [rates["best_on_test"]],
            "papers_percent": [rates["papers"]], "matched_percent": [rates["matched"]]}  # fmt: skip


def _without(digit: int) -> Experiment:
    """Return the claim for a digit: of the paper's the paper's figures stand beside it."""
    papers = digit == PAPERS_DIGIT
    return Experiment(
        name=_NAMES[digit],
        title=N_("A digit that was never seen"),
        question=N_(
            "A student is shown no {digit}, only how much every other digit is like {digit}: how many {digit}s of the test set "
            "does it know?"
        ),
        section=SECTION,
        predictions=SEEN,
        quick={"students": {**QUICK, "classes_left_out": [digit], "fraction": 0.3, "batch_size": 128}},
        full={
            "students": {**WIDE, "classes_left_out": [digit], "hard_weight": 1, "epochs": 150, "learning_rate": 0.001, "seeds": 5}
        },
        seconds=(30, 650),
        paper=(
            Found("before", N_("errors before the bias is raised, 133 of them on the 1,010 threes"), 206, "section 3"),
            Found("best_on_test", N_("errors with the bias raised by 3.5, 14 of them on threes"), PAPERS_BEST[0], "section 3"),
        )
        if papers
        else (),
        measure=_mythical,
        verdict=_mythical_verdict,
        chosen=TUNED,
        reasons=(ON_TEST, JITTER) if papers else (ALONE,),
        beside=_mythical_beside,
        fields={"digit": f"{digit}"},
        others={f"{other}": name for other, name in _NAMES.items()},
        one_of=None if papers else _NAMES[PAPERS_DIGIT],
    )


_NAMES = {digit: "mythical-3" + (f"-without-{digit}" if digit != PAPERS_DIGIT else "") for digit in range(10)}
ALONE = N_("The paper left out the 3 alone: for another digit there is nothing to compare with.")
MYTHICAL_3 = _without(PAPERS_DIGIT)
OTHER_DIGITS = [_without(digit) for digit in _NAMES if digit != PAPERS_DIGIT]

ONLY_7_AND_8 = Experiment(
    name="only-7-and-8",
    title=N_("Only sevens and eights"),
    question=N_("A student sees images of 7 and 8 alone: how many of all ten digits does it know?"),
    section=SECTION,
    predictions=SEEN,
    quick={"students": {**QUICK, "classes_left_out": [0, 1, 2, 3, 4, 5, 6, 9]}},
    full={"students": {**WIDE, "classes_left_out": [0, 1, 2, 3, 4, 5, 6, 9], "epochs": 80, "learning_rate": 0.001, "seeds": 5}},
    seconds=(25, 300),
    paper=(
        Found("before", N_("errors before the biases are lowered, percent"), 47.3, "section 3"),
        Found("best_on_test", N_("errors with both biases lowered by 7.6, percent"), 13.2, "section 3"),
    ),
    measure=_two_classes,
    verdict=_two_classes_verdict,
    chosen=TUNED,
    reasons=(ON_TEST, JITTER),
    beside=_two_beside,
)
