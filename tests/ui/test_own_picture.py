"""A picture of one's own on the Soft targets page: drawn or uploaded, answered as an engine answers, from the store."""

from __future__ import annotations

import base64
import contextlib
import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from kdviz import data, i18n, models, settings, teachers
from kdviz.data import nearness, picture
from kdviz.data.prepare import ensure_nearness
from kdviz.errors import UserError
from kdviz.i18n import N_
from kdviz.soft_targets import ensemble_geometric, softmax
from kdviz.store import open_store
from kdviz.ui import asking
from kdviz.worker import answer_question
from tests.ui.given import components
from tests.ui.test_soft_targets_page import charts, dial, page, said

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("own_data", "one_thread")]
CHECKS = (np.indices((112, 112)).sum(axis=0) // 14 % 2 * 255).astype(np.uint8)
"""What nobody would take for a digit."""


def digit(number: int) -> np.ndarray:
    """Return a test image of digits as somebody would draw it: (112, 112) uint8."""
    small = data.load("digits").split("test").pixels[number, :, :, 0]
    return np.asarray(Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC))


def seen(drawn: np.ndarray) -> np.ndarray:
    return picture.as_digit(drawn, (8, 8, 1))


def members_of(dataset: str, teacher: str, pixels: np.ndarray) -> np.ndarray:
    """Return what a teacher's networks say to pictures, straight from the weights: (n, ...) -> (members, n, classes)."""
    known = data.load(dataset)
    network, parameters = teachers.load(teachers.find(dataset, teacher))
    return models.logits(network, parameters, models.inputs(pixels, known.mean, known.std)).numpy().astype(np.float64)


def answer_one() -> bool:
    """Answer the oldest question of the store, as an engine does; return whether there was one."""
    question = open_store(settings.store_url()).claim_question()
    if question is not None:
        answer_question(settings.store_url(), question.id, question.attempt)
    return question is not None


@contextlib.contextmanager
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer all questions meanwhile, beside the page, which waits for them as long as it takes on a busy machine."""
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 60.0)
    ended = threading.Event()

    def answer_all() -> None:
        while not ended.is_set():
            if not answer_one():
                ended.wait(0.01)

    thread = threading.Thread(target=answer_all)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with answering(monkeypatch):
        yield


def turn_to(at: AppTest, source: str, language: str = "en") -> AppTest:
    """Choose where the image comes from. What AppTest tells the page is the label, made here, outside the page's language."""
    i18n.use(language)
    at.session_state["soft_targets_source"] = source
    at.run()
    i18n.use("en")
    assert not at.exception
    return at


def own(drawn: np.ndarray | None = None, language: str = "en", **link: str) -> AppTest:
    """Return the page on one's own picture: nothing, or what the pad says was drawn."""
    at = turn_to(page(lang=language, **link), "own", language)
    if drawn is not None:
        at.session_state["own_pad_digits"] = {"drawing": base64.b64encode(drawn.tobytes()).decode("ascii")}
        at.run()
    assert not at.exception
    return at


def pictures(at: AppTest) -> list[str]:
    """Return the captions of a page's pictures, or what they are for who cannot see them."""
    return [each.caption or each.alt for image in at.get("image") for each in image.proto.imgs]


@pytest.mark.parametrize(
    ("language", "invitation"), [("en", "Draw a digit or upload a picture"), ("zh_Hant", "畫一個數字或上傳一張圖片")]
)
def test_without_a_picture_there_is_an_invitation_and_nothing_of_a_test_image(language: str, invitation: str) -> None:
    at = own(image="12", language=language)
    assert [invitation in element.value for element in at.info] == [True]
    assert not charts(at) and not pictures(at) and "dial" not in components(at)
    for word in ("Test image 12", "測試影像 12", "##### ", "label **", "標籤 **", "Chosen by rule", "依規則挑選"):
        assert word not in said(at)
    assert open_store(settings.store_url()).claim_question() is None  # and nobody is asked
    # The test images are where they were.
    turn_to(at, "test", language)
    assert {"en": "Test image 12", "zh_Hant": "測試影像 12"}[language] in said(at)
    assert not at.info and "dial" in components(at)


@pytest.mark.usefixtures("engine")
def test_a_drawn_digit_is_answered_without_a_ground_truth() -> None:
    drawn = digit(2)
    at = own(drawn, T="3")
    z = members_of("digits", "cnn", seen(drawn)[None])[0, 0]
    given = dial(at)
    assert given["logits"] == pytest.approx(z.tolist(), abs=1e-4)
    assert (given["label"], given["labelled"], given["students"]) == (z.argmax(), False, None)
    assert z.argmax() == data.load("digits").split("test").labels[2]
    assert f"teacher **{z.argmax()}**" in said(at)
    for word in ("label **", "wrong", "Test image"):
        assert word not in said(at)
    assert pictures(at) == ["what the network sees"]
    # A quiet line says how near it is, and no warning.
    known = ensure_nearness(data.load("digits"))
    assert known is not None
    (line,) = (element.value for element in at.caption if "held out of the training" in element.value)
    assert f"lie {nearness.share_farther(known, seen(drawn)[None])[0]:.1%} of the images" in line
    assert not at.warning and not at.info and not at.error


@pytest.mark.usefixtures("engine")
def test_what_is_no_digit_is_warned_of() -> None:
    at = own(CHECKS)
    (warning,) = at.warning
    assert "unlike anything the teacher learned from" in warning.value
    assert "lie 0.0% of the images" in warning.value
    assert not any("held out" in element.value for element in at.caption)
    assert "dial" in components(at)  # the answer is shown all the same


@pytest.mark.usefixtures("engine")
def test_an_ensemble_answers_with_all_its_members() -> None:
    drawn = digit(4)
    at = own(drawn, teacher="cnn-x5", T="3")
    members = members_of("digits", "cnn-x5", seen(drawn)[None])[:, 0]
    geometric = pytest.approx(list(ensemble_geometric(members, 3.0)), abs=1e-5)
    assert softmax(np.asarray(dial(at)["logits"]), 3.0) == geometric
    given = np.asarray(components(at)["ensemble"]["members"])
    assert given == pytest.approx(members, abs=1e-4)


@pytest.mark.usefixtures("engine")
def test_an_uploaded_picture_is_shown_as_it_is_and_as_it_is_seen() -> None:
    at = own()
    at.session_state["own_picture_how"] = "upload"
    at.run()
    file = io.BytesIO()
    ink = Image.fromarray(255 - digit(2)).convert("RGB")  # dark on white, as on paper
    paper = Image.new("RGB", (300, 200), "white")
    paper.paste(ink, (90, 40))
    paper.save(file, "PNG")
    at.file_uploader[0].upload("one.png", file.getvalue(), "image/png").run()
    assert not at.exception
    assert pictures(at) == ["your picture", "what the network sees"]
    z = members_of("digits", "cnn", picture.as_digit(picture.digit_from_photo(paper), (8, 8, 1))[None])[0, 0]
    assert dial(at)["logits"] == pytest.approx(z.tolist(), abs=1e-4)
    # What is no picture is one sentence, and nothing of the earlier one stays.
    at.file_uploader[0].upload("one.png", file.getvalue()[:100], "image/png").run()
    assert not at.exception
    assert [("damaged or cut short" in element.value) for element in at.error] == [True]
    assert "dial" not in components(at) and not pictures(at)


def test_an_answer_that_comes_late_is_shown_and_not_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.0)  # every answer is late
    at = own(digit(2), T="3")
    assert "The engine is starting" in said(at)
    assert "dial" not in components(at)
    assert answer_one()
    at.run()
    assert not at.exception
    assert "The engine is starting" not in said(at)
    assert dial(at)["T"] == 3
    assert not answer_one()
    # The session knows it from now on, at any T.
    at.session_state["soft_targets_T"] = 5.0
    at.run()
    assert dial(at)["T"] == 5
    assert not answer_one()


def test_a_question_that_failed_is_one_sentence_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.0)
    at = own(digit(2))
    store = open_store(settings.store_url())
    question = store.claim_question()
    assert question is not None
    store.answer(question.id, question.attempt, error=UserError(N_("it stopped with an unexpected error ({reason})"), reason="x"),
                 state="failed")  # fmt: skip
    at.run()
    assert [element.value for element in at.error] == ["The teacher could not answer: it stopped with an unexpected error (x)"]
    assert "dial" not in components(at)
    at.run()
    assert "The engine is starting" in said(at)
    assert answer_one()
    at.run()
    assert "dial" in components(at) and not at.error
