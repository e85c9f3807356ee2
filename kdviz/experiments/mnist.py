"""Section 3 of the paper, on MNIST: the table of errors, temperature and width, and classes that a student never saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdviz import answers, bias, data, teachers
from kdviz.experiments import (
    GAIN,
    HINTON,
    Experiment,
    Found,
    Measured,
    Part,
    Parts,
    Said,
    interval,
    outcome,
    points,
    spread,
    students,
)  # fmt: skip
from kdviz.i18n import N_
from kdviz.soft_targets import softmax

SECTION = f"{HINTON}, section 3"
TEACHER = {"dataset": "mnist", "teacher": "mlp-1200-1200"}
WIDE: dict[str, Any] = {**TEACHER, "student": "mlp-800-800", "temperature": [20], "schedule": "linear", "batch_size": 256}
QUICK: dict[str, Any] = {**TEACHER, "student": "mlp-300-300", "temperature": [20], "schedule": "linear", "batch_size": 128,
                         "epochs": 12, "learning_rate": 0.002, "seeds": 3}  # fmt: skip


# The table


def _table(parts: Parts) -> Measured:
    part = parts["students"]
    found = students(part, part.setting)
    gain = interval(part.correct("distilled", part.setting), part.correct("hard_labels", part.setting))
    errors = {name: found[name]["errors"]["mean"] for name in ("hard_labels", "distilled")}
    teacher = part.result["teacher"]["errors"]
    room = errors["hard_labels"] - teacher
    closed = (errors["hard_labels"] - errors["distilled"]) / room if room > 0 else None
    learned = part.result["settings"]["transfer_images"]
    return {"teacher": teacher, "images": len(part.labels), "learned": learned, "students": found, "gain": gain, "closed": closed}


def _table_verdict(of: Measured) -> tuple[str, list[Said]]:
    hard, distilled = (of["students"][name]["errors"]["mean"] for name in ("hard_labels", "distilled"))
    fields = {"hard": f"{hard:.1f}", "distilled": f"{distilled:.1f}", "images": f"{of['images']:,}", **points(of["gain"])}
    result = outcome(of["gain"])
    said = [
        Said(
            {
                "helps": N_(
                    "Soft targets help, as the paper found: {distilled} errors of {images} instead of {hard}, a gain of {points} "
                    "points with the interval [{low}, {high}]."
                ),
                "harms": N_(
                    "Against the paper, soft targets harm here: {distilled} errors of {images} instead of {hard}, {points} "
                    "points with the interval [{low}, {high}]."
                ),
                "neither": N_(
                    "The paper found fewer errors with soft targets; here no difference is visible: {distilled} errors of "
                    "{images} beside {hard}, {points} points with the interval [{low}, {high}]."
                ),
                "unknown": N_("With one seed nothing can be told: {distilled} errors of {images} beside {hard}."),
            }[result],
            fields,
        )
    ]
    as_many = of["learned"] == 60_000  # as the paper's students learned from
    if as_many and result == "helps" and of["closed"] is not None:
        said.append(
            Said(
                N_(
                    "The teacher makes {teacher} errors; distillation closes {closed} of the way from the hard-label student to "
                    "it. In the paper's table it is 91%."
                ),
                {"teacher": f"{of['teacher']}", "closed": f"{100 * of['closed']:.0f}%"},
            )
        )
    if as_many:
        said.append(
            Said(
                N_("The hard-label student is a stronger control than the paper's, which made 146 errors: {hard}.")
                if hard < 146
                else N_("The hard-label student is no stronger a control than the paper's, which made 146 errors: {hard}."),
                {"hard": f"{hard:.1f}"},
            )
        )
    return result, said


# Temperature by width


NARROW, WIDE_FROM, HIGH = (2.5, 4.0), 300, 8.0


def _in_the_band(T: float) -> bool:
    return NARROW[0] <= T <= NARROW[1]


def _width(student: str) -> int:
    return int(student.split("-")[1])


def _by_width(parts: Parts) -> Measured:
    rows, correct = [], {}
    for part in parts.values():
        for setting in part.spec.settings:
            right = part.correct("distilled", setting)
            correct[_width(setting.student), setting.temperature] = right
            errors = spread([row["errors"] for row in part.rows("distilled", setting)])
            control = part.correct("hard_labels", setting)
            rows.append({"width": _width(setting.student), "temperature": setting.temperature, "errors": errors,
                         "hard_labels": spread((~control).sum(1).tolist()), "gain": interval(right, control)})  # fmt: skip
    narrowest = min(width for width, _ in correct)
    middle = np.mean([right.astype(float) for (w, T), right in correct.items() if w == narrowest and _in_the_band(T)], axis=0)
    beyond: dict[str, list[dict[str, Any]]] = {"lower": [], "higher": []}
    for (width, T), right in correct.items():
        if width == narrowest and not _in_the_band(T):
            side = beyond["lower" if NARROW[0] > T else "higher"]
            side.append({"temperature": T, "difference": interval(middle, right)})
    best = {
        str(width): max((T for w, T in correct if w == width), key=lambda T: correct[width, T].mean())
        for width in sorted({w for w, _ in correct})
    }
    alike = []
    for width in sorted({w for w, _ in correct if w >= WIDE_FROM}):
        high = sorted((T for w, T in correct if w == width and T > HIGH), key=lambda T: float(correct[width, T].mean()))
        pairs = len(high) * (len(high) - 1) // 2
        between = interval(correct[width, high[-1]], correct[width, high[0]], 1 - 0.05 / pairs)
        alike.append({"width": width, "best": high[-1], "worst": high[0], "pairs": pairs, "difference": between})
    return {
        "rows": rows, "narrowest": narrowest, "best": best, "alike": alike,
        "beyond": beyond,
    }  # fmt: skip


BEYOND: Mapping[str, tuple[str, str, str]] = {
    "lower": (
        N_(
            "At {width} units T from 2.5 to 4 is better than every lower T tried; nearest comes T = {near}: {points} points "
            "[{low}, {high}]."
        ),
        N_(
            "At {width} units T from 2.5 to 4 is not better than every lower T tried: against "
            "T = {near} {points} [{low}, {high}]."
        ),
        N_("At {width} units T from 2.5 to 4 is {points} points from T = {near}, below; with one seed nothing can be told."),
    ),
    "higher": (
        N_(
            "At {width} units T from 2.5 to 4 is better than every higher T tried; nearest comes T = {near}: {points} points "
            "[{low}, {high}]."
        ),
        N_(
            "At {width} units T from 2.5 to 4 is not better than every higher T tried: against "
            "T = {near} {points} [{low}, {high}]."
        ),
        N_("At {width} units T from 2.5 to 4 is {points} points from T = {near}, above; with one seed nothing can be told."),
    ),
}


def _by_width_verdict(of: Measured) -> tuple[str, list[Said]]:
    said, ends = [], []
    for side, (better, not_better, unknown) in BEYOND.items():
        outcomes = [outcome(one["difference"]) for one in of["beyond"][side]]
        ends.append("unknown" if "unknown" in outcomes else "helps" if set(outcomes) == {"helps"} else "neither")
        # What speaks most against the claim: the lowest difference, of those that do not exclude zero if there are any.
        against = [one for one, each in zip(of["beyond"][side], outcomes, strict=True) if each != "helps"] or of["beyond"][side]
        near = min(against, key=lambda one: float(one["difference"]["mean"]))
        message = {"helps": better, "neither": not_better, "unknown": unknown}[ends[-1]]
        said.append(
            Said(message, {"width": f"{of['narrowest']}", "near": f"{near['temperature']:g}", **points(near["difference"])})
        )
    said += [
        Said(
            {
                "unknown": N_(
                    "At {width} units the best and the worst T above 8 ({best}, {worst}) are {points} points apart; with one "
                    "seed nothing can be told."
                ),
                "helps": N_(
                    "At {width} units T above 8 is not all alike: T = {best} is {points} points better than T = {worst} "
                    "[{low}, {high}], an interval widened because both were chosen after the fact."
                ),
            }.get(
                outcome(one["difference"]),
                N_(
                    "At {width} units the best and the worst T above 8 ({best}, {worst}) are not told apart: {points} points "
                    "[{low}, {high}], an interval widened because both were chosen after the fact."
                ),
            ),
            {"width": f"{one['width']}", "best": f"{one['best']:g}", "worst": f"{one['worst']:g}", **points(one["difference"])},
        )
        for one in of["alike"]
    ]
    return "unknown" if "unknown" in ends else "as_the_paper" if set(ends) == {"helps"} else "otherwise", said


# Classes that a student never saw


def _transferred(part: Part, raised: tuple[int, ...], papers: float, grid: np.ndarray) -> Measured:
    """Measure one student after the other, before and after the biases of `raised` are moved together."""
    opened = data.load(part.spec.dataset)
    wanted = float(np.isin(opened.labels[opened.slice("training")], raised).mean())
    each = part.of("distilled", part.setting)
    biases = {
        "before": [0.0] * len(each),
        "papers": [papers] * len(each),
        "best_on_test": [bias.best(logits, part.labels, raised) for logits in each],
        "matched": [bias.matched(logits, raised, wanted) for logits in each],
    }
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
    """Return the images, of those that the students saw, in whose soft targets the absent class "
    "is strongest: their idea of it."""
    opened = data.load(part.spec.dataset)
    logits = teachers.stored_logits(teachers.find(part.spec.dataset, part.spec.teacher), opened)
    if logits is None:
        return []
    seen = answers.transfer_set(part.spec, opened, part.setting.fraction)
    shares = softmax(np.asarray(logits[seen]).astype(np.float64), part.setting.temperature)[:, absent]
    first = np.argsort(-shares, kind="stable")[:most]
    return [{"image": int(seen[n]), "label": int(opened.labels[seen[n]]), "share": float(shares[n])} for n in first]


def _mythical(parts: Parts) -> Measured:
    part = parts["students"]
    absent = part.spec.classes_left_out
    of = _transferred(part, absent, 3.5, np.round(np.arange(-4, 16.01, 0.1), 1))
    return {**of, "sources": _sources(part, absent[0])}


def _mythical_verdict(of: Measured) -> tuple[str, list[Said]]:
    best, matched = of["rows"]["best_on_test"], of["rows"]["matched"]
    count, names = of["images_of_classes"], ", ".join(map(str, of["classes"]))

    def known(errors: Measured) -> str:
        return f"{1 - errors['mean'] / count:.1%}"

    said = [
        Said(
            N_(
                "Without a bias raised, students that never saw a {classes} know {share} of "
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
            ),
            {"bias": f"{best['bias']['mean']:+.1f}", "share": known(best["errors_of_classes"]),
             "errors": f"{best['errors']['mean']:.1f}", "own": f"{best['errors_of_classes']['mean']:.1f}"},
        ),
    ]  # fmt: skip
    return _how_many(1 - matched["errors_of_classes"]["mean"] / count), said


def _how_many(share: float) -> str:
    return "nearly_all" if share > 0.9 else "many" if share > 0.5 else "few"


def _two_classes(parts: Parts) -> Measured:
    part = parts["students"]
    present = tuple(sorted(set(range(10)) - set(part.spec.classes_left_out)))
    return _transferred(part, present, -7.6, np.round(np.arange(-30, 4.01, 0.2), 1))


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
    "The paper's biases were the best on the test set, and so is one of ours. The matched one uses the test images and the "
    "classes' shares of the training set, but no test label."
)
JITTER = N_("The paper's teacher saw jittered images and so did ours; no student did, theirs or ours.")
TUNED = N_(
    "Learning rates, epochs and the weight of the hard labels were chosen on the 10,000 validation images, with a teacher that "
    "never saw them."
)
PLAIN = N_("Not tuned for this question: learning rate and batch size are the same for every condition.")

EXPERIMENTS = [
    Experiment(
        "mnist-table",
        N_("The table of errors"),
        N_("Does a student make fewer errors with the teacher's soft targets at T = 20 than with hard labels alone?"),
        SECTION,
        GAIN,
        {"students": {**QUICK, "fraction": 0.1, "epochs": 30, "batch_size": 64}},
        {"students": {**WIDE, "hard_weight": 10, "epochs": 40, "learning_rate": 0.001, "seeds": 5}},
        (40, 1200),
        (
            Found("teacher", N_("teacher 1200-1200, errors"), 67, "section 3"),
            Found("hard_labels", N_("student 800-800 on hard labels, errors"), 146, "section 3"),
            Found("distilled", N_("the same with soft targets at T = 20, errors"), 74, "section 3"),
        ),
        _table,
        _table_verdict,
        TUNED,
        (JITTER, N_("The paper's control was not regularised and its tuning is not told; one run each, as far as is known.")),
    ),
    Experiment(
        "temperature-by-width",
        N_("Temperature by width"),
        N_("Are temperatures from 2.5 to 4 the best for students of 30 units, and all above 8 fairly similar for wide ones?"),
        SECTION,
        {
            "as_the_paper": N_("At 30 units T from 2.5 to 4 is better than all lower and higher ones."),
            "otherwise": N_("At 30 units it is not better than all of them."),
            "unknown": GAIN["unknown"],
        },
        {"widths": {**TEACHER, "student": ["mlp-30-30", "mlp-300-300"], "temperature": [1, 2.5, 4, 10, 20], "fraction": 0.1,
                    "epochs": 12, "batch_size": 64, "learning_rate": 0.002, "schedule": "linear", "seeds": 3}},
        {
            "narrow": {**TEACHER, "student": ["mlp-30-30", "mlp-100-100"], "schedule": "linear", "epochs": 25, "seeds": 5,
                       "temperature": [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 20, 40], "batch_size": 128,
                       "learning_rate": 0.003},
            "wide": {**TEACHER, "student": ["mlp-300-300", "mlp-800-800"], "schedule": "linear", "epochs": 10, "seeds": 5,
                     "temperature": [1, 2.5, 4, 8, 12, 20, 40], "batch_size": 256, "learning_rate": 0.001},
        },
        (55, 1500),
        (
            Found("wide", N_("300 or more units: all T above 8 fairly similar"), 8, "section 3"),
            Found("narrow", N_("30 units: T from 2.5 to 4 significantly better than higher or lower"), 2.5, "section 3"),
        ),
        _by_width,
        _by_width_verdict,
        PLAIN,
        (N_("The paper does not say what its temperatures between were, nor its learning rates."),),
    ),
    Experiment(
        "mythical-3",
        N_("A digit that was never seen"),
        N_("A student is shown no 3, only how much each other digit looks like one: how many 3s of the test set does it know?"),
        SECTION,
        SEEN,
        {"students": {**QUICK, "classes_left_out": [3], "fraction": 0.3, "batch_size": 128}},
        {"students": {**WIDE, "classes_left_out": [3], "hard_weight": 1, "epochs": 50, "learning_rate": 0.001, "seeds": 5}},
        (30, 600),
        (
            Found("before", N_("errors before the bias is raised, 133 of them on the 1,010 threes"), 206, "section 3"),
            Found("best_on_test", N_("errors with the bias raised by 3.5, 14 of them on threes"), 109, "section 3"),
        ),
        _mythical,
        _mythical_verdict,
        TUNED,
        (ON_TEST, JITTER),
    ),
    Experiment(
        "only-7-and-8",
        N_("Only sevens and eights"),
        N_("A student sees images of 7 and 8 alone: how many of all ten digits does it know?"),
        SECTION,
        SEEN,
        {"students": {**QUICK, "classes_left_out": [0, 1, 2, 3, 4, 5, 6, 9]}},
        {"students": {**WIDE, "classes_left_out": [0, 1, 2, 3, 4, 5, 6, 9], "epochs": 80, "learning_rate": 0.001, "seeds": 5}},
        (25, 300),
        (
            Found("before", N_("errors before the biases are lowered, percent"), 47.3, "section 3"),
            Found("best_on_test", N_("errors with both biases lowered by 7.6, percent"), 13.2, "section 3"),
        ),
        _two_classes,
        _two_classes_verdict,
        TUNED,
        (ON_TEST, JITTER),
    ),
]  # fmt: skip
