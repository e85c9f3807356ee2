"""The drawing pad on a page of its own: what is drawn by mouse or finger is the picture that Python gets, and it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from kdviz import i18n
from kdviz.ui.components.drawing_pad import SIDE
from tests.browser import driving
from tests.browser.conftest import Visitors
from tests.sources import ROOT

APP = """
import json
import streamlit as st
from kdviz import i18n
from kdviz.ui.components.drawing_pad import drawing_pad

i18n.use("zh_Hant" if st.toggle("Chinese") else "en")
elsewhere, another = st.toggle("Elsewhere"), st.toggle("Another")
st.title("Pad")
with st.columns(2)[1] if elsewhere else st.container():
    drawn = drawing_pad("second" if another else "first")
st.text(f"{i18n.current()} {elsewhere} {another}")
if drawn is None:
    st.text("nothing")
else:
    rows, columns = (int(number) for number in drawn.nonzero()[0]), (int(number) for number in drawn.nonzero()[1])
    rows, columns = sorted(rows), sorted(columns)
    st.text(json.dumps([round(drawn.sum() / 255), columns[0], columns[-1], rows[0], rows[-1]]))
"""

ONE = [(56.0, 16.0), (56.0, 96.0)]
"""A 1, in pixels of the picture."""

WORDS = ["Undo", "Clear", "Draw a digit here"]


@pytest.fixture(scope="module")
def address(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pad")
    (folder / "pad.py").write_text(APP, "utf-8")
    port = driving.free_port()
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(folder / "pad.py"),
        f"--server.port={port}",
        "--server.headless=true",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    url = f"http://localhost:{port}"
    try:
        driving.until(lambda: server.poll() is not None or driving._healthy(url), "the server answers")
        yield url
    finally:
        server.terminate()
        server.wait(10)
    assert "Traceback" not in (folder / "log").read_text("utf-8")


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Page]:
    """One tab for all tests here: Streamlit's client comes from its cache after the first visit, five times as quickly."""
    visitors = Visitors(chromium)
    yield visitors.open()
    visitors.close()


@pytest.fixture
def page(tab: Page, address: str) -> Page:
    """A new session, as it is when nothing on the page moves any more."""
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="light")
    driving.visit(tab, address)
    expect(drawn(tab)).to_have_text("nothing")
    tab.evaluate("() => document.fonts.ready.then(() => true)")
    return tab


def pad(page: Page) -> Locator:
    return page.get_by_role("img")


def ink(page: Page) -> str | None:
    """Return the path that is shown."""
    return pad(page).locator("path").get_attribute("d")


def drawn(page: Page) -> Locator:
    """Return what Python says of the picture."""
    return page.locator("[data-testid=stText]").nth(1)


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the picture is on the page."""
    box = pad(page).bounding_box()
    assert box is not None
    return box["x"] + x / SIDE * box["width"], box["y"] + y / SIDE * box["height"]


def press(page: Page, points: list[tuple[float, float]]) -> None:
    """Draw with the mouse, and keep its button pressed."""
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=8)


def expected(start: tuple[float, float], end: tuple[float, float], width: float = 10) -> list[float]:
    """Return the ink, in pixels, the first and last column and the first and last row of a straight stroke with round ends."""
    a, b = np.array(start), np.array(end)
    centres = np.stack(np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5), axis=-1)
    along = np.clip((centres - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    distance = np.linalg.norm(centres - a - along[..., None] * (b - a), axis=-1)
    share = np.clip(width / 2 + 0.5 - distance, 0, 1)
    rows, columns = np.nonzero(np.round(255 * share))
    return [float(number) for number in (share.sum(), columns.min(), columns.max(), rows.min(), rows.max())]


def check(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Hold that Python's picture is one straight stroke, as far as the pointer can be placed."""
    expect(drawn(page)).to_contain_text("[")
    area, *edges = json.loads(drawn(page).inner_text())
    wanted, *wanted_edges = expected(start, end)
    assert area == pytest.approx(wanted, rel=0.02)
    assert edges == pytest.approx(wanted_edges, abs=1)


def test_a_mouse_draws_and_the_keyboard_takes_back(page: Page) -> None:
    hint = page.get_by_text("Draw a digit here")
    expect(hint).to_be_visible()
    press(page, ONE)
    expect(hint).to_be_hidden()
    page.mouse.up()
    # Neither Python's answer to the first stroke nor another theme ends the second, which is being drawn.
    press(page, [(20, 30), (20, 40)])
    check(page, *ONE)
    page.emulate_media(color_scheme="dark")
    expect(pad(page).locator("path")).to_have_css("stroke", "rgb(232, 235, 239)")
    first = drawn(page).inner_text()
    page.mouse.move(*place(page, 20, 60), steps=4)
    page.mouse.move(*place(page, -30, 60), steps=4)  # the pointer may leave the pad
    page.mouse.up()
    expect(drawn(page)).not_to_have_text(first)
    assert json.loads(drawn(page).inner_text())[1] == 0
    page.get_by_role("button", name="Undo").press("Enter")
    expect(drawn(page)).to_have_text(first)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(drawn(page)).to_have_text("nothing")
    expect(hint).to_be_visible()
    # The focus stays where it was, on a button that says it has nothing to do now.
    clear = page.get_by_role("button", name="Clear")
    expect(clear).to_be_focused()
    expect(clear).to_be_disabled()


def test_a_drawing_stays_until_the_key_is_another(page: Page) -> None:
    press(page, ONE)
    page.mouse.up()
    check(page, *ONE)
    said, shown = drawn(page).inner_text(), ink(page)
    try:
        i18n.use("zh_Hant")
        chinese = [i18n._(word) for word in WORDS]
    finally:
        i18n.use("en")
    state = page.locator("[data-testid=stText]").first
    page.get_by_text("Chinese").click()
    expect(state).to_have_text("zh_Hant False False")
    assert page.locator(".pad").locator("button, p").all_text_contents() == [chinese[2], *chinese[:2]]
    page.get_by_text("Elsewhere").click()  # Streamlit builds the element anew
    expect(state).to_have_text("zh_Hant True False")
    expect(pad(page).locator("path")).to_have_attribute("d", str(shown))
    assert drawn(page).inner_text() == said
    for another in ("True", "False"):  # the pad that was not on the page has been given up
        page.get_by_text("Another").click()
        expect(state).to_have_text(f"zh_Hant True {another}")
        expect(drawn(page)).to_have_text("nothing")
        assert ink(page) == ""
        expect(page.locator(".pad p")).to_be_visible()


def test_a_finger_draws_on_a_phone_and_nothing_scrolls(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    phone = page.context.new_cdp_session(page)
    phone.send("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 600, "deviceScaleFactor": 3, "mobile": True})
    phone.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [place(page, *point) for point in points]
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        phone.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    touch("touchStart", ONE[1])
    touch("touchMove", (56, 70))
    touch("touchStart", (56, 70), (20, 20))  # a second finger draws nothing
    touch("touchMove", ONE[0], (20, 60))
    touch("touchEnd")
    check(page, *ONE)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollTop") == 0
    for element in (page.locator("html"), main):
        wide, there = element.evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= there <= 390
    paper = page.locator(".paper")
    expect(paper).to_have_css("background-color", "rgb(11, 14, 18)")
    assert paper.evaluate("paper => [paper.offsetWidth, paper.offsetHeight]") == [280, 280]
