"""The rules by which test images are chosen do what their sentences say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from kdviz import data, i18n, teachers
from kdviz.soft_targets import entropy, softmax
from kdviz.ui import galleries, words
from kdviz.ui.galleries import SCALE


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


def test_confused_are_the_images_of_the_most_frequent_mistake(answers: galleries.Answers) -> None:
    mistakes = [pair for pair in zip(answers.labels.tolist(), answers.answers.tolist(), strict=True) if pair[0] != pair[1]]
    counts = Counter(mistakes)
    pair = answers.most_confused
    assert pair is not None and counts[pair] == max(counts.values())
    expected = [n for n, each in enumerate(zip(answers.labels.tolist(), answers.answers.tolist(), strict=True)) if each == pair]
    assert sorted(answers.confused.tolist()) == expected
    assert (np.diff(answers.entropies[answers.confused]) <= 0).all()


def test_of_many_mistakes_the_most_frequent_one_way_round(answers: galleries.Answers) -> None:
    # 1 for 7 twice, 7 for 1 three times, 2 for 3 once: a pair is a label and an answer, not two classes.
    labels, said = np.array([7, 7, 1, 1, 1, 3, 5]), np.array([1, 1, 7, 7, 7, 2, 5])
    some = replace(answers, labels=labels, answers=said, entropies=np.array([0.9, 0.8, 0.1, 0.3, 0.2, 1.0, 2.0]))
    assert some.most_confused == (1, 7)
    assert some.confused.tolist() == [3, 4, 2]


def test_without_a_mistake_no_pair_is_confused(answers: galleries.Answers) -> None:
    faultless = replace(answers, answers=answers.labels)
    assert faultless.most_confused is None
    assert len(faultless.confused) == len(faultless.wrong) == 0


def test_answers_of_an_ensemble_hold_those_of_its_members(answers: galleries.Answers) -> None:
    dataset = data.load("digits")
    joined = galleries.answers(teachers.find("digits", "cnn-x5"), dataset)
    assert joined is not None and joined.members is not None
    assert joined.members.shape == (5, len(joined), 10)
    assert joined.members.mean(axis=0) == pytest.approx(joined.logits, abs=1e-5)
    # A single network has none, and photographs have no shapes.
    assert answers.members is None
    assert answers.shapes is joined.shapes is None


def test_class_names_are_in_the_reader_s_language_but_for_one_s_own() -> None:
    i18n.use("zh_Hant")
    try:
        assert words.class_names("street", data.STREET) == ("行人", "狗", "汽車", "卡車")
        assert words.class_names("digits", data.TEN_DIGITS) == data.TEN_DIGITS
        assert words.class_names("own-pets", ("dog", "car")) == ("dog", "car")
        for source in data.SOURCES.values():  # no two of a dataset become one
            assert len(set(words.class_names(source.name, source.class_names))) == len(source.class_names)
    finally:
        i18n.use("en")
    assert words.class_names("street", data.STREET) == data.STREET


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
