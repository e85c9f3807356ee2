"""Sixty viewers of one live run while two workers train; and sixty viewers who turn T on Soft targets.

One of the sixty is a real Chromium, which says when a point is painted; the others are sessions of Streamlit's protocol in one
process of their own (`python -m tests.benchmarks.ui.crowd`), each with the stream of points that a page opens. They click one
after the other, each every PAUSE seconds: a click is a run of the whole page, and is answered when the server says that the run
is over. The server's processor time is that of its process, in per cent of one core. The lag counts from the moment at which a
point is in the store to the moment at which the viewer's process has read it, or the browser has painted it; what was there
before a viewer came does not count. On two cores the two workers, the server, Chromium and the crowd share what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Page
from streamlit.proto.WidgetStates_pb2 import WidgetState

from kdviz.spec import RunSpec
from kdviz.store import Store
from tests.benchmarks.ui.report import Row, spread
from tests.benchmarks.ui.viewer import Viewer
from tests.browser import driving
from tests.browser.driving import Served, until, visit
from tests.sources import ROOT

VIEWERS, SECONDS, PAUSE = 60, 40, 15
TURNED = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 20.0)
TRAINED = RunSpec(epochs=1000)

PAINTED = """
() => {
  window.painted = {}
  const look = () => {
    const curve = document.querySelector(".js-plotly-plot")?.data?.find(trace => trace.line?.dash === "dash")
    const points = curve?.x.length ?? 0
    if (points) window.painted[points] ??= Date.now() / 1000
    requestAnimationFrame(look)
  }
  look()
}
"""
"""Notes when the control's curve, known by its dash, first had n points; before a frame, so at most one frame early."""


def measure(chromium: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, driving.browser(chromium) as browser, _two_workers(folder) as served:
        page = browser.new_page()
        page.set_default_timeout(1000 * driving.PATIENCE)
        visit(page, f"{served.url}/?lang=en")
        until(served.engine_ready, "the engine is ready", 240)
        turning, turning_cpu = _play(served, VIEWERS, "")
        runs = [served.store.add_run(TRAINED) for _worker in range(2)]
        until(lambda: all(run is not None and run.step > 0 for run in map(served.store.run, runs)), "both runs train", 240)
        visit(page, f"{served.url}/distill?run={runs[0]}&lang=en")
        page.locator(".js-plotly-plot").first.wait_for()
        page.evaluate(PAINTED)
        watching, watching_cpu = _play(served, VIEWERS - 1, runs[0])
        painted = _painted(page, served.store, runs[0])
        for run_id in runs:
            served.store.request_stop(run_id)
        written = {point["id"]: point["written"] for point in served.store.points(runs[0])}
    read = [when - written[point] for point, when in watching["points"] if point in written]
    return [
        spread(f"{VIEWERS} viewers turn T, each every {PAUSE} s: release to answer", "ms", 100, _in_ms(turning["clicks"])),
        Row("  the server's processor time meanwhile", "% of a core", 25, turning_cpu),
        spread(f"{VIEWERS} viewers of a live run, two workers: click to answer", "ms", 100, _in_ms(watching["clicks"])),
        Row("  the server's processor time meanwhile", "% of a core", 25, watching_cpu),
        *([spread("  point in the store to its viewers", "ms", 300, _in_ms(read))] if read else []),
        *([spread("  point in the store to painted", "ms", 300, _in_ms(painted))] if painted else []),
    ]


@contextlib.contextmanager
def _two_workers(folder: str) -> Iterator[Served]:
    before = os.environ.get("KDVIZ_WORKERS")
    os.environ["KDVIZ_WORKERS"] = "2"
    try:
        with driving.serve(Path(folder)) as served:
            yield served
    finally:
        del os.environ["KDVIZ_WORKERS"]
        if before is not None:
            os.environ["KDVIZ_WORKERS"] = before


def _play(served: Served, viewers: int, run_id: str) -> tuple[dict[str, Any], float]:
    """Let a crowd view a run, or Soft targets, and return what it saw and the server's processor time in per cent of a core."""
    command = [sys.executable, "-m", "tests.benchmarks.ui.crowd", served.url, "--viewers", str(viewers), "--run", run_id]
    server = psutil.Process(served.pid)
    crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "all there\n", "every viewer has its page"
        began, spent = time.monotonic(), sum(server.cpu_times()[:2])
        seen = json.loads(crowd.stdout.readline())
        share = 100 * (sum(server.cpu_times()[:2]) - spent) / (time.monotonic() - began)
    finally:
        crowd.kill()
        crowd.communicate()
    return seen, share


def _painted(page: Page, store: Store, run_id: str) -> list[float]:
    """Return for each evaluation that came while the page was watched how long it took until it was drawn, in seconds."""
    drawn = {int(points): when for points, when in page.evaluate("() => window.painted").items()}
    steps: dict[int, float] = {}
    for point in store.points(run_id):
        steps[point["step"]] = max(point["written"], steps.get(point["step"], 0.0))
    written = [steps[step] for step in sorted(steps)]
    opened = min(drawn.values())
    lags = []
    for number, when in enumerate(written, start=1):
        later = [seen for points, seen in drawn.items() if points >= number]  # two may come in one frame
        if when > opened and later:
            lags.append(min(later) - when)
    return lags


def _in_ms(seconds: list[float]) -> list[float]:
    return [1000 * value for value in seconds]


# The crowd's own process.


async def play(url: str, viewers: int, run_id: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Be so many viewers for a while. Returns the seconds of each click, and when each point was read: [id, time]."""
    clicks: list[float] = []
    points: list[tuple[int, float]] = []
    async with contextlib.AsyncExitStack() as stack:
        there = []
        for _number in range(viewers):
            viewer = Viewer(url, "distill" if run_id else "", f"run={run_id}" if run_id else "")
            there.append(await stack.enter_async_context(viewer))
            await viewer.open()
        streams = [asyncio.create_task(_read(url, run_id, f"viewer{n}", points)) for n in range(viewers)] if run_id else []
        await asyncio.sleep(2)
        points.clear()
        print("all there", flush=True)
        end = time.monotonic() + seconds
        await asyncio.gather(*(_click(viewer, n * PAUSE / viewers, end, clicks) for n, viewer in enumerate(there)))
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return {"clicks": clicks, "points": points}


async def _click(viewer: Viewer, first: float, end: float, clicks: list[float]) -> None:
    """Click every PAUSE seconds: turn T where there is a dial, else have the page run again."""
    await asyncio.sleep(first)
    number = int(first * 7)
    while time.monotonic() < end:
        began = time.monotonic()
        clicks.append(await viewer.rerun(*([] if viewer.page else turn(viewer, TURNED[number % len(TURNED)]))))
        number += 1
        await asyncio.sleep(max(0.0, PAUSE - (time.monotonic() - began)))


def turn(viewer: Viewer, T: float) -> list[WidgetState]:
    """Return what the browser says when the dial is let go at T: an event of its component."""
    dial = viewer.widget("soft_targets_dial").id
    said = json.dumps([{"event": "T", "value": T}])
    return [WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{dial}__events", json_trigger_value=said)]


async def _read(url: str, run_id: str, browser: str, points: list[tuple[int, float]]) -> None:
    """Read the stream of a run's points and note when each came."""
    async for event, content in events(url, f"/kdviz/stream?runs={run_id}:0&browser={browser}"):
        if event == "points":
            now = time.time()
            points += [(row[0], now) for row in json.loads(content)["points"]]


async def events(url: str, path: str) -> AsyncIterator[tuple[str, str]]:
    """Yield the events of a stream of server-sent events, each its name and its data; none where there is no such stream."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 24)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            return
        event = ""
        while line := await reader.readline():
            # Sizes of chunks and headers lie between; neither looks like a field of an event.
            if line.startswith(b"event:"):
                event = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                yield event, line[5:].strip().decode()
    finally:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ui.crowd", description="So many viewers of a server.")
    parser.add_argument("url")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--run", default="", help="the run they look at; without one they turn T on Soft targets")
    asked = parser.parse_args()
    print(json.dumps(asyncio.run(play(asked.url, asked.viewers, asked.run))), flush=True)


if __name__ == "__main__":
    main()
