"""A run in the browser: started, watched while it trains, stopped, kept, compared; and what it leaves in the web process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kdviz import stats
from kdviz.spec import RunSpec
from tests.browser.conftest import Finished, Open
from tests.browser.driving import Served, counts, evaluations, run_in_link, settled, until, visit
from tests.browser.test_languages import hold, menus, texts


def test_each_evaluation_comes_to_the_screen(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nDistill, all images: {finished.lag.figures()}")
    assert len(finished.lag.written) == evaluations("all-images")
    assert None not in finished.lag.painted


def test_progress_is_said_in_steps_and_seconds(finished: Finished) -> None:
    assert any(re.search(r"step [\d,]+ of 4,500, about \d+ s left", said) for said in finished.progress)


def test_verdict_is_that_of_the_store(server: Served, finished: Finished) -> None:
    run = server.store.run(finished.run_id)
    assert run is not None and run.state == "done" and run.result is not None
    assert run.spec == RunSpec()
    comparison = run.result["comparisons"][0]
    known = {name: comparison[name] for name in ("mean", "low", "high", "verdict", "seeds", "seeds_better")}
    assert stats.sentence(stats.Difference(**known)) in finished.text
    assert "Earlier runs" in finished.text


def test_a_link_shows_the_finished_run(server: Served, visitor: Open, finished: Finished) -> None:
    page = visitor()
    visit(page, f"{server.url}/distill?run={finished.run_id}")
    page.locator(".js-plotly-plot").first.wait_for()
    assert counts(page) == dict.fromkeys(("hard labels", "distilled, T = 4"), evaluations("all-images"))
    assert page.locator(".st-key-verdict h2").inner_text() in finished.text
    table = page.get_by_test_id("stDataFrame")
    for words in ("teacher (cnn)", "hard labels", "distilled, T = 4", "agreement with the teacher", "99.17%"):
        expect(table).to_contain_text(words)


def test_a_run_is_found_again_after_a_reload_and_stops_when_told(server: Served, visitor: Open) -> None:
    """In Chinese, so that what is said while a run waits and trains is read as well."""
    page = visitor(locale="zh-TW")
    visit(page, f"{server.url}/distill")
    page.locator(".st-key-preset_few-labels button").click()
    settled(page)
    page.locator("details > summary").first.click()
    page.locator(".st-key-spec_epochs input").fill("1000")
    page.locator(".st-key-spec_epochs input").press("Enter")
    settled(page)
    page.locator(".st-key-start button").click()
    run_id = run_in_link(page)
    said = texts(page)
    until(lambda: 2 <= counts(page).get("硬標籤", 0) < evaluations("few-labels"), "the second evaluation is drawn")
    said |= texts(page)
    expect(page.locator(".kdviz-curves .step")).to_contain_text("步")
    page.reload()
    page.locator(".js-plotly-plot").first.wait_for()
    assert run_in_link(page) == run_id
    until(lambda: counts(page).get("硬標籤", 0) >= 2, "the points are there again")
    assert page.locator(".st-key-start button").is_disabled()
    page.locator(f".st-key-stop_{run_id} button").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("停止")
    run = server.store.run(run_id)
    assert run is not None and run.state == "stopped" and 0 < run.step < run.steps
    kept = len({point["step"] for point in server.store.points(run_id)})
    until(lambda: counts(page).get("硬標籤") == kept, "every point of the stopped run is drawn")
    settled(page)
    hold(said | texts(page))
    expect(page.locator(".st-key-start button")).to_be_enabled()


def place(page: Page, run_id: str) -> int:
    """Return where a run stands in the list, from 0."""
    entries = page.locator("[class*='st-key-open_']").evaluate_all("all => all.map(one => one.className)")
    return next(number for number, names in enumerate(entries) if f"st-key-open_{run_id}" in names)


def test_runs_are_renamed_laid_over_each_other_and_deleted(server: Served, visitor: Open, finished: Finished) -> None:
    store = server.store
    other = store.add_run(RunSpec(student=("linear",), fraction=(0.2,), epochs=20, seeds=2))
    until(lambda: (run := store.run(other)) is not None and run.over, "the small run is over", 280)
    page = visitor()
    visit(page, f"{server.url}/distill?run={other}")
    page.locator(".js-plotly-plot").first.wait_for()
    if (older := page.locator("summary", has_text="Older runs")).count():  # where other tests have trained more
        older.click()
    entry = page.locator(f".st-key-open_{finished.run_id}")
    expect(entry).to_contain_text("digits, teacher cnn, student mlp-30-30, T = 4, 5 seeds, 100 epochs")

    menus(page).nth(place(page, finished.run_id)).click()
    name = page.locator(f".st-key-name_{finished.run_id} input")
    name.fill("30 + 30")
    name.press("Enter")
    expect(entry).to_contain_text("30 + 30")
    assert [run.name for run in store.runs() if run.id == finished.run_id] == ["30 + 30"]
    page.keyboard.press("Escape")

    own = evaluations("all-images")
    page.locator(f".st-key-overlay_{finished.run_id} label").click()
    until(lambda: counts(page).get("30 + 30: hard labels") == own, "the other run lies over this one")
    assert counts(page)["hard labels"] == len({point["step"] for point in store.points(other)})
    page.locator(f".st-key-overlay_{finished.run_id} label").click()
    until(lambda: "30 + 30: hard labels" not in counts(page), "the other run is gone again")

    menus(page).nth(place(page, other)).click()
    page.locator(f".st-key-delete_{other} button").click()
    page.locator(f".st-key-open_{other}").wait_for(state="detached")
    assert store.run(other) is None and not store.points(other)
    until(lambda: "run=" not in page.evaluate("location.search"), "the link names no run")
    expect(page.locator(".st-key-verdict h2")).to_contain_text("95% interval")  # the recorded run again
    assert store.run(finished.run_id) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says in /proc what a process has loaded")
def test_the_web_process_loads_no_torch(server: Served, visitor: Open, finished: Finished) -> None:
    page = visitor()
    visit(page, server.url)
    visit(page, f"{server.url}/distill?run={finished.run_id}")
    page.locator(".js-plotly-plot").first.wait_for()
    mapped = Path(f"/proc/{server.pid}/maps").read_text("utf-8")
    files = {line.split(maxsplit=5)[5] for line in mapped.splitlines() if len(line.split(maxsplit=5)) == 6}
    assert any("numpy" in file for file in files)
    assert not [file for file in files if re.search(r"torch|sklearn|distributed", file)]
