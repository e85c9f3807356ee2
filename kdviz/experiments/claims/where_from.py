"""Where the gain comes from: soft targets taken apart."""

from __future__ import annotations

from collections.abc import Mapping

from kdviz.experiments import Experiment, Measured, Parts, Said, interval, outcome, points, students
from kdviz.experiments.claims.common import ALL_IMAGES, PLAIN, QUICK, WIDE
from kdviz.i18n import N_
from kdviz.spec import APART, EVERY_RUN, Condition


def _measure(parts: Parts) -> Measured:
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


def _verdict(of: Measured) -> tuple[str, list[Said]]:
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


EXPERIMENT = Experiment(
    name="where-from",
    title=N_("Where the gain comes from"),
    question=N_("With 3% of the images, how much of the gain of soft targets is what the teacher says of the wrong classes?"),
    section="Furlanello et al. 2018, arXiv:1805.04770, section 3.2 and table 2",
    predictions=DARK,
    quick={
        "few": {
            **QUICK,
            "student": "mlp-100",
            "conditions": TAKEN_APART,
            "fraction": 0.03,
            "temperature": [8],
            "epochs": 60,
            "batch_size": 32,
            "seeds": 5,
        }
    },
    full={
        "few": {
            **QUICK,
            "student": "mlp-800-800",
            "conditions": TAKEN_APART,
            "fraction": 0.03,
            "temperature": [8],
            "epochs": 100,
            "batch_size": 64,
            "learning_rate": 0.001,
            "seeds": 5,
        },
        "all": {**WIDE, "conditions": TAKEN_APART, "epochs": 15, "learning_rate": 0.001, "seeds": 5},
    },
    seconds=(46, 1100),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    reasons=(
        N_(
            "Permuting takes the teacher's order of the wrong classes away and puts a wrong one there: what it costs is not "
            "dark knowledge alone."
        ),
        ALL_IMAGES,
        N_("Furlanello and others trained networks as large as their teacher on CIFAR-100; ours are smaller, on digits."),
    ),
)
