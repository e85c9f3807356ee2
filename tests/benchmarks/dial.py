"""How quickly the dial answers: `python -m tests.benchmarks.dial`.

Starts a server and a browser and turns the temperature of the first page, by 90 moves of a drag and by 60 single keys. For each
of the two prints how many moves were painted, and p50 and p95 of the milliseconds from the event to the end of the frame that
shows the other bars. Measures and prints; nothing fails for being slow.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import driving
from tests.browser.driving import visit

MOVES, KEYS = 90, 60

WATCH = """
dial => {
  dial.waited = []
  dial.drawing = []
  let since = null
  const bars = () => [...dial.querySelectorAll("[data-panel=at_T] .bar")].map(bar => bar.style.clipPath).join()
  const channel = new MessageChannel()
  let before = bars()
  // A message posted from the last callback of a frame is handled after that frame was painted.
  channel.port1.onmessage = ({ data }) => dial.waited.push(performance.now() - data)
  const begin = event => {
    since ??= event.timeStamp
    dial.began = performance.now()
  }
  dial.addEventListener("input", begin, true)
  dial.addEventListener("keydown", begin, true)
  for (const kind of ["input", "keydown"]) dial.addEventListener(kind, () => dial.drawing.push(performance.now() - dial.began))
  const look = () => {
    const now = bars()
    if (since !== null && now !== before) {
      channel.port2.postMessage(since)
      since = null
      before = now
    }
    requestAnimationFrame(look)
  }
  look()
}
"""


def report(page: Page, how: str, events: int) -> None:
    """Print what was seen since the last report."""
    seen = page.locator(".dial").evaluate("dial => [dial.waited.splice(0), dial.drawing.splice(0)]")
    waited, drawing = ([float(value) for value in values] for values in seen)
    figures = {
        "how": how,
        "events": events,
        "painted": len(waited),
        "p50_ms": round(statistics.median(waited), 1),
        "p95_ms": round(statistics.quantiles(waited, n=20, method="inclusive")[-1], 1),
        "script_p50_ms": round(statistics.median(drawing), 2),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures), flush=True)


def measure(page: Page) -> None:
    control = page.locator(".dial input[type=range]")
    page.locator(".dial").evaluate(WATCH)
    box = control.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 40, y)
    page.mouse.down()
    page.wait_for_timeout(500)
    page.locator(".dial").evaluate("dial => { dial.waited = []; dial.drawing = [] }")
    for step in range(1, MOVES + 1):
        page.mouse.move(box["x"] + 40 + step * (box["width"] - 80) / MOVES, y)
        page.wait_for_timeout(25)
    report(page, "drag", MOVES)
    page.mouse.up()
    page.wait_for_timeout(2000)
    control.press("Home")
    page.wait_for_timeout(2000)
    page.locator(".dial").evaluate("dial => { dial.waited = []; dial.drawing = [] }")
    for _key in range(KEYS):
        control.press("ArrowRight")
        page.wait_for_timeout(60)
    report(page, "keys", KEYS)


def main() -> int:
    path = driving.chromium()
    if path is None:
        print("no Chromium or Chrome is installed", file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as folder,
        driving.browser(path) as browser,
        driving.serve(Path(folder) / "served") as served,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        visit(page, f"{served.url}/?lang=en&dataset=digits")
        page.locator(".dial .row").first.wait_for()
        page.wait_for_timeout(3000)
        measure(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
