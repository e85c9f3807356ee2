"""Distillation at high T against the matching of zero-mean logits."""

from __future__ import annotations

import numpy as np

from kdviz.experiments import HINTON, Experiment, Found, Measured, Parts, Said, Texts, interval, points, spread
from kdviz.experiments.claims.common import FEW, PLAIN, teacher_logits
from kdviz.i18n import N_
from kdviz.soft_targets import softmax


def angles(z: np.ndarray, v: np.ndarray, temperatures: tuple[float, ...]) -> list[float]:
    """Return the mean angle in degrees, over images, between the gradient of distillation at each T in the student's logits z and
    that of matching zero-mean logits, z - v: both (n, classes). Section 2.1: it tends to 0 as T grows."""
    z, v = z.astype(np.float64), v.astype(np.float64)
    matching = (z - z.mean(1, keepdims=True)) - (v - v.mean(1, keepdims=True))
    found = []
    for T in temperatures:
        gradient = softmax(z, T) - softmax(v, T)
        cosine = (gradient * matching).sum(1) / (np.linalg.norm(gradient, axis=1) * np.linalg.norm(matching, axis=1) + 1e-300)
        found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()))
    return found


ANGLED = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0)


def _measure(parts: Parts) -> Measured:
    part = parts["students"]
    v = teacher_logits(part)
    each = [angles(z, v, ANGLED) for z in part.of("hard_labels", part.setting)]
    hottest = part.spec.settings[-1]
    return {
        "temperatures": list(ANGLED), "degrees": np.mean(each, axis=0).tolist(), "hottest": hottest.temperature,
        "rows": [
            {"temperature": T.temperature, "errors": spread([row["errors"] for row in part.rows("distilled", T)]),
             "difference": interval(part.correct("distilled", T), part.correct("distilled", hottest))}
            for T in part.spec.settings
        ],
    }  # fmt: skip


def _verdict(of: Measured) -> tuple[str, list[Said]]:
    degrees = dict(zip(of["temperatures"], of["degrees"], strict=True))
    said = [
        Said(
            N_(
                "The gradient of distillation stands at {cold} degrees to that of matching logits at T = 1, at {warm} at T = 8 "
                "and at {hot} at T = 100."
            ),
            {"cold": f"{degrees[1.0]:.0f}", "warm": f"{degrees[8.0]:.0f}", "hot": f"{degrees[100.0]:.1f}"},
        )
    ]
    said += [
        Said(
            N_("Students at T = {T} make {errors} errors, {points} points [{low}, {high}] against those at T = {hottest}."),
            {"T": f"{row['temperature']:g}", "errors": f"{row['errors']['mean']:.1f}", "hottest": f"{of['hottest']:g}",
             **points(row["difference"])},
        )
        for row in of["rows"] if row["temperature"] != of["hottest"]
    ]  # fmt: skip
    return "tends" if degrees[100.0] < 10 else "does_not", said


def _beside(of: Measured) -> Texts:
    return {
        "hot": [Said(N_("{degrees} at T = {T}"), {"degrees": f"{of['degrees'][-1]:.1f}", "T": f"{of['temperatures'][-1]:g}"})]
    }


EXPERIMENT = Experiment(
    name="logit-matching",
    title=N_("Matching logits"),
    question=N_("Does distillation become the matching of logits as T grows?"),
    section=f"{HINTON}, section 2.1",
    predictions={
        "tends": N_("Yes: the angle between the two gradients is below ten degrees at T = 100."),
        "does_not": N_("No: an angle of ten degrees or more is left at T = 100."),
    },
    quick={"students": {**FEW, "temperature": [1, 8, 100], "hard_weight": 0, "seeds": 3}},
    full={"students": {**FEW, "temperature": [1, 2, 4, 8, 16, 32, 100], "hard_weight": 0, "seeds": 5}},
    seconds=(10, 20),
    paper=(Found("hot", N_("angle in the limit of high T, degrees, for zero-mean logits"), 0, "section 2.1"),),
    measure=_measure,
    verdict=_verdict,
    chosen=PLAIN,
    beside=_beside,
)
