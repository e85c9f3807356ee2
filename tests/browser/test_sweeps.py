"""A sweep in the browser: chosen, started, watched while its map fills, and read on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from kdviz.spec import RunSpec
from tests.browser.conftest import Open
from tests.browser.driving import Served, run_in_link, settled, until, visit
from tests.browser.test_languages import hold, texts

WATCH = """
() => {
  window.maps = []
  const look = () => {
    const traces = document.querySelector(".js-plotly-plot")?.data ?? []
    const said = traces.flatMap(trace => trace.text ?? []).flat().map(text => text.replace(/[\\u200b·]/g, "")).filter(Boolean)
    const training = !!document.querySelector(".kdviz-curves .progress:not([hidden])")
    if (training && JSON.stringify(said) !== JSON.stringify(window.maps.at(-1))) window.maps.push(said)
    requestAnimationFrame(look)
  }
  look()
}
"""
"""Notes in `window.maps` what the map says, each time that it says something else, while the page shows a progress."""


def sweep_side(page: Page) -> None:
    page.locator(".st-key-distill_kind").get_by_role("radio").last.click()
    page.locator(".st-key-preset_temperature-by-width [data-testid=stBaseButton-primary]").wait_for()
    settled(page)


def fill(page: Page, knob: str, value: str) -> None:
    page.locator(f".st-key-spec_{knob} input").fill(value)
    page.locator(f".st-key-spec_{knob} input").press("Enter")
    settled(page)


def test_a_sweep_is_started_and_its_map_fills(server: Served, visitor: Open) -> None:
    """In Chinese, so that what is said while a sweep trains is read as well."""
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/distill")
    until(server.engine_ready, "the engine is ready", 240)
    sweep_side(page)
    page.locator("details > summary").first.click()
    student = page.locator(".st-key-spec_student input")
    student.press("Backspace")
    expect(page.locator(".st-key-spec_student")).not_to_contain_text("mlp-64")
    settled(page)
    fill(page, "temperature", "2, 8")
    fill(page, "seeds", "2")
    fill(page, "epochs", "60")
    page.evaluate(WATCH)
    page.locator(".st-key-start button").click()
    run_id = run_in_link(page)
    expect(page.get_by_text("信賴區間在結束時才有")).to_be_visible()
    said = texts(page)
    expect(page.locator(".st-key-verdict h2")).to_contain_text("4 種設定中，蒸餾在")
    run = server.store.run(run_id)
    assert run is not None and run.state == "done" and run.result is not None
    assert run.spec == RunSpec(student=("mlp-8", "mlp-16"), temperature=(2.0, 8.0), seeds=2, epochs=60)
    verdicts = [comparison["verdict"] for comparison in run.result["comparisons"]]
    counted = [len(verdicts), *map(verdicts.count, ("helps", "harms", "no visible difference"))]
    assert [int(number) for number in re.findall(r"\d+", page.locator(".st-key-verdict h2").inner_text())] == counted
    maps = page.evaluate("() => window.maps")  # the recorded sweep, of 24 cells, may stand there for a moment
    assert sum(0 < len(written) <= 4 for written in maps) >= 2, maps  # it was seen to change before the end
    expect(page.get_by_text("信賴區間在結束時才有")).to_have_count(0)
    expect(page.locator(".js-plotly-plot")).to_have_count(1 + 2)
    settled(page)
    hold((said | texts(page)) - {other.name for other in server.store.runs()})  # a name is the reader's own


@pytest.mark.parametrize(("scheme", "locale"), [("light", "zh-TW"), ("dark", "en-GB")])
def test_a_phone_shows_a_sweep_without_sideways_scrolling(server: Served, visitor: Open, scheme: str, locale: str) -> None:
    page = visitor(locale=locale, width=390, height=844, color_scheme=scheme)
    visit(page, f"{server.url}/distill")
    sweep_side(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(1 + 3)
    page.locator(".st-key-sweep_table summary").click()  # every cell in numbers
    page.get_by_test_id("stDataFrame").wait_for()
    for element in ("html", "[data-testid=stMain]"):
        wide, there = page.locator(element).evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert wide <= there <= 390, element
    for plot in page.locator(".js-plotly-plot").all():
        box = plot.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert not plot.evaluate(
            """plot => [...plot.querySelectorAll("text")].map(text => text.getBoundingClientRect())
                .filter(box => box.width && (box.left < 0 || box.right > innerWidth)).length"""
        )
    # In another language it is the same side still.
    page.get_by_role("radio", name="中文" if locale == "en-GB" else "EN").click()
    expect(page.locator("h1")).to_have_text("蒸餾" if locale == "en-GB" else "Distill")
    settled(page)
    expect(page.locator(".st-key-preset_temperature-by-width button")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1 + 3)
