"""The rules by which test images are chosen do what their sentences say."""

from __future__ import annotations

import numpy as np
import pytest

from kdviz import data, teachers
from kdviz.soft_targets import entropy, softmax
from kdviz.ui import galleries
from kdviz.ui.components.temperature import SCALE


@pytest.fixture(scope="module")
def answers() -> galleries.Answers:
    found = galleries.answers(teachers.find("digits", "cnn"), data.load("digits"))
    assert found is not None
    return found


def test_scale_of_temperatures() -> None:
    assert list(SCALE) == sorted(set(SCALE))
    assert (SCALE[0], SCALE[-1]) == (0.05, 100.0)
    assert {1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0} <= set(SCALE)
    assert max(np.diff(np.log(SCALE))) < 0.26  # no step is felt as a jump


def test_wrong_answers_are_the_errors_of_the_card(answers: galleries.Answers) -> None:
    card = teachers.find("digits", "cnn")
    assert len(answers.wrong) == card.errors
    assert len(answers) == card.test_images
    assert all(answers.answers[index] != answers.labels[index] for index in answers.wrong)


def test_surprising_first(answers: galleries.Answers) -> None:
    ordered = answers.entropies[answers.surprising]
    assert (np.diff(ordered) <= 0).all()
    assert sorted(answers.surprising) == list(range(len(answers)))


@pytest.mark.parametrize("label", range(10))
def test_a_class_from_its_most_surprising_image_to_its_most_certain(answers: galleries.Answers, label: int) -> None:
    members = np.flatnonzero(answers.labels == label)
    wanted = int(members[len(members) // 3])
    shown = answers.of_class(label, 20, wanted)
    assert len(shown) == len(set(shown.tolist())) == 20
    assert (answers.labels[shown] == label).all()
    assert wanted in shown
    assert (np.diff(answers.entropies[shown]) <= 0).all()


def test_telling_images_are_right_and_sure(answers: galleries.Answers) -> None:
    for index in answers.telling:
        assert answers.answers[index] == answers.labels[index]
        assert softmax(answers.logits[index]).max() >= galleries.SURE
    assert sorted(answers.labels[answers.telling[:10]]) == list(range(10))  # the best of every class first


def test_telling_temperature_is_where_half_is_unknown() -> None:
    z = np.random.default_rng(1).normal(size=(50, 10)) * 8
    T = galleries.telling_temperature(z)
    assert entropy(softmax(z, T[:, None])) == pytest.approx(np.full(50, np.log(10) / 2), abs=0.3)


def test_a_teacher_that_is_never_sure_still_has_something_to_show() -> None:
    z = np.zeros((4, 10))
    z[2, 1] = 1.0
    assert galleries.telling(z, np.zeros(4, dtype=np.int64)).tolist() == [0, 1, 3, 2]
