"""The Soft targets page, run as Streamlit runs it: what it shows is what soft_targets.py computes."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from kdviz import data, teachers
from kdviz.soft_targets import entropy, softmax
from kdviz.ui import galleries, opinion
from kdviz.ui.components.dial import temperature
from tests.sources import ROOT
from tests.ui.given import components as given

MAIN = ROOT / "kdviz" / "ui" / "main.py"
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("only_what_ships")]


def page(**link: str) -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in link.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def dial(at: AppTest) -> dict[str, Any]:
    """Return what the dial is given. It has the temperature, and what it draws and says of it is drawn and said in a browser."""
    found = given(at)["dial"]
    assert found["T"] == at.session_state["soft_targets_T"]
    return dict(found)


def sentence(at: AppTest) -> str:
    """Return what the dial says of the image: by Python's rules, to which tests/browser/test_dial.py holds the browser's."""
    given = dial(at)
    return opinion.sentence(np.asarray(given["logits"]), given["label"], given["T"], given["names"])


@lru_cache
def first_sentence(language: str) -> str:
    """Return what the page says that was opened without a link."""
    return sentence(page(lang=language))


def charts(at: AppTest) -> dict[str, Any]:
    """Return the charts of a page by key: each its Plotly figure and its text alternative."""
    drawn = [chart.proto for chart in at.get("plotly_chart")]
    return {one.id.rpartition("-")[2]: (json.loads(one.spec), one.alt) for one in drawn}


def said(at: AppTest) -> str:
    """Return the sentences of a page, but for its labels."""
    groups: list[Any] = [at.header, at.markdown, at.caption, at.error, at.warning, at.info]
    return "\n".join(str(element.value) for group in groups for element in group)


def thumbnails(at: AppTest) -> list[dict[str, Any]]:
    """Return what the gallery of test images shows."""
    return list(given(at)["gallery"]["items"])


def logits_of(number: int) -> np.ndarray:
    dataset = data.load("digits")
    stored = teachers.stored_logits(teachers.find("digits", "cnn"), dataset)
    assert stored is not None
    return np.asarray(stored[dataset.slice("test")][number], dtype=np.float64)


def test_first_paint_holds_a_telling_answer() -> None:
    at = page()
    assert at.title[0].value == "Soft targets"
    number, T = at.session_state["soft_targets_image"], at.session_state["soft_targets_T"]
    z = logits_of(number)
    # Sure at T = 1, and at the T of the first paint half way to knowing nothing.
    assert softmax(z).max() >= galleries.SURE
    assert entropy(softmax(z, T)) == pytest.approx(np.log(10) / 2, abs=0.15)
    assert f"T = {T:g}" in sentence(at)
    assert not at.warning
    assert not at.query_params  # a link is written when the reader changes something


@pytest.mark.parametrize(("language", "title"), [("en-GB", "Soft targets"), ("zh-TW", "軟目標")])
def test_language_of_the_browser(language: str, title: str) -> None:
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.context = {"locale": language}
    at.run()
    assert not at.exception
    assert at.title[0].value == title


def test_language_of_the_link_beats_the_browser_and_stays() -> None:
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.context = {"locale": "en-US"}
    at.query_params["lang"] = "zh_Hant"
    at.run()
    assert at.title[0].value == "軟目標"
    at.session_state["language"] = "en"
    at.run()
    assert at.title[0].value == "Soft targets"


def test_the_dial_is_given_the_image_and_what_the_teacher_says_to_it() -> None:
    given = dial(page(image="12", T="3"))
    assert given["logits"] == logits_of(12).tolist()  # in full
    assert (given["names"], given["shown"], given["truth"]) == (list("0123456789"), list(range(10)), None)
    assert (given["label"], given["labelled"]) == (int(data.load("digits").split("test").labels[12]), True)
    assert given["scale"]["telling"] == galleries.telling_temperature(logits_of(12)[None])[0]
    assert dial(page(image="13", T="3"))["subject"] != given["subject"]


@pytest.mark.parametrize("sent", [0.05, 3.3, 100, 1])
def test_a_turn_is_a_temperature(sent: float) -> None:
    assert temperature(sent) == sent


@pytest.mark.parametrize("sent", [None, "3", "hot", 0.0, -1, 1e9, float("nan"), True, [3.0], {"T": 3}])
def test_anything_else_that_a_browser_sends_is_none(sent: Any) -> None:
    assert temperature(sent) is None


def test_temperature_changes_the_sentence_and_the_link() -> None:
    at = page()
    before = sentence(at)
    at.session_state["soft_targets_T"] = 20.0
    at.run()
    assert not at.exception
    assert sentence(at) != before
    number = at.session_state["soft_targets_image"]
    asked = {"dataset": "digits", "teacher": "cnn", "image": str(number), "gallery": "telling", "T": "20"}
    assert at.query_params == asked
    share = re.search(r"\*\*(\d)\*\* a share of ([\d.]+)%", sentence(at))
    assert share is not None
    assert float(share[2]) / 100 == pytest.approx(softmax(logits_of(number), 20.0)[int(share[1])], abs=1e-3)


def test_a_link_shows_the_same_view() -> None:
    at = page(dataset="digits", teacher="cnn", image="7", T="3.3")
    assert (at.session_state["soft_targets_image"], at.session_state["soft_targets_T"]) == (7, 3.3)
    assert "T = 3.3" in sentence(at)
    again = page(**{name: value for name, value in at.query_params.items() if isinstance(value, str)})
    assert sentence(again) == sentence(at)


def test_a_change_is_not_undone_by_a_link_that_the_browser_sent_too_early() -> None:
    # Two quick presses of an arrow key: the second run comes with the link from before the first (seen with 1.67).
    at = page(T="3")
    at.session_state["soft_targets_T"] = 3.5
    at.run()
    at.query_params["T"] = "3"
    at.session_state["soft_targets_T"] = 4.0
    at.run()
    assert "T = 4 " in sentence(at)
    assert at.query_params["T"] in ("4", ["4"])
    # Without a change it is the browser's back.
    at.query_params["T"] = "3.5"
    at.run()
    assert "T = 3.5 " in sentence(at)


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ({"T": "hot"}, "'hot'"),
        ({"T": "0"}, "'0'"),
        ({"T": "1e9"}, "'1e9'"),
        ({"T": "nan"}, "'nan'"),
        ({"T": ""}, "''"),
        ({"dataset": "nope"}, "'nope'"),
        ({"teacher": "nobody"}, "'nobody'"),
        ({"image": "99999999"}, "'99999999'"),
        ({"image": "-1"}, "'-1'"),
        ({"image": "1.5"}, "'1.5'"),
        ({"image": "9" * 400}, "999"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh_Hant"])
def test_a_bad_link_gets_one_sentence_and_a_working_page(link: dict[str, str], named: str, language: str) -> None:
    at = page(**link, lang=language)
    assert len(at.warning) == 1
    assert named in at.warning[0].value
    assert sentence(at) == first_sentence(language)
    at.run()
    assert len(at.warning) == 1  # it stays until the reader changes something
    at.session_state["soft_targets_T"] = 2.0
    at.run()
    assert not at.warning


def test_data_that_is_not_there_is_one_sentence_and_a_way_on() -> None:
    at = page(dataset="mnist")
    assert len(at.info) == 1
    assert "mnist" in at.info[0].value
    assert not at.warning
    at.session_state["soft_targets_dataset"] = "digits"
    at.run()
    assert not at.exception
    assert not at.info
    assert sentence(at)


def test_a_teacher_is_chosen_among_those_of_the_dataset() -> None:
    at = page(image="12", T="3")
    chosen = at.selectbox(key="soft_targets_teacher")
    assert (chosen.options, chosen.value) == (["cnn", "cnn-x5"], "cnn")
    before = sentence(at)
    at.session_state["soft_targets_teacher"] = "cnn-x5"
    at.run()
    assert not at.exception
    assert at.query_params["teacher"] in ("cnn-x5", ["cnn-x5"])
    assert at.session_state["soft_targets_image"] == 12
    assert sentence(at) != before
    card = teachers.find("digits", "cnn-x5")
    assert f"{card.errors} errors on {card.test_images} test images" in said(at)


def test_one_network_on_photographs_has_no_section_that_is_not_about_it() -> None:
    assert not charts(page())


def test_most_confused_pair_is_named_and_shown() -> None:
    at = page()
    at.session_state["soft_targets_gallery_of"] = "confused"
    at.run()
    assert not at.exception
    captions = {item["caption"] for item in thumbnails(at)}
    assert len(captions) == 1
    named = re.search(r"images of class (\d) that the teacher answers with (\d),", said(at))
    assert named is not None
    assert captions == {f"{named[1]}, not {named[2]}"}


def test_every_gallery_opens() -> None:
    at = page()
    for kind in (*galleries.KINDS, *range(10)):
        at.session_state["soft_targets_gallery_of"] = kind
        at.run()
        assert not at.exception, kind


def test_an_image_that_is_not_there_becomes_the_default() -> None:
    at = page()
    first = sentence(at)
    at.session_state["soft_targets_image"] = 10**9
    at.run()
    assert not at.exception
    assert sentence(at) == first


def test_no_folder_is_called_pages() -> None:
    # Streamlit would serve its files without main.py to whoever opens /distill first after a start (seen with 1.67).
    assert not (MAIN.parent / "pages").exists()
