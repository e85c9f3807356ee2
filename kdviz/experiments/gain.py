"""Where the gain comes from: soft targets taken apart, the bugs that take it away, few images, and the seed article's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdviz.experiments import (
    GAIN,
    HINTON,
    Experiment,
    Found,
    Measured,
    Parts,
    Said,
    interval,
    outcome,
    points,
    students,
)  # fmt: skip
from kdviz.experiments.mnist import PLAIN, QUICK, TEACHER, WIDE
from kdviz.i18n import N_
from kdviz.misconceptions import MISCONCEPTIONS, RIGHT
from kdviz.spec import APART, EVERY_RUN, Condition

# Taken apart


def _apart(parts: Parts) -> Measured:
    measured = {}
    for name, part in parts.items():
        setting = part.setting
        correct = {condition: part.correct(condition, setting) for condition in part.spec.conditions}
        measured[name] = {
            "images": int(part.result["settings"]["transfer_images"]),
            "students": students(part, setting),
            "gains": {one: interval(right, correct["hard_labels"]) for one, right in correct.items() if one != "hard_labels"},
            "lacks": {one: interval(correct["distilled"], right) for one, right in correct.items() if one in APART},
            "beyond_half": interval((correct["distilled"].astype(float) + correct["hard_labels"]) / 2,
                                    correct["permuted_non_targets"]),
        }  # fmt: skip
    return measured


TAKEN_APART = [*EVERY_RUN, *APART]
LACKS: Mapping[Condition, str] = {
    "permuted_non_targets": N_(
        "With the wrong classes permuted the students gain {own} points over hard labels: {lost} [{low}, {high}] less than with "
        "the soft targets as they are."
    ),
    "confidence_weighted": N_(
        "Hard labels weighted by the teacher's confidence gain {own} points over those that are not: {lost} [{low}, {high}] less "
        "than soft targets."
    ),
    "label_smoothing": N_(
        "Label smoothing of equal strength gains {own} points over hard labels: {lost} [{low}, {high}] less than soft targets."
    ),
    "random_teacher": N_(
        "The soft targets of an untrained network, the empty case, gain {own} points over hard labels: {lost} [{low}, {high}] "
        "less than the teacher's."
    ),
}


def _apart_verdict(of: Measured) -> tuple[str, list[Said]]:
    """The outcome is that of the fewest images, where there is most to take apart."""
    said, outcomes = [], []
    for one in sorted(of.values(), key=lambda one: int(one["images"])):
        gain = outcome(one["gains"]["distilled"])
        images = {"images": f"{one['images']:,}", **points(one["gains"]["distilled"])}
        said.append(
            Said(
                {
                    "helps": N_("On {images} images soft targets gain {points} points [{low}, {high}]."),
                    "harms": N_("On {images} images soft targets lose: {points} points [{low}, {high}]."),
                    "unknown": N_("On {images} images soft targets make {points} points; with one seed nothing can be told."),
                }.get(gain, N_("On {images} images soft targets show no difference: {points} points [{low}, {high}].")),
                images,
            )
        )
        outcomes.append("unknown")
        if gain != "helps":
            continue  # nothing to take apart
        for condition, message in LACKS.items():
            lost = points(one["lacks"][condition])
            own = points(one["gains"][condition])["points"]
            said.append(Said(message, {"own": own, "lost": lost["points"], "low": lost["low"], "high": lost["high"]}))
        # What permuting costs, less half of the gain: whether it is more than half, or less, or cannot be told.
        half = {"helps": "most", "harms": "less"}.get(outcome(one["beyond_half"]), "some")
        outcomes[-1] = half if outcome(one["lacks"]["permuted_non_targets"]) == "helps" else "none"
    return outcomes[0], said


DARK = {
    "most": N_("More than half of it is what the teacher says of the wrong classes."),
    "less": N_("Some of it is, but less than half."),
    "some": N_("Some of it is; whether more than half cannot be told."),
    "none": N_("It cannot be told apart from what permuted classes give."),
    "unknown": N_("There is no gain to take apart, or one seed alone."),
}


# The bugs


def _bugs(parts: Parts) -> Measured:
    rows = []
    for name, part in parts.items():
        for setting in part.spec.settings:
            if setting.loss == RIGHT:
                continue
            right = part.correct("distilled", setting._replace(loss=RIGHT))
            wrong, hard = part.correct("distilled", setting), part.correct("hard_labels", setting)
            rows.append({
                "loss": setting.loss, "temperature": setting.temperature, "part": name,
                "accuracy": {"right": float(right.mean()), "wrong": float(wrong.mean()), "hard_labels": float(hard.mean())},
                "harm": interval(wrong, right), "gain_of_right": interval(right, hard), "gain_of_wrong": interval(wrong, hard),
            })  # fmt: skip
    return {"rows": rows}


def hottest(rows: Sequence[Measured]) -> dict[str, Measured]:
    """Return each bug's row at its highest temperature, where T² counts most, in the order of the lab."""
    found = {row["loss"]: row for row in sorted(rows, key=lambda row: float(row["temperature"]))}
    return {loss: found[loss] for loss in MISCONCEPTIONS if loss in found}


def _bugs_verdict(of: Measured) -> tuple[str, list[Said]]:
    said = []
    rows = hottest(of["rows"])
    for loss, one in rows.items():
        fields = {"bug": loss, "T": f"{one['temperature']:g}", **points(one["harm"]),
                  "right": points(one["gain_of_right"])["points"], "wrong": points(one["gain_of_wrong"])["points"]}  # fmt: skip
        said.append(
            Said(
                {
                    "harms": N_(
                        "{bug} harms at T = {T}: {points} points [{low}, {high}] against the right loss. Against hard labels it "
                        "is {wrong} points, the right loss {right}."
                    ),
                    "helps": N_(
                        "{bug} does not harm at T = {T} but helps: {points} points [{low}, {high}] against the right loss. "
                        "Against hard labels it is {wrong} points, the right loss {right}."
                    ),
                    "unknown": N_("{bug}: {points} points against the right loss at T = {T}; with one seed nothing can be told."),
                }.get(
                    outcome(one["harm"]),
                    N_(
                        "{bug} does not show at T = {T}: {points} points [{low}, {high}] against the right loss. Against hard "
                        "labels it is {wrong} points, the right loss {right}."
                    ),
                ),
                fields,
            )
        )
    outcomes = [outcome(one["harm"]) for one in rows.values()]
    harmful = outcomes.count("harms")
    if "unknown" in outcomes:
        return "unknown", said
    return "all" if harmful == len(rows) else "most" if harmful > len(rows) / 2 else "few", said


BUGS = {
    "all": N_("Every one of the bugs costs accuracy that can be seen."),
    "most": N_("More than half of the bugs cost accuracy that can be seen."),
    "few": N_("Half of the bugs or fewer cost accuracy that can be seen."),
    "unknown": GAIN["unknown"],
}
LAB = tuple(name for name, bug in MISCONCEPTIONS.items() if name not in ("zero_weight_drops_t_squared",
                                                                         "averaged_logits_for_probabilities"))  # fmt: skip
FEW: dict[str, Any] = {**TEACHER, "student": "mlp-100", "fraction": 0.03, "batch_size": 32, "epochs": 30}
OF_DIGITS: dict[str, Any] = {"student": "mlp-100", "fraction": 0.1, "batch_size": 16, "epochs": 150, "teacher": "cnn-x5"}


def _lab(temperatures: list[int], seeds: int, of_digits: int) -> dict[str, dict[str, Any]]:
    return {
        "with hard labels": {**FEW, "seeds": seeds, "temperature": temperatures, "hard_weight": 1, "loss": [RIGHT, *LAB]},
        "no hard labels": {**FEW, "seeds": seeds, "temperature": [8], "hard_weight": 0, "optimizer": "sgd",
                           "learning_rate": 0.005, "loss": [RIGHT, "zero_weight_drops_t_squared"]},
        "ensemble": {**OF_DIGITS, "seeds": of_digits, "temperature": [8], "hard_weight": 0,
                     "loss": [RIGHT, "averaged_logits_for_probabilities"]},
    }  # fmt: skip


# Few images


def _little(parts: Parts) -> Measured:
    rows = []
    for part in parts.values():
        setting = part.setting
        right = {name: part.correct(name, setting) for name in ("hard_labels", "distilled")}
        found = students(part, setting)
        gaps = {name: found[name]["train_accuracy"]["mean"] - found[name]["accuracy"]["mean"] for name in found}
        rows.append({"fraction": setting.fraction, "images": int(part.result["settings"]["transfer_images"]), "students": found,
                     "gap": gaps, "gain": interval(right["distilled"], right["hard_labels"])})  # fmt: skip
    return {"rows": sorted(rows, key=lambda row: row["fraction"])}


def _little_verdict(of: Measured) -> tuple[str, list[Said]]:
    rows, said = of["rows"], []
    for row in rows:
        hard, soft = (row["students"][name] for name in ("hard_labels", "distilled"))
        said.append(
            Said(
                {
                    "helps": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, a gain of {points} points [{low}, {high}]. "
                        "From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                    "harms": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, a loss of {points} points [{low}, {high}]. "
                        "From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                    "unknown": N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, {points} points; with one "
                        "seed nothing can be told."
                    ),
                }.get(
                    outcome(row["gain"]),
                    N_(
                        "{images} images: hard labels {hard}, soft targets {soft}, no visible difference, {points} points "
                        "[{low}, {high}]. From training to test images accuracy falls by {hard_gap} and {soft_gap} points."
                    ),
                ),
                {"images": f"{row['images']:,}", "hard": f"{hard['accuracy']['mean']:.2%}",
                 "soft": f"{soft['accuracy']['mean']:.2%}", "hard_gap": f"{100 * row['gap']['hard_labels']:.2f}",
                 "soft_gap": f"{100 * row['gap']['distilled']:.2f}", **points(row["gain"])},
            )
        )  # fmt: skip
    three = min(rows, key=lambda row: abs(row["fraction"] - 0.03))
    whole = rows[-1]["students"]["hard_labels"]["accuracy"]["mean"]
    low, high = (three["students"][name]["accuracy"]["mean"] for name in ("hard_labels", "distilled"))
    if rows[-1]["fraction"] == 1 and outcome(three["gain"]) == "helps" and whole > low:
        said.append(
            Said(
                N_(
                    "With {fraction} of the images soft targets win back {share} of what hard labels lose by having no more. In "
                    "the paper's speech recogniser it is 87%."
                ),
                {"fraction": f"{three['fraction']:.0%}", "share": f"{(high - low) / (whole - low):.0%}"},
            )
        )  # fmt: skip
    return outcome(three["gain"]), said


def _fractions(epochs: Mapping[float, int], **more: Any) -> dict[str, dict[str, Any]]:
    """Return a part for each fraction, with epochs of its own: so many that a small one is learned to its end too."""
    return {
        f"{fraction:.1%}": {**TEACHER, "schedule": "linear", "fraction": fraction, "epochs": each, **more}
        for fraction, each in epochs.items()
    }


# The seed article


def _kdtf(parts: Parts) -> Measured:
    part = parts["students"]
    return {
        "teacher": part.result["teacher"]["accuracy"],
        "rows": [
            {"temperature": setting.temperature, "students": students(part, setting),
             "gain": interval(part.correct("distilled", setting), part.correct("hard_labels", setting))}
            for setting in part.spec.settings
        ],
    }  # fmt: skip


KDTF = {2.0: (89.14, 88.84), 5.0: (90.77, 88.84)}


def _kdtf_verdict(of: Measured) -> tuple[str, list[Said]]:
    said, outcomes = [], []
    for row in of["rows"]:
        theirs = KDTF[row["temperature"]]
        outcomes.append(outcome(row["gain"]))
        said.append(
            Said(
                {
                    "helps": N_("At T = {T} distillation helps a softmax regression: {soft} instead of {hard}, {points} points "
                                "[{low}, {high}]. kdtf has {theirs}."),
                    "harms": N_("At T = {T} distillation harms a softmax regression: {soft} instead of {hard}, {points} points "
                                "[{low}, {high}]. kdtf has {theirs}."),
                    "unknown": N_("At T = {T} a softmax regression has {soft} beside {hard}, {points} points; with one seed "
                                  "nothing can be told. kdtf has {theirs}."),
                }.get(
                    outcomes[-1],
                    N_("At T = {T} no difference is visible for a softmax regression: {soft} beside {hard}, {points} points "
                       "[{low}, {high}]. kdtf has {theirs}."),
                ),
                {"T": f"{row['temperature']:g}", "soft": f"{row['students']['distilled']['accuracy']['mean']:.2%}",
                 "hard": f"{row['students']['hard_labels']['accuracy']['mean']:.2%}",
                 "theirs": f"{theirs[0] - theirs[1]:+.2f}", **points(row["gain"])},
            )
        )  # fmt: skip
    alone = of["rows"][0]["students"]["hard_labels"]["accuracy"]["mean"]
    if alone > 0.9:
        said.append(
            Said(
                N_("Our softmax regression on hard labels reaches {alone}, theirs 88.84%: there is less left to gain here."),
                {"alone": f"{alone:.2%}"},
            )
        )
    helped = outcomes.count("helps")
    if "unknown" in outcomes:
        return "unknown", said
    return "both" if helped == len(outcomes) else "one" if helped else "neither", said


AT_BOTH = {
    "both": N_("At both temperatures the distilled students make fewer errors."),
    "one": N_("At one of the two only."),
    "neither": N_("At neither."),
    "unknown": GAIN["unknown"],
}
ALL_IMAGES = N_(
    "The teacher learned from all the images, as the paper's did: through its soft targets students have something of those that "
    "they never see."
)
LINEAR: dict[str, Any] = {
    "dataset": "mnist", "teacher": "cnn", "student": "linear", "temperature": [2, 5], "soft_weight": 1, "hard_weight": 1,
    "learning_rate": 0.001, "batch_size": 128,
}  # fmt: skip

EXPERIMENTS = [
    Experiment(
        "where-from",
        N_("Where the gain comes from"),
        N_("With 3% of the images, how much of the gain of soft targets is what the teacher says of the wrong classes?"),
        "Furlanello et al. 2018, arXiv:1805.04770, section 3.2 and table 2",
        DARK,
        {"few": {**QUICK, "student": "mlp-100", "conditions": TAKEN_APART, "fraction": 0.03, "temperature": [8], "epochs": 60,
                 "batch_size": 32, "seeds": 5}},
        {
            "few": {**QUICK, "student": "mlp-800-800", "conditions": TAKEN_APART, "fraction": 0.03, "temperature": [8],
                    "epochs": 100, "batch_size": 64, "learning_rate": 0.001, "seeds": 5},
            "all": {**WIDE, "conditions": TAKEN_APART, "epochs": 15, "learning_rate": 0.001, "seeds": 5},
        },
        (46, 3100),
        (),
        _apart,
        _apart_verdict,
        PLAIN,
        (
            N_(
                "Permuting takes the teacher's order of the wrong classes away and puts a wrong one there: what it costs is not "
                "dark knowledge alone."
            ),
            ALL_IMAGES,
            N_("Furlanello and others trained networks as large as their teacher on CIFAR-100; ours are smaller, on digits."),
        ),
    ),
    Experiment(
        "misconceptions",
        N_("The misconception lab"),
        N_("Which of the bugs that much-read code had cost accuracy, held against the right line?"),
        "kdviz/misconceptions.py cites each",
        BUGS,
        _lab([32], 4, 8),
        _lab([2, 8, 32], 5, 32),
        (34, 150),
        (),
        _bugs,
        _bugs_verdict,
        N_(
            "On few images, where distillation gains most. The weight of the hard labels and the temperatures were chosen on the "
            "validation images, for the gain of the right loss to be plain and hard labels to count."
        ),
        (N_("Where the right loss gains nothing, no bug can take anything away."), ALL_IMAGES),
        {
            "with hard labels": N_("beside hard labels, Adam"),
            "no hard labels": N_("alone, gradient descent"),
            "ensemble": N_("of an ensemble, alone, Adam"),
        },
    ),
    Experiment(
        "little-data",
        N_("Little data"),
        N_("With 3% of the images, how much of what hard labels lose do soft targets keep?"),
        f"{HINTON}, section 6",
        GAIN,
        _fractions({0.01: 120, 0.03: 80, 0.1: 20}, student="mlp-100", temperature=[8], batch_size=32, seeds=3),
        _fractions(
            {0.01: 300, 0.03: 200, 0.1: 80, 0.3: 40, 1.0: 20},
            student="mlp-800-800", temperature=[8], batch_size=128, seeds=5, learning_rate=0.001,
        ),
        (27, 2400),
        (
            Found("hard_labels", N_("speech, 3% of the data, hard targets: frame accuracy, percent"), 44.5, "section 6, table 5"),
            Found("distilled", N_("speech, 3% of the data, soft targets: frame accuracy, percent"), 57.0, "section 6, table 5"),
            Found("whole", N_("speech, all of the data, hard targets: frame accuracy, percent"), 58.9, "section 6, table 5"),
        ),
        _little,
        _little_verdict,
        PLAIN,
        (
            N_("The paper's experiment is speech, with early stopping; this is MNIST, where there is far less to lose."),
            ALL_IMAGES,
        ),
    ),
    Experiment(
        "kdtf-table",
        N_("The seed article's table"),
        N_("Does a softmax regression gain from a convolutional teacher at T = 2 and T = 5, as kdtf's table says?"),
        "DushyantaDhyani/kdtf, README",
        AT_BOTH,
        {"students": {**LINEAR, "epochs": 3, "seeds": 5}},
        {"students": {**LINEAR, "epochs": 11, "seeds": 5}},
        (7, 60),
        (
            Found("teacher", N_("teacher at T = 2, percent"), 97.9, "README"),
            Found("hard_labels", N_("student alone, percent"), 88.84, "README"),
            Found("distilled", N_("student distilled at T = 2, percent"), 89.14, "README"),
            Found("distilled", N_("student distilled at T = 5, percent"), 90.77, "README"),
        ),
        _kdtf,
        _kdtf_verdict,
        N_("Every setting is kdtf's: Adam 0.001, batches of 128, T² times the soft term; 5,159 steps, 5,000 in whole epochs."),
        (N_("kdtf trained one student each; its teacher and its initial weights differ from ours."),),
    ),
]  # fmt: skip
