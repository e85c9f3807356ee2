"""Curves that fill in by themselves: zoom and hover stay, tabs share the connections, and a lost server is waited for.

The runs here train in no worker: their points are written by the test, so that it knows when each came.
"""

from __future__ import annotations

import itertools
import secrets
import signal
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import kdviz.store
from kdviz import presets
from kdviz.figures import curves
from kdviz.spec import RunSpec
from kdviz.store import Store, schema
from tests.browser import driving
from tests.browser.conftest import Open
from tests.browser.driving import Served, counts, until, visit

SPEC = RunSpec()
RECORD = presets.record("all-images")
STEPS = sorted({point["step"] for point in RECORD["points"]})
BOTH = ("hard labels", "distilled, T = 4")


@pytest.fixture(autouse=True)
def leases_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of the server does not take over what the test trains."""
    monkeypatch.setattr(kdviz.store, "LEASE_SECONDS", 3600.0)


class Training:
    """A run that the test trains: a preset's recorded points, an evaluation at a time."""

    def __init__(self, store: Store, evaluations: int = 0, preset: str = "all-images") -> None:
        self.store, self.id, self.at = store, secrets.token_hex(5), 0
        self.record = presets.record(preset)
        self.steps = sorted({point["step"] for point in self.record["points"]})
        with store.engine.begin() as connection:
            connection.execute(
                schema.runs.insert().values(
                    id=self.id, name="", spec=presets.PRESETS[preset].spec.to_json(), state="running", attempt=1,
                    lease_until=time.time() + 3600, stop_requested=False, created=time.time(), started=time.time(), step=0,
                    steps=self.steps[-1],
                )
            )  # fmt: skip
        self.go(evaluations)

    def go(self, evaluations: int = 1) -> None:
        for step in self.steps[self.at : self.at + evaluations]:
            new = [point for point in self.record["points"] if point["step"] == step]
            self.store.write(self.id, 1, new, step, self.steps[-1])
        self.at += evaluations

    def end(self) -> None:
        self.go(len(self.steps) - self.at)
        self.store.finish(self.id, 1, "done", self.record["result"])


def drawn(page: Page, evaluations: int) -> None:
    until(lambda: counts(page) == dict.fromkeys(BOTH, evaluations), f"{evaluations} evaluations are drawn", 30)


def ranges(page: Page) -> list[list[float]]:
    shown: list[list[float]] = page.evaluate(
        "() => ['xaxis', 'yaxis'].map(axis => [...document.querySelector('.js-plotly-plot')._fullLayout[axis].range])"
    )
    return shown


def traces(page: Page) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = page.evaluate("() => document.querySelector('.js-plotly-plot').data")
    return shown


def test_zoom_and_hover_stay_while_points_arrive(server: Served, visitor: Open) -> None:
    training = Training(server.store, 10)
    page = visitor()
    visit(page, f"{server.url}/distill?run={training.id}")
    drawn(page, 10)
    page.evaluate("window.scriptRuns = 0; new MutationObserver(() => window.scriptRuns++).observe("
                  "document.querySelector('[data-testid=stApp]'), {attributeFilter: ['data-test-script-state']})")  # fmt: skip
    plot = page.locator(".js-plotly-plot .nsewdrag")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    before = ranges(page)
    page.mouse.move(box["x"] + 20, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 250, steps=5)
    page.mouse.up()
    until(lambda: ranges(page) != before, "the figure is zoomed", 10)
    zoomed = ranges(page)
    page.mouse.move(box["x"] + 350, box["y"] + 150)
    label = page.locator(".js-plotly-plot .hoverlayer .legend")
    label.wait_for(timeout=10_000)
    told: list[str | None] = []  # on a busy machine the label of the place that the mouse came from stays for a moment

    def rests() -> bool:
        told.append(label.text_content())
        page.wait_for_timeout(300)
        return len(told) > 2 and told[-1] == told[-2] == told[-3]

    until(rests, "the label has found its place", 10)
    said = told[-1]
    assert said and "hard labels" in said and "%" in said
    for evaluations in (11, 12, 13):
        training.go()
        drawn(page, evaluations)
        assert ranges(page) == zoomed
        assert label.text_content() == said
    page.get_by_role("button", name="hard labels").click()
    training.go()
    drawn(page, 14)
    hidden = {trace["name"] for trace in traces(page) if not trace["visible"]}
    assert hidden == {"hard labels"}
    page.get_by_role("button", name="hard labels").click()
    assert page.evaluate("window.scriptRuns") == 0  # all without a rerun
    page.locator(".js-plotly-plot .nsewdrag").dblclick()
    until(lambda: ranges(page)[0] == before[0], "a double click shows all again", 10)
    zoom_by_keys(page, training, before)
    training.end()
    page.locator(".st-key-verdict h2").wait_for()
    drawn(page, len(STEPS))
    assert page.locator(".kdviz-curves .replay").is_visible()


def zoom_by_keys(page: Page, training: Training, whole: list[list[float]]) -> None:
    """Zoom without a mouse: nearer, earlier, all again; it stays while a point arrives, and the focus stays where it is."""
    (low, high), _height = whole
    group = page.get_by_role("group", name="Zoom")
    group.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("Enter")
    until(lambda: ranges(page)[0] == pytest.approx([low + (high - low) / 4, high - (high - low) / 4]), "it is nearer", 10)
    training.go()
    drawn(page, 15)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Earlier epochs"
    page.keyboard.press("Enter")
    until(lambda: ranges(page)[0] == pytest.approx([low, (low + high) / 2]), "it has gone back", 10)
    expect(group.get_by_role("status")).to_have_text(f"epochs {low:.3g} to {(low + high) / 2:.3g}")
    # The height is that of what is seen.
    seen = [
        y for one in traces(page) for x, y in zip(one["x"], one["y"], strict=True) if x <= (low + high) / 2
    ]  # fmt: skip
    bottom, top = ranges(page)[1]
    assert bottom < min(seen) < max(seen) < top and top - bottom < 2 * (max(seen) - min(seen))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(lambda: ranges(page)[0] == pytest.approx([low, high]), "all is shown again", 10)
    expect(group.get_by_role("status")).to_have_text("")


@pytest.mark.parametrize("metric", ["accuracy", "loss", "agreement", "kl"])
def test_what_is_drawn_is_what_python_gathers(server: Served, visitor: Open, metric: str) -> None:
    """The two that gather points, the browser and kdviz.figures.curves (which says them in words), agree."""
    page = visitor()
    visit(page, f"{server.url}/distill")
    page.get_by_role("button", name="All images").click()
    drawn(page, len(STEPS))
    page.locator(f"input[name=kdviz_metric][value={metric}] + span").click()
    columns = {"loss": ["loss_soft", "loss_hard"]}.get(metric, [metric])
    wanted = {}
    for series, column in itertools.product(curves.series(SPEC, "record"), columns):
        found = curves.curve(series, RECORD["points"], column)
        term = {"loss_soft": ": soft term", "loss_hard": ": hard term"}.get(column, "")
        if any(found.high):
            wanted[series.label + term] = found
    until(lambda: counts(page).keys() == wanted.keys(), "the metric is drawn", 10)
    for name, found in wanted.items():
        band, line = (trace for trace in traces(page) if trace["name"] == name)
        assert line["x"] == pytest.approx(found.epochs, abs=1e-6) and line["y"] == pytest.approx(found.mean, abs=1e-6)
        assert band["y"] == pytest.approx([*found.high, *found.low[::-1]], abs=1e-6)
    if metric == "accuracy":
        words = curves.in_words(list(wanted.values()), RECORD["result"]["teacher"]["accuracy"])
        assert page.locator(".js-plotly-plot").get_attribute("aria-label") == words
        low, high = ranges(page)[1]
        lows = [low for one in wanted.values() for when, low in zip(one.epochs, one.low, strict=True) if when >= SPEC.epochs / 16]
        assert 0.7 < low < min(lows) and high > 1  # where they differ fills the height
        page.locator("input[name=kdviz_scale][value=errors] + span").click()
        until(lambda: page.evaluate("document.querySelector('.js-plotly-plot')._fullLayout.yaxis.type") == "log", "it is log", 10)
        last = [trace["y"][-1] for trace in traces(page) if trace["mode"] == "lines+markers"]
        assert last == [curves.curve(series, RECORD["points"], "errors").mean[-1] for series in curves.series(SPEC, "record")]


def test_a_replay_goes_at_any_speed_and_to_any_moment(server: Served, visitor: Open) -> None:
    page = visitor()
    visit(page, f"{server.url}/distill")
    page.get_by_role("button", name="All images").click()
    drawn(page, len(STEPS))
    seconds = max(point["seconds"] for point in RECORD["points"])
    time_bar = page.locator(".kdviz-curves .time")
    time_bar.fill("500")  # half of the seconds
    done = [point for point in RECORD["points"] if point["seconds"] <= seconds / 2]
    half = {series.label: len(curves.curve(series, done).mean) for series in curves.series(SPEC, "record")}
    assert all(0 < count < len(STEPS) for count in half.values())
    until(lambda: counts(page) == half, "half of the run is drawn", 10)
    ends = page.locator(".kdviz-curves .ends")
    expect(ends).to_have_text("What is said below is how the run ended, not where the replay is.")
    page.locator(".kdviz-curves .speed").select_option("16")
    began = time.monotonic()
    page.locator(".kdviz-curves .play").click()
    drawn(page, len(STEPS))
    assert time.monotonic() - began < seconds / 2  # at its own speed it would have taken that
    expect(page.locator(".kdviz-curves .clock")).to_have_text(f"{seconds:.1f} of {seconds:.1f} s")
    expect(ends).to_have_text("")


def test_a_sweep_fills_in_and_is_replayed(server: Served, visitor: Open) -> None:
    def cells() -> list[str]:
        said: list[str] = page.evaluate(
            """() => (document.querySelector(".js-plotly-plot")?.data ?? []).flatMap(trace => trace.text ?? []).flat()
                .map(text => text.replace(/[\\u200b·]/g, "")).filter(Boolean)"""
        )
        return said

    training = Training(server.store, 0, "temperature-by-width")
    page = visitor()
    visit(page, f"{server.url}/distill?run={training.id}")
    page.get_by_text("0 of 24 cells have points").wait_for()
    training.go(6)
    until(lambda: len(cells()) > 0, "the map fills in", 30)
    training.end()
    page.locator(".st-key-verdict h2").wait_for()
    until(lambda: len(cells()) == 24, "the map is full", 30)
    whole = cells()
    bar = page.locator(".kdviz-curves .time")
    bar.fill("300")
    until(lambda: cells() != whole, "the map is that of an earlier moment", 30)
    page.get_by_text("cells have points").wait_for()
    bar.fill("1000")
    until(lambda: cells() == whole, "the map is the last one again", 30)


def test_a_tab_that_is_hidden_closes_its_stream(server: Served, visitor: Open) -> None:
    training = Training(server.store, 3)
    page = visitor()
    page.add_init_script(
        """
        window.streams = []
        const Real = EventSource
        window.EventSource = class extends Real { constructor(url) { super(url); window.streams.push(this) } }
        Object.defineProperty(document, "hidden", { get: () => window.away ?? false })
        window.look = away => { window.away = away; document.dispatchEvent(new Event("visibilitychange")) }
        """
    )
    visit(page, f"{server.url}/distill?run={training.id}")
    drawn(page, 3)
    until(lambda: page.evaluate("streams.map(stream => stream.readyState)") == [1], "one stream is open", 10)
    page.evaluate("look(true)")
    assert page.evaluate("streams.map(stream => stream.readyState)") == [2]
    training.go(2)
    time.sleep(0.5)
    assert set(counts(page).values()) == {3}
    page.evaluate("look(false)")
    drawn(page, 5)
    assert page.evaluate("streams.length") == 2
    last = server.store.points(training.id)[3 * len(SPEC.students) - 1]["id"]
    assert page.evaluate("decodeURIComponent(streams[1].url)").split("runs=")[1].startswith(f"{training.id}:{last}")
    training.end()


def test_eight_tabs_at_once_all_hear_of_every_point(server: Served, visitor: Open) -> None:
    training = Training(server.store, 2)
    first = visitor()
    tabs = [first, *(first.context.new_page() for _ in range(7))]
    for tab in tabs:
        visit(tab, f"{server.url}/distill?run={training.id}")
    for tab in tabs:
        drawn(tab, 2)
    training.go(3)
    for tab in tabs:
        drawn(tab, 5)
    training.end()
    for tab in tabs:
        tab.locator(".st-key-verdict h2").wait_for()
        drawn(tab, len(STEPS))


def test_after_a_restart_of_the_server_curves_go_on_by_themselves(chromium: Browser, tmp_path: Path) -> None:
    port = driving.free_port()
    page = chromium.new_context(locale="en-GB").new_page()
    with driving.serve(tmp_path, port, trains=False) as served:
        training = Training(served.store, 3)
        visit(page, f"{served.url}/distill?run={training.id}")
        drawn(page, 3)
        training.go()
        drawn(page, 4)
    news = page.locator(".kdviz-curves .news")
    expect(news).to_have_text("The connection is lost; trying again.")
    with driving.serve(tmp_path, port, trains=False) as served:
        training.store = served.store
        training.go(2)
        expect(news).to_have_text("Connected again.")
        drawn(page, 6)
        training.end()
        page.locator(".st-key-verdict h2").wait_for()
        drawn(page, len(STEPS))
    page.context.close()


def test_the_server_ends_within_three_seconds_while_streams_are_open(tmp_path: Path, chromium: Browser) -> None:
    with driving.serve(tmp_path, trains=False) as served:
        training = Training(served.store, 3)
        page = chromium.new_page()
        visit(page, f"{served.url}/distill?run={training.id}")
        with ExitStack() as streams:
            for _ in range(3):
                stream = streams.enter_context(
                    urllib.request.urlopen(f"{served.url}/kdviz/stream?runs={training.id}:0", timeout=30)
                )
                assert any(line.startswith(b"event: points") for line in iter(stream.readline, b""))
            began = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(10)
            assert time.monotonic() - began < 3
        page.close()
