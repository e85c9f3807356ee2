"""street on the Soft targets page: the truth is that of kdviz.data.street, and the teacher's distance to it is its mean KL."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from kdviz import data, models, teacher_run, teachers
from kdviz.data import prepare as preparing
from kdviz.data import street
from kdviz.figures import numbers
from kdviz.soft_targets import softmax
from kdviz.spec import TeacherSpec
from kdviz.ui import asking
from kdviz.ui.components.street_view import SEED, SHAPES
from kdviz.ui.galleries import SCALE
from tests.ui.given import components
from tests.ui.test_own_picture import answering, members_of
from tests.ui.test_soft_targets_page import charts, dial, page, said, sentence

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("one_thread")]
TRUTH = street.posterior(np.full(len(SHAPES), street.CAR), SHAPES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """KDVIZ_DATA with a small street and two teachers: one of a single epoch, and one that knows the truth."""
    root = tmp_path_factory.mktemp("street")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDVIZ_DATA", str(root))
        patch.setitem(preparing.COUNTS, "street", (60, 20, 40))
        dataset = preparing.prepare("street")
        training = teacher_run.prepare(TeacherSpec("street", "linear", epochs=1))
        *_, last = training.training()
        teachers.logits(teacher_run.save(training, last, root / "teachers"), dataset)
        network = models.architecture("mlp-4", dataset.shape, len(dataset.class_names))
        knowing = teachers.save(
            root / "teachers", models.initial_parameters(network, [0]), name="street-mlp-4", dataset="street", network="mlp-4",
            seed=0, accuracy=0.9, errors=4, test_images=40, parameters=network.parameters, multiply_adds=network.multiply_adds,
            bytes=network.bytes, recipe={}, data_sha256=dataset.sha256, date="2026-01-01", seconds=1.0, versions={},
        )  # fmt: skip
        teachers.logits(knowing, dataset)
        (kept,) = (root / "logits").glob("street-mlp-4-*.npy")
        assert dataset.shapes is not None
        np.save(kept, np.log(np.maximum(street.posterior(dataset.labels, dataset.shapes), 1e-9)).astype(np.float32))
    return root


@pytest.fixture(autouse=True)
def on_street(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_DATA", str(trained))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with answering(monkeypatch):
        yield


def shown(teacher: str = "linear", **link: str) -> AppTest:
    return page(dataset="street", teacher=teacher, **link)


def without_engine(monkeypatch: pytest.MonkeyPatch, teacher: str = "linear", **link: str) -> AppTest:
    """Return the page while nobody answers what the teacher says to the drawing."""
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.0)
    return shown(teacher, **link)


def distances(teacher: str) -> list[float]:
    """Return the mean of KL(truth || teacher) over the test images at every T of the scale, added up term by term."""
    dataset = data.load("street")
    logits = teachers.stored_logits(teachers.find("street", teacher), dataset)
    assert logits is not None and dataset.shapes is not None
    where = dataset.slice("test")
    truth = street.posterior(dataset.labels[where], dataset.shapes[where])
    found = []
    for T in SCALE:
        q = softmax(np.asarray(logits[where], dtype=np.float64), T)
        found.append(sum(p * np.log(p / max(q[n, k], 1e-300)) for (n, k), p in np.ndenumerate(truth) if p > 0) / len(truth))
    return [float(value) for value in found]


@pytest.mark.parametrize("teacher", ["linear", "mlp-4"])
def test_a_car_that_could_be_a_truck_is_first_at_the_temperature_of_the_article(
    teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = without_engine(monkeypatch, teacher)
    assert at.session_state["soft_targets_T"] == 3.0
    assert "T = 3" in sentence(at)
    dataset = data.load("street")
    number, where = at.session_state["soft_targets_image"], dataset.slice("test")
    logits = teachers.stored_logits(teachers.find("street", teacher), dataset)
    assert logits is not None
    assert dataset.labels[where][number] == street.CAR
    assert np.argsort(logits[where][number])[-2] == street.TRUCK
    assert "label **car**" in said(at)


def test_of_the_cars_that_the_teacher_is_sure_of_the_likest_to_a_truck_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    at = without_engine(monkeypatch, "mlp-4")
    dataset = data.load("street")
    logits = teachers.stored_logits(teachers.find("street", "mlp-4"), dataset)
    assert logits is not None
    where = dataset.slice("test")
    p, labels = softmax(np.asarray(logits[where], dtype=np.float64)), dataset.labels[where]
    sure = [n for n in range(len(labels)) if labels[n] == street.CAR and p[n, street.CAR] >= 0.999 and p[n].argsort()[-2] == 3]
    assert sure
    assert at.session_state["soft_targets_image"] == max(sure, key=lambda n: p[n, street.TRUCK])


@pytest.mark.parametrize("label", range(4))
def test_the_truth_of_a_drawing_stands_beside_its_label(label: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = data.load("street")
    assert dataset.shapes is not None
    where = dataset.slice("test")
    number = int(np.flatnonzero(dataset.labels[where] == label)[0])
    at = without_engine(monkeypatch, image=str(number))
    s = float(dataset.shapes[where][number])
    truck = s**3 / (s**3 + (1 - s) ** 3) if label >= street.CAR else 0.0
    expected = [0, 0, 1 - truck, truck] if label >= street.CAR else [1 - label, label, 0, 0]
    assert dial(at)["truth"] == pytest.approx(expected)
    assert (dial(at)["label"], dial(at)["labelled"]) == (label, True)


def test_a_reader_who_turns_to_street_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.0)
    at = page()
    assert at.session_state["soft_targets_T"] != 3
    assert "From car to truck" not in said(at) and "distance" not in components(at)
    at.segmented_control(key="soft_targets_dataset").select("street").run()
    at.selectbox(key="soft_targets_teacher").select("linear").run()
    assert not at.exception
    assert at.session_state["soft_targets_T"] == 3
    assert sentence(at) == sentence(shown())
    assert "From car to truck" in said(at) and "distance" in components(at)


@pytest.mark.usefixtures("engine")
def test_the_browser_is_given_teacher_and_truth_of_every_shape() -> None:
    at = shown(T="3")
    given = components(at)["street"]
    assert given["shapes"] == SHAPES.round(3).tolist()
    assert given["truth"] == TRUTH.tolist()
    z = members_of("street", "linear", street.morph(SEED, SHAPES))[0]
    assert np.asarray(given["logits"]) == pytest.approx(z, abs=1e-4)
    assert (given["T"], given["names"][given["truck"]]) == (3.0, "truck")
    assert not charts(at)  # nothing is drawn a second time


def test_pictures_and_truth_wait_for_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    given = components(without_engine(monkeypatch))["street"]
    assert (given["logits"], given["truth"]) == (None, TRUTH.tolist())
    kind, content = given["picture"].split(",")
    assert kind == "data:image/png;base64"
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert np.array_equal(strip, np.concatenate(list(street.morph(SEED, SHAPES)), axis=1))


def test_distance_from_the_truth_is_the_mean_kl(monkeypatch: pytest.MonkeyPatch) -> None:
    at = without_engine(monkeypatch)
    expected = distances("linear")
    given = components(at)["distance"]
    assert (given["temperatures"], given["distances"]) == (list(SCALE), pytest.approx(expected))
    best = int(np.argmin(expected))
    assert SCALE[best] != 1
    marked = {mark["text"]: (mark["x"], mark["y"]) for mark in given["marks"]}
    assert marked == {"T = 1": (1.0, given["distances"][SCALE.index(1.0)]), "best": (SCALE[best], min(given["distances"]))}
    assert 0 == given["ticks"][0] < max(expected) <= given["ticks"][-1] and 3 <= len(given["ticks"]) <= 7
    assert given["strings"]["fact"] == (
        f"The teacher is {expected[SCALE.index(1.0)]:.3f} nats from the true probabilities at T = 1, and nearest to them, "
        f"{expected[best]:.3f} nats, at T = {numbers.temperature(SCALE[best])}."
    )
    assert (
        f"Over 40 test images the teacher's shares are, on average, {expected[SCALE.index(1.0)]:.3f} nats from the true "
        f"probabilities at T = 1, as KL(truth ‖ teacher), and nearest, {expected[best]:.3f} nats, at T = "
        f"{numbers.temperature(SCALE[best])}."
    ) in said(at)


def test_a_teacher_that_knows_the_truth_is_nearest_at_T_1(monkeypatch: pytest.MonkeyPatch) -> None:
    at = without_engine(monkeypatch, "mlp-4")
    assert distances("mlp-4")[SCALE.index(1.0)] == pytest.approx(0, abs=1e-6)
    (mark,) = components(at)["distance"]["marks"]
    assert (mark["text"], mark["x"]) == ("T = 1, the best", 1.0)
    assert (
        "0.000 nats from the true probabilities at T = 1, as KL(truth ‖ teacher), and at no other T of the scale nearer."
        in said(at)
    )


def test_accuracy_beside_the_best_that_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    at = without_engine(monkeypatch)
    accuracy = teachers.find("street", "linear").accuracy
    assert f"It answers {accuracy:.2%} rightly." in said(at)
    # Beta(2, 5) is the second smallest of six uniform numbers: above 1/2 where at most one is below, 7 times in 64.
    assert f"is expected to be right in {1 - (7 / 64) / 2:.2%};" in said(at)


def test_classes_of_street_are_named_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    at = without_engine(monkeypatch, lang="zh_Hant")
    assert "標籤 **汽車**" in said(at)
    assert dial(at)["names"] == ["行人", "狗", "汽車", "卡車"]
    for name in data.STREET:
        assert name not in said(at)
