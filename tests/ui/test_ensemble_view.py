"""The ensemble on the Soft targets page: the browser is given its members' stored logits, of which it draws all that it shows.

What it draws is read from it by tests/browser/test_dial.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kdviz import data, models, teachers
from kdviz.soft_targets import ensemble_geometric, entropy, softmax
from tests.ui.given import components
from tests.ui.test_soft_targets_page import charts, dial, page, said

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("own_data")]


def members_of(dataset: data.Dataset, teacher: str, number: int) -> np.ndarray:
    """Return the stored logits of an ensemble's networks for a test image, (members, classes)."""
    stored = teachers.stored_member_logits(teachers.find(dataset.name, teacher), dataset)
    assert stored is not None
    return np.asarray(stored[:, dataset.slice("test")][:, number], dtype=np.float64)


def disputed() -> int:
    """Return the test image of digits on which the members of cnn-x5 differ the most at T = 1."""
    dataset = data.load("digits")
    stored = teachers.stored_member_logits(teachers.find("digits", "cnn-x5"), dataset)
    assert stored is not None
    p = softmax(np.asarray(stored[:, dataset.slice("test")], dtype=np.float64))
    return int((entropy(p.mean(axis=0)) - entropy(p).mean(axis=0)).argmax())


@pytest.mark.parametrize("T", [1.0, 3.0])
def test_the_browser_is_given_every_member_s_logits(T: float) -> None:
    number = disputed()
    at = page(teacher="cnn-x5", image=str(number), T=str(T))
    members = members_of(data.load("digits"), "cnn-x5", number)
    given = components(at)["ensemble"]
    assert (given["members"], given["T"]) == (members.tolist(), T)
    assert (given["names"], given["shown"]) == (list(data.TEN_DIGITS), list(range(10)))
    # What is taken for the teacher's soft targets is the first way of joining them, the mean of logits.
    assert softmax(np.asarray(dial(at)["logits"]), T) == pytest.approx(ensemble_geometric(members, T), abs=1e-5)
    assert not charts(at)  # nothing is drawn a second time
    assert "Five heads, one answer" in said(at)
    assert "This teacher is 5 networks" in said(at)


def test_an_ensemble_speaks_the_reader_s_language() -> None:
    english, chinese = (page(teacher="cnn-x5", lang=language) for language in ("en", "zh_Hant"))
    assert "五" in said(chinese)
    in_english, in_chinese = (components(at)["ensemble"]["strings"] for at in (english, chinese))
    assert in_english["geometric"] == "mean of logits"
    assert not [
        name for name, text in in_english.items() if re.search("[a-z]", re.sub(r"{.*?}", "", text)) and in_chinese[name] == text
    ]


def own_dataset(root: Path, names: tuple[str, ...]) -> data.Dataset:
    """Write a prepared dataset of somebody's own: noise, two images of every class for training and one for the test."""
    folder = root / "prepared" / "own-things"
    folder.mkdir(parents=True)
    labels = np.tile(np.arange(len(names)), 4)
    np.save(folder / "pixels.npy", np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1), dtype=np.uint8))
    np.save(folder / "labels.npy", labels)
    counts = [2 * len(names), len(names), len(names)]
    meta = dict(name="own-things", class_names=names, counts=counts, mean=[0.5], std=[0.3], sha256="5" * 64)
    (folder / "meta.json").write_text(json.dumps(meta))
    return data.load("own-things")


def test_of_many_classes_some_are_shown_and_all_are_counted(own_data: Path) -> None:
    # Names that kdviz's own datasets have too: here they are somebody's, and stay as they are in every language.
    names = ("dog", "car", "truck", *(f"thing {letter}" for letter in "abcdefghijk"))
    dataset = own_dataset(own_data, names)
    network = models.architecture("linear", dataset.shape, len(names))
    card = teachers.save(
        own_data / "teachers", {key: 3 * tensor for key, tensor in models.initial_parameters(network, [0, 1]).items()},
        name="own-things-linear-x2", dataset="own-things", network="linear", seed=0, accuracy=0.1, errors=9, test_images=10,
        parameters=network.parameters, multiply_adds=network.multiply_adds, bytes=network.bytes, recipe={}, data_sha256="",
        date="2026-01-01", seconds=1.0, versions={}, members=2, member_errors=[9, 9],
    )  # fmt: skip
    teachers.logits(card, dataset)
    at = page(dataset="own-things", teacher="linear-x2", image="1", T="3", lang="zh_Hant")
    members = members_of(dataset, "linear-x2", 1)
    shown = np.union1d(np.argsort(-members.mean(axis=0), kind="stable")[:11], [1])
    given = components(at)["ensemble"]
    assert (given["members"], given["shown"], given["names"]) == (members.tolist(), shown.tolist(), list(names))
    given = dial(at)
    assert softmax(np.asarray(given["logits"]), 3.0) == pytest.approx(ensemble_geometric(members, 3.0), abs=1e-5)
    assert (given["names"], given["shown"]) == (list(names), shown.tolist())
    assert len(given["notes"]) == 1
