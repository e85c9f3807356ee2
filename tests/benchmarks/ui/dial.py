"""The dial under the hand: from each move or key to its frame, and from letting go to T in the link and in Python.

Real mouse moves and keys through Chromium's own input, 60 a second as a hand's, on Soft targets of digits. An input counts from
the browser's stamp of the move or key until the task that follows the frame which shows its value (finger.py). The first drag and
the first keys warm up and do not count. Letting go counts from `pointerup` until the address of the page has another T, and until
the browser has heard that the script's run with it is over, which is later than the moment at which Python has T.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page

from tests.benchmarks.ui import finger
from tests.benchmarks.ui.report import Row, spread
from tests.browser import driving

DRAGS, MOVES, STEPS, RELEASES = 4, 90, 60, 20
FRAME, NEVER = 1 / 60, 10.0  # seconds


def measure(chromium: str) -> list[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        driving.browser(chromium) as browser,
        driving.serve(Path(folder)) as served,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * driving.PATIENCE)
        page.add_init_script(finger.DIAL + finger.WATCH)
        driving.visit(page, f"{served.url}/?T=3&lang=en")
        page.wait_for_function("() => window.drawn()")
        driving.until(served.engine_ready, "the engine is ready and leaves the processor alone", 240)
        moves = [each for n in range(DRAGS + 1) for each in drag(page, MOVES) if n]
        steps = press(page, STEPS + 5)[5:]
        arrived = [when for n in range(RELEASES) if (when := release(page, n)) is not None]
    painted = [each for each in moves if each["changed"] and not each["overtaken"]]
    return [
        Row("drag: inputs that were painted", "%", 95, 100 * len(painted) / len(moves), least=True),
        spread("drag: input to painted", "ms", 17, [each["painted"] - each["at"] for each in painted]),
        spread("single step: key to painted", "ms", 25, [each["painted"] - each["at"] for each in steps if each["changed"]]),
        Row("releases after which the link had T", "%", 100, 100 * len(arrived) / RELEASES, least=True),
        spread("release to T in the link", "ms", 150, [each["link"] - each["at"] for each in arrived]),
        spread("release to the end of Python's run", "ms", 150, [each["ran"] - each["at"] for each in arrived]),
    ]


def drag(page: Page, moves: int) -> list[dict[str, Any]]:
    """Take the dial and move it to and fro, then let go. Returns its inputs."""
    x, y, width = _thumb(page)
    page.evaluate("() => { window.inputs = [] }")
    page.mouse.move(x, y)
    page.mouse.down()
    for n in range(1, moves + 1):
        began = time.perf_counter()
        page.mouse.move(x + width * 0.4 * (1 - abs(1 - 2 * n / moves)), y)
        time.sleep(max(0.0, FRAME - (time.perf_counter() - began)))
    page.mouse.up()
    time.sleep(0.5)
    inputs: list[dict[str, Any]] = page.evaluate("() => window.inputs")
    return [each for each in inputs if each["kind"] == "input"]


def press(page: Page, steps: int) -> list[dict[str, Any]]:
    """Press an arrow key again and again, up and down the scale. Returns the inputs."""
    page.evaluate("() => { window.theDial().focus(); window.inputs = [] }")
    for n in range(steps):
        page.keyboard.press("ArrowRight" if n // 10 % 2 == 0 else "ArrowLeft")
        time.sleep(0.08)
    time.sleep(0.5)
    inputs: list[dict[str, Any]] = page.evaluate("() => window.inputs")
    return [each for each in inputs if each["kind"] == "keydown"]


def release(page: Page, number: int) -> dict[str, float] | None:
    """Move the dial a little, let go, and wait until link and Python have T. Returns when each was, in ms, or None if never."""
    x, y, width = _thumb(page)
    page.mouse.move(x, y)
    page.mouse.down()
    for n in range(1, 6):
        page.mouse.move(x + width * 0.02 * n * (1 if number % 2 else -1), y)
        time.sleep(FRAME)
    page.mouse.up()
    with contextlib.suppress(Error):
        page.wait_for_function("() => window.releases.at(-1).link && window.releases.at(-1).ran", timeout=1000 * NEVER)
    time.sleep(0.4)
    when: dict[str, float] = page.evaluate("() => window.releases.at(-1)")
    return when if when["link"] and when["ran"] else None


def _thumb(page: Page) -> tuple[float, float, float]:
    """Return where the dial's thumb is on the screen and how wide its track."""
    x, y, width = page.evaluate(
        """() => {
          const dial = window.theDial()
          dial.scrollIntoView({ block: "center" })
          const box = dial.getBoundingClientRect()
          const thumb = Math.min(box.height, 24)  // as wide as it is high, about
          const at = (dial.value - dial.min) / (dial.max - dial.min)
          return [box.x + thumb / 2 + at * (box.width - thumb), box.y + box.height / 2, box.width]
        }"""
    )
    return float(x), float(y), float(width)
