"""What a difference between two students means: the paired mean, its 95 % interval over seeds and test images, the verdict.

The two conditions of a seed share initial weights and batches, and every student is judged on the same test images, so a
difference is a table of seeds by images with entries -1, 0, 1. Seeds and images are both drawn from a larger population,
and both are crossed: the interval is that of a two-way random-effects mean (Cornfield and Tukey 1956; in the comparison of
diagnostic readers: Dorfman, Berbaum and Metz 1992), with Satterthwaite's degrees of freedom. Resampling seeds and images
together (Owen 2007, the pigeonhole bootstrap) estimates the same variance but counts the residual three times. Measured on
true nulls, 360 images, where 5 % of verdicts are meant to be wrong: with 5 seeds 2 to 5 % by this interval and 0 to 6 % by
the bootstrap, depending on how much seeds and images matter; with 2 seeds 1 to 3 %, and 1 to 11 %. tests/test_stats.py
measures both.
The training set, the test set's origin and the teacher are held fixed: the interval says nothing of other teachers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdviz.i18n import _

Verdict = Literal["helps", "harms", "no visible difference"]


@dataclass(frozen=True)
class Difference:
    """A paired difference in accuracy, first condition minus second, 0..1; low, high and verdict are None at one seed."""

    mean: float
    low: float | None
    high: float | None
    verdict: Verdict | None
    seeds: int
    seeds_better: int


def paired_difference(correct: np.ndarray, correct_control: np.ndarray, confidence: float = 0.95) -> Difference:
    """Compare two conditions image by image and seed by seed.

    correct, correct_control: (seeds, images) bool, row s of both trained from the same initial weights and batches.
    Raises ValueError if the shapes differ or are empty.
    """
    if correct.shape != correct_control.shape or correct.ndim != 2 or 0 in correct.shape:
        raise ValueError(f"expected two equal (seeds, images) arrays, got {correct.shape} and {correct_control.shape}")
    table = correct.astype(np.float64) - correct_control.astype(np.float64)
    seeds, images = table.shape
    mean = float(table.mean())
    better = int((table.mean(axis=1) > 0).sum())
    if seeds < 2 or images < 2:
        return Difference(mean, None, None, None, seeds, better)
    half = half_width(table, confidence)
    low, high = mean - half, mean + half
    verdict: Verdict = "helps" if low > 0 else "harms" if high < 0 else "no visible difference"
    return Difference(mean, low, high, verdict, seeds, better)


def half_width(table: np.ndarray, confidence: float = 0.95) -> float:
    """Return half the width of the interval of the mean of a crossed (seeds, images) table, in the table's unit.

    The variance of the mean is (MS_seeds + MS_images - MS_residual) / (seeds * images), from the mean squares of a two-way
    analysis of variance. The interval is never narrower than Student's t over the seeds alone, over the images alone or over
    the residual: with two or three seeds a small MS_seeds is often luck, and leaving that out made up to
    11 % of verdicts on nulls wrong.
    """
    from scipy.special import stdtrit

    seeds, images = table.shape
    grand = table.mean()
    by_seed, by_image = table.mean(axis=1), table.mean(axis=0)
    residual = table - by_seed[:, None] - by_image[None, :] + grand
    df_seed, df_image = seeds - 1, images - 1
    df_residual = df_seed * df_image
    ms_seed = images * float(((by_seed - grand) ** 2).sum()) / df_seed
    ms_image = seeds * float(((by_image - grand) ** 2).sum()) / df_image
    ms_residual = float((residual**2).sum()) / df_residual
    estimates = [(ms_seed, df_seed), (ms_image, df_image), (ms_residual, df_residual)]
    combined = ms_seed + ms_image - ms_residual
    # By more than rounding: where the mean squares are equal, the order of the images must not decide.
    if combined > max(ms_seed, ms_image, ms_residual) * (1 + 1e-9):
        estimates.append((combined, combined**2 / sum(ms**2 / df for ms, df in estimates)))
    return max(float(stdtrit(df, 0.5 + confidence / 2)) * math.sqrt(ms / table.size) for ms, df in estimates)


def sentence(difference: Difference) -> str:
    """Return the verdict on a distilled student against its control, in the reader's language."""
    points = f"{100 * difference.mean:+.2f}"
    if difference.low is None or difference.high is None:
        return _(
            "With one seed the difference is {points} points; whether that is chance cannot be told: train more seeds.",
            points=points,
        )
    fields = dict(
        points=points, low=f"{100 * difference.low:+.2f}", high=f"{100 * difference.high:+.2f}",
        better=difference.seeds_better, seeds=difference.seeds,
    )  # fmt: skip
    if difference.verdict == "helps":
        return _(
            "In this setting distillation helps: {points} points of accuracy, "
            "95% interval [{low}, {high}], better in {better} of {seeds} seeds.",
            **fields,
        )
    if difference.verdict == "harms":
        return _(
            "In this setting distillation harms: {points} points of accuracy, "
            "95% interval [{low}, {high}], better in {better} of {seeds} seeds.",
            **fields,
        )
    return _(
        "No visible difference: {points} points of accuracy, and the 95% interval [{low}, {high}] covers zero; "
        "better in {better} of {seeds} seeds.",
        **fields,
    )
