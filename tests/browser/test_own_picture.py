"""The reader's own picture on Soft targets, in the browser: drawn or uploaded, answered, refused; nothing of it stays on disk."""

from __future__ import annotations

import io
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, expect

from kdviz.data import picture
from kdviz.data import prepare as preparing
from kdviz.data import street as street_of
from kdviz.figures import numbers
from kdviz.soft_targets import softmax
from tests.benchmarks.own_picture import DIGITS, clear, draw, loaded, open_own, pad, to_upload, upload
from tests.browser.conftest import Open
from tests.browser.driving import Served, settled, visit
from tests.browser.test_accessibility import faults

SEEN = "what the network sees"


def seen(page: Page) -> np.ndarray:
    """Return the picture that the page shows as what the network sees: (height, width, 3) uint8, enlarged."""
    image = page.get_by_role("img", name=SEEN)
    source = image.get_attribute("src")
    assert source is not None
    return np.asarray(Image.open(io.BytesIO(page.request.get(re.sub("^/", f"{_root(page)}/", source)).body())).convert("RGB"))


def _root(page: Page) -> str:
    found = re.match("https?://[^/]+", page.url)
    assert found is not None
    return found[0]


def answer(page: Page) -> str:
    """Return the class that the teacher answers, as the page says it."""
    said = page.get_by_text(re.compile("^teacher ")).locator("strong")
    said.wait_for()
    return said.inner_text()


@pytest.mark.parametrize("teacher", ["cnn", "cnn-x5"])
def test_a_drawn_digit_is_answered(server: Served, visitor: Open, teacher: str) -> None:
    """The first picture may come before the engine is there: the page says so, and the answer comes by itself."""
    page = visitor(height=1400)
    visit(page, f"{server.url}/?dataset=digits&teacher={teacher}")
    open_own(page)
    bars, sentence = page.locator(".dial .bar"), page.locator(".sentence")
    expect(page.get_by_text("Draw a digit or upload a picture")).to_be_visible()
    expect(bars).to_have_count(0)
    place = pad(page).bounding_box()
    draw(page, DIGITS[7])
    expect(sentence).to_have_text(re.compile(r"^At T = [\d.]+ the teacher gives .* a share of [\d.]+%"))
    assert answer(page) == "7"
    assert pad(page).bounding_box() == place  # a second stroke goes where it is aimed at
    assert len(np.unique(seen(page))) > 2
    # Two panels, the teacher's at T = 1 and at T: of a stranger's picture there is no ground truth.
    expect(bars).to_have_count(20)
    assert page.locator(".dial [data-panel=at_one] .bar, .dial [data-panel=at_T] .bar").count() == 20
    expect(page.locator(".ensemble .bar")).to_have_count(30 if teacher == "cnn-x5" else 0)
    clear(page)
    expect(sentence).to_have_count(0)
    draw(page, DIGITS[0])
    sentence.wait_for()
    assert answer(page) == "0"


@pytest.fixture
def street(server: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A small street, prepared but for the answers of its shipped teacher; gone after the test."""
    images = Path(server.store_url.removeprefix("sqlite:///")).parent / "images"
    monkeypatch.setenv("KDVIZ_DATA", str(images))
    monkeypatch.setitem(preparing.COUNTS, "street", (120, 60, 60))
    preparing.prepare("street")
    yield
    shutil.rmtree(images / "prepared" / "street")


def photograph() -> bytes:
    """Return a JPEG of 600 x 400, blue on the left and red on the right, whose EXIF says: turn me by 90° clockwise."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[:, :300, 2] = pixels[:, 300:, 0] = 220
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif)
    return file.getvalue()


def bomb() -> bytes:
    """Return a PNG of 30,000 x 30,000 pixels in 110 kB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(bytes(30_000 * (30_000 // 8 + 1)), 9)
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


STREET = """
root => ({
  T: Number(root.dataset.temperature), s: Number(root.dataset.shape),
  bars: Object.fromEntries(["at_one", "at_T", "truth"].map(panel =>
    [panel, [...root.querySelectorAll(`[data-panel=${panel}] .bar`)].map(bar => Number(bar.dataset.value))])),
  said: root.querySelector("svg.lines").getAttribute("aria-label"),
  lines: [...root.querySelectorAll(".key li")].map(line => line.innerText.split("\\n").join(" ")),
  picture: root.querySelector(".picture").style.backgroundPosition,
  of: root.querySelector(".picture").getAttribute("aria-label"),
})
"""


def a_drawing_follows_the_finger(page: Page) -> None:
    """From car to truck, every step of the shape and of T is drawn in the browser, and Python is told of none of it."""
    root, distance = page.locator(".street"), page.locator(".distance")
    root.locator("[data-panel=at_T]").first.wait_for()  # the engine has answered
    assert not faults(page, "light")
    settled(page)
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.told = 0;"
        "WebSocket.prototype.send = function (...all) { window.told++; return send.apply(this, all) } }"
    )
    ranges = root.get_by_role("slider"), page.locator(".dial").get_by_role("slider")
    before = root.evaluate(STREET)
    assert (before["T"], before["s"]) == (3, 0.5)
    for key in ["ArrowRight"] * 3 + ["End", "Home"] + ["ArrowRight"] * 11:
        ranges[0].press(key)
        seen = root.evaluate(STREET)
        truth = street_of.posterior(np.asarray([street_of.CAR]), np.asarray([seen["s"]]))[0]
        np.testing.assert_allclose(seen["bars"]["truth"], truth, rtol=0, atol=1e-6)
        one, three = np.asarray(seen["bars"]["at_one"]), np.asarray(seen["bars"]["at_T"])
        np.testing.assert_allclose(three, softmax(np.log(one), 3), rtol=0, atol=1e-6)
        truck = [numbers.percent(float(values[street_of.TRUCK]), values is truth) for values in (truth, one, three)]
        assert seen["said"] == (
            f"At shape {seen['s']:g} the true probability of truck is {truck[0]}; the teacher gives it {truck[1]} at T = 1 and "
            f"{truck[2]} at T = 3."
        )
        assert seen["of"] == f"A vehicle of shape {seen['s']:g}"
    assert seen["s"] == 0.275 and seen["picture"] != before["picture"]
    assert seen["lines"] == [f"true probability {truck[0]}", f"teacher, T = 1 {truck[1]}", f"teacher, T = 3 {truck[2]}"]
    assert page.evaluate("window.told") == 0
    # The dial turns, and both follow at once: it is drawn before Python could have answered.
    ranges[1].evaluate("""range => {
      range.value = Number(range.value) + 150
      range.dispatchEvent(new Event("input", { bubbles: true }))
    }""")
    turned = root.evaluate(STREET)
    assert turned["T"] == float(page.locator(".dial").get_attribute("data-temperature") or 0) > 8
    np.testing.assert_allclose(turned["bars"]["at_T"], softmax(np.log(one), turned["T"]), rtol=0, atol=1e-6)
    assert f"at T = {turned['T']:g}." in turned["said"]
    assert float(distance.locator(".cursor").get_attribute("data-value") or 0) == turned["T"]
    assert page.evaluate("window.told") == 0
    # On a phone it has room.
    page.set_viewport_size({"width": 390, "height": 844})
    root.locator(".lines").wait_for()
    _fits(page, "the street")
    page.set_viewport_size({"width": 1280, "height": 1400})


@pytest.mark.usefixtures("street")
def test_a_photograph_is_answered_after_files_that_are_none(server: Served, visitor: Open) -> None:
    content = photograph()
    page = visitor(height=1400)
    visit(page, f"{server.url}/?dataset=street")
    page.locator(".st-key-prepare_street_button button").click()
    page.locator(".dial .row").first.wait_for()
    visit(page, f"{server.url}/?dataset=street")
    a_drawing_follows_the_finger(page)
    open_own(page)
    expect(pad(page)).to_have_count(0)
    wrong, sentence = page.get_by_test_id("stAlertContentError"), page.locator(".sentence")

    upload(page, "notes.png", b"Dear diary, this is no picture.", "image/png")
    expect(wrong).to_have_text(re.compile("the file is no PNG, JPEG, WebP or GIF picture: save it as one of these"))
    expect(wrong).to_have_count(1)
    expect(sentence).to_have_count(0)
    upload(page, "holiday.jpg", content)
    expect(sentence).to_have_text(re.compile("^At T = 3 the teacher gives"))
    expect(wrong).to_have_count(0)
    assert answer(page) in ("pedestrian", "dog", "car", "truck")
    # Upright, the blue half is above; it is what the network gets; Streamlit has resized it.
    shown = seen(page)
    third = len(shown) // 3
    assert shown[:third, :, 2].min() > 150 > 80 > shown[:third, :, 0].max()
    assert shown[-third:, :, 0].min() > 150 > 80 > shown[-third:, :, 2].max()
    expected = Image.fromarray(picture.fitted(picture.read(content), (32, 32, 3))).resize(
        shown.shape[:2], Image.Resampling.NEAREST
    )
    assert np.abs(shown.astype(int) - np.asarray(expected)).mean() < 5
    upright = page.get_by_role("img", name="your picture").evaluate("image => image.naturalHeight > image.naturalWidth")
    assert upright
    expect(page.get_by_text("How a picture's contrast is spread from coarse to fine")).to_be_visible()

    upload(page, "bomb.png", bomb(), "image/png")
    expect(wrong).to_have_text(re.compile("the picture has too many pixels to be read here: make it smaller"))
    expect(sentence).to_have_count(0)
    upload(page, "holiday.jpg", content)
    sentence.wait_for()
    expect(wrong).to_have_count(0)
    # It was never written to the server's disk.
    folder = Path(server.store_url.removeprefix("sqlite:///")).parent
    kept = [file for file in folder.rglob("*") if file.is_file() and content[-2000:] in file.read_bytes()]
    assert not kept


def test_a_phone_shows_an_own_picture_without_sideways_scrolling(server: Served, visitor: Open) -> None:
    page = visitor(width=390, height=844)
    visit(page, f"{server.url}/?dataset=digits")
    open_own(page)
    pad(page).wait_for()
    _fits(page, "an empty pad")
    draw(page, DIGITS[1])
    page.locator(".dial .row").first.wait_for()
    page.get_by_role("img", name=SEEN).wait_for()
    _fits(page, "a drawing")
    to_upload(page)
    upload(page, "a name that is far too long for the narrow screen of a telephone.jpg", photograph())
    page.get_by_role("img", name="your picture").wait_for()
    page.locator(".dial .row").first.wait_for()
    loaded(page)
    _fits(page, "an upload")


def _fits(page: Page, what: str) -> None:
    for element in ("html", "[data-testid=stMain]"):
        wide, there = page.locator(element).evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= there <= 390, (what, element)
