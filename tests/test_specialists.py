"""Specialists: which classes are confused, the joint answer against its definition, and what is trained and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from kdviz import answers, data, models, specialists, teachers
from kdviz.errors import InvalidValue
from kdviz.experiments import Part
from kdviz.experiments.claims import confused
from kdviz.soft_targets import softmax
from kdviz.spec import RunSpec
from kdviz.specialists import Specialist

pytestmark = pytest.mark.usefixtures("one_thread")


def shares(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    found: np.ndarray = softmax(np.random.default_rng(seed).normal(0, 2, shape))
    return found


def test_classes_that_are_predicted_together_are_a_cluster() -> None:
    rng = np.random.default_rng(0)
    groups = [(0, 4), (1, 5, 7), (2, 9), (3, 6, 8)]
    z = rng.normal(0, 0.3, (4000, 10))
    of = rng.integers(4, size=4000)
    for number, group in enumerate(groups):
        z[np.ix_(of == number, group)] += 6 + rng.normal(0, 1, ((of == number).sum(), len(group)))
    assert specialists.clusters(softmax(z)) == groups


def test_the_joint_answer_is_nearest_to_all_that_are_asked() -> None:
    """Equation 5, by another optimizer, with specialists whose classes overlap; images that no specialist is asked of stay."""
    p = shares((60, 6))
    some = [Specialist((0, 1, 2), shares((60, 4), 1)), Specialist((2, 3), shares((60, 3), 2))]
    q = specialists.joined(p, some)
    assert q.sum(1) == pytest.approx(1) and len(set(p.argmax(1))) == 6

    def apart(z: np.ndarray, image: int) -> float:
        own = softmax(z)
        total = (p[image] * np.log(p[image] / own)).sum()
        for one in some:
            if p[image].argmax() in one.classes:
                outside = own[~np.isin(np.arange(6), one.classes)].sum()
                seen = np.append(own[list(one.classes)], outside)
                total += (one.p[image] * np.log(one.p[image] / seen)).sum()
        return float(total)

    for image in range(60):
        if p[image].argmax() in (4, 5):
            np.testing.assert_allclose(q[image], p[image], atol=1e-12)
            continue
        least = minimize(apart, np.log(p[image]), args=(image,), method="BFGS").fun
        assert apart(np.log(q[image]), image) == pytest.approx(least, abs=1e-5)


def test_one_specialist_is_averaged_with_the_generalist() -> None:
    p = shares((40, 5))
    one = Specialist((1, 3), shares((40, 3), 1))
    q, asked = specialists.joined(p, [one]), np.isin(p.argmax(1), (1, 3))
    assert asked.any() and not asked.all()
    np.testing.assert_allclose(q[asked][:, [1, 3]], (p[asked][:, [1, 3]] + one.p[asked][:, :-1]) / 2, atol=1e-9)
    others = q[asked][:, [0, 2, 4]] / p[asked][:, [0, 2, 4]]
    np.testing.assert_allclose(others, np.broadcast_to(others[:, :1], others.shape), atol=1e-9)  # divided as the generalist does


def test_specialists_are_trained_once_and_kept(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, digits = teachers.find("digits", "cnn"), data.load("digits")
    logits = teachers.logits(card, digits)
    seen, asked = np.arange(0, 1400), np.arange(1437, 1797)
    found = specialists.of(card, digits, logits, seen, asked)
    labels = digits.labels[asked]
    assert found and all(1 < len(one.classes) < 10 for one in found)
    for one in found:
        assert one.p.shape == (360, len(one.classes) + 1) and one.p.sum(1) == pytest.approx(1, abs=1e-5)
        expected = np.where(np.isin(labels, one.classes), np.searchsorted(one.classes, labels), len(one.classes))
        assert (one.p.argmax(1) == expected).mean() > 0.95
        # The dustbin has the share that its classes have, though they were half of every batch.
        assert one.p[:, -1].mean() == pytest.approx(np.mean(~np.isin(labels, one.classes)), abs=0.05)
    monkeypatch.setattr(specialists, "_trained", None)
    again = specialists.of(card, digits, logits, seen, asked)
    assert [one.classes for one in again] == [one.classes for one in found]
    np.testing.assert_array_equal(again[0].p, found[0].p)
    assert specialists.stored(card, digits, seen[:-1], asked) is None  # of other images
    (file,) = (own_data / "specialists").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert specialists.stored(card, digits, seen, asked) is None  # cut short: trained again


def test_the_last_layer_sees_what_it_is_given() -> None:
    rng = np.random.default_rng(0)
    for name in ("linear", "mlp-20-30", "cnn-4-8"):
        network = models.architecture(name, (8, 8, 1), 10)
        parameters = models.initial_parameters(network, [3])
        x = models.inputs(rng.integers(0, 256, (5, 8, 8, 1), dtype=np.uint8), (0.3,), (0.2,))
        last = len(network.layers) - 1
        seen = models.features(network, parameters, x, batch=2)
        again = seen @ parameters[f"{last}.weight"][0].T + parameters[f"{last}.bias"][0]
        np.testing.assert_allclose(again.numpy(), models.logits(network, parameters, x)[0].numpy(), atol=1e-5)


def test_a_student_learns_the_joint_answer() -> None:
    spec = RunSpec(conditions=("hard_labels", "distilled", "specialists"), seeds=2)
    card, digits = teachers.find("digits", "cnn"), data.load("digits")
    logits, seen = teachers.logits(card, digits), answers.transfer_set(spec, digits, 1.0)
    learned, weightings = answers.learned_from(spec, card, digits, logits, seen)
    assert weightings is None and len(learned) == len(spec.answers) == 2
    p, q = softmax(learned[0].astype(np.float64)), softmax(learned[1].astype(np.float64))
    assert q.argmax(1).tolist() != [] and (p.argmax(1) == q.argmax(1)).mean() > 0.98 and np.abs(p - q).max() > 0.01
    targets = {student.condition: student.targets for student in spec.students}
    assert targets["distilled"] == 0 and targets["specialists"] == 1


def test_specialists_stand_on_a_single_network() -> None:
    with pytest.raises(InvalidValue, match="single network, got the teacher 'cnn-x5': choose one without -x5"):
        RunSpec(teacher="cnn-x5", conditions=("hard_labels", "distilled", "specialists"))


def test_the_experiment_counts_what_joining_turned() -> None:
    spec = RunSpec(conditions=("hard_labels", "distilled", "specialists"), seeds=3)
    card, digits = teachers.find("digits", "cnn"), data.load("digits")
    answers.with_specialists(spec, card, digits, teachers.logits(card, digits), answers.transfer_set(spec, digits, 1.0))
    labels = np.asarray(digits.labels[1437:])
    rng = np.random.default_rng(0)
    logits = np.stack([
        np.where(rng.random((360, 1)) < wanted, np.eye(10)[labels], np.eye(10)[(labels + 1) % 10])
        for wanted in [0.6] * 3 + [0.8] * 3 + [0.95] * 3
    ])  # fmt: skip
    ended = {"students": [{"errors": 1, "accuracy": 0.9, "train_accuracy": 1.0, "loss": "right"} for _ in spec.students],
             "settings": {"transfer_images": 1437}}  # fmt: skip
    part = Part(spec, ended, logits, labels)
    measured = confused._measure({"students": part})
    assert measured["generalist"] == card.errors == 3
    assert measured["joined"] == measured["generalist"] - measured["righted"] + measured["wronged"]
    outcome, said = confused._verdict(measured)
    assert outcome == "helps" and "make fewer errors" in said[2].to_dict()["text"]
    worse = confused._verdict(confused._measure({"students": replace(part, logits=logits[[0, 1, 2, 6, 7, 8, 3, 4, 5]])}))
    assert worse[0] == "harms"
