"""Both pages in a browser: the first paint, the language, the width of a phone, the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from kdviz.ui.galleries import SCALE
from tests.browser.conftest import Open
from tests.browser.driving import Served, counts, evaluations, settled, visit


def sentence(page: Page) -> str:
    """Return what Soft targets says about the image."""
    return page.locator(".sentence").inner_text()


def test_first_paint_shows_a_telling_answer(server: Served, visitor: Open) -> None:
    page = visitor()
    page.goto(server.url)
    page.locator(".sentence").wait_for()
    panels = ("label", "at_one", "at_T")
    assert [page.locator(f".dial [data-panel={panel}] .bar").count() for panel in panels] == [10, 10, 10]
    expect(page.get_by_role("slider", name="Temperature T")).to_be_in_viewport()
    expect(page.locator("[data-testid=stImage] img").first).to_be_visible()
    assert re.search(r"At T = [\d.]+ the teacher gives .* a share of [\d.]+%", sentence(page))


def test_language_is_kept_on_the_other_page_and_after_a_reload(server: Served, visitor: Open) -> None:
    page = visitor(locale="en-GB")
    visit(page, server.url)
    page.get_by_role("radio", name="中文").click()
    expect(page.locator("h1")).to_have_text("軟目標")
    assert "lang=zh_Hant" in page.url
    page.get_by_role("link", name="蒸餾").click()
    expect(page.locator("h1")).to_have_text("蒸餾")
    settled(page)
    assert "lang=zh_Hant" in page.url
    page.reload()
    expect(page.locator("h1")).to_have_text("蒸餾")
    page.locator("summary").first.click()
    conditions = page.locator(".st-key-spec_conditions")
    expect(conditions).to_contain_text("硬標籤")
    page.get_by_role("radio", name="EN").click()
    expect(page.locator("h1")).to_have_text("Distill")
    expect(conditions).to_contain_text("hard labels")  # the same choice, in the words of the language
    page.get_by_role("link", name="Soft targets").click()
    expect(page.locator("h1")).to_have_text("Soft targets")


@pytest.mark.parametrize(("scheme", "locale"), [("light", "zh-TW"), ("dark", "en-GB")])
def test_a_phone_shows_all_without_sideways_scrolling(server: Served, visitor: Open, scheme: str, locale: str) -> None:
    page = visitor(width=390, height=844, color_scheme=scheme, locale=locale)
    for address in ("/", "/distill", "/paper?experiment=misconceptions&predicted=most"):
        visit(page, server.url + address)
        page.locator(".dial .row, .js-plotly-plot").first.wait_for()
        for element in ("html", "[data-testid=stMain]"):
            wide, there = page.locator(element).evaluate("element => [element.scrollWidth, element.clientWidth]")
            assert wide <= there <= 390, (address, element)
        # The theme is the reader's.
        background = page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(11, 14, 18)"}[scheme]


def test_the_gallery_is_one_stop_of_the_tab_key_and_arrows_choose(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, server.url)
    page.get_by_role("radiogroup", name="Test images").wait_for()
    focused = "() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; "
    where = focused + "return at?.closest('.gallery') ? at.getAttribute('aria-label') : null }"
    for _press in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(where) is not None:
            break
    chosen = page.get_by_role("radiogroup", name="Test images").get_by_role("radio", checked=True)
    first = page.evaluate(where)
    assert first == chosen.get_attribute("aria-label")
    seen = {first}
    for key in ("ArrowRight", "ArrowDown", "End"):
        before = sentence(page)
        page.keyboard.press(key)
        expect(page.locator(".sentence")).not_to_have_text(before)
        settled(page)
        # The focus stays on the choice, so that the next arrow goes on from there.
        assert page.evaluate(where) == chosen.get_attribute("aria-label")
        assert page.evaluate(where) not in seen
        seen.add(page.evaluate(where))
    number = re.search(r"\d+", str(page.evaluate(where)))
    assert number is not None
    expect(page).to_have_url(re.compile(rf"[?&]image={number[0]}(&|$)"))
    page.keyboard.press("Home")
    expect(page.locator(".sentence")).to_be_visible()
    assert page.evaluate(where) == first


def test_temperature_turns_by_arrow_keys(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/?T=3")
    before = sentence(page)
    slider = page.get_by_role("slider")
    slider.focus()
    for _press in range(5):  # quicker than the page is computed
        page.keyboard.press("ArrowRight")
    T = SCALE[SCALE.index(3.0) + 5]
    expect(page.locator(".sentence")).to_contain_text(f"At T = {T:g}")
    assert sentence(page) != before
    expect(page).to_have_url(re.compile(rf"[?&]T={T:g}(&|$)"))


def test_distill_shows_a_recorded_run_before_any_is_started(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/distill")
    page.locator(".js-plotly-plot").wait_for()
    assert counts(page) == dict.fromkeys(("hard labels", "distilled, T = 8"), evaluations("few-labels"))
    expect(page.get_by_text("95% interval")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
