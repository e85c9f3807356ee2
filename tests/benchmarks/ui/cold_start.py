"""A cold start beside that of a bare Streamlit page, alternately: when the title is painted, and when the dial answers.

Each start is a server process that was not there before and a browser context with nothing in its cache; the browser and its
window are there already, and have done what a new window does of its own (Chromium loads a hundred files for its address bar).
All times count from the start of the process. The page is asked for as soon as the server says that it is healthy, which it is
asked every 50 ms. A script in the page looks at it before every frame: the title is painted in the first frame that has its
text, the dial answers in the first frame that shows another T than before the first key press. The key is pressed again and again
from the moment the dial is there, since one that comes before its script is lost. Both are held against the bare page's median
title of the same run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.benchmarks.ui import finger, report
from tests.benchmarks.ui.report import Row
from tests.browser import driving

STARTS = 7
BARE = 'import streamlit as st\n\nst.title("A bare page")\n'

SEEN = """
window.seen = {}
// Called before a frame is drawn: a message comes after it.
window.withThisFrame = what => {
  const channel = new MessageChannel()
  channel.port1.onmessage = () => (window.seen[what] ??= Date.now())
  channel.port2.postMessage(null)
}
const look = () => {
  if (document.querySelector("h1")?.textContent.trim()) window.withThisFrame("title")
  else requestAnimationFrame(look)
}
requestAnimationFrame(look)
"""
WINDOW_SECONDS = 2.0
"""How long a new window is left alone, until it has nothing more to do of its own."""


def measure(chromium: str) -> list[Row]:
    bare: list[float] = []
    titles: list[float] = []
    dials: list[float] = []
    with tempfile.TemporaryDirectory() as folder, driving.browser(chromium) as browser:
        script = Path(folder) / "bare.py"
        script.write_text(BARE, "utf-8")
        for number in range(STARTS):
            with _window(browser, SEEN) as page, _bare(script) as (url, began):
                page.goto(url, wait_until="commit")
                bare.append(_when(page, "title") - began)
            with _window(browser, SEEN + finger.DIAL) as page:
                began = time.time()
                with driving.serve(Path(folder) / str(number)) as served:
                    title, dial = _title_and_dial(page, served.url)
            titles.append(title - began)
            dials.append(dial - began)
    usual = report.median(bare)
    return [
        Row("bare Streamlit page: process start to title", "s", None, usual, bare),
        Row("kdviz: process start to title", "s", 1.2 * usual, report.median(titles), titles),
        Row("kdviz: process start to an answer of the dial", "s", 1.5 * usual, report.median(dials), dials),
        Row("title, times the bare page's", "x", 1.2, report.median(titles) / usual),
        Row("dial, times the bare page's title", "x", 1.5, report.median(dials) / usual),
    ]


@contextlib.contextmanager
def _bare(script: Path) -> Iterator[tuple[str, float]]:
    """Yield the address of a server of the bare page and when its process was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.address", "localhost"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options, "--browser.gatherUsageStats", "false"]
    began = time.time()
    server = subprocess.Popen(
        command, cwd=script.parent, env={**os.environ, "HOME": str(script.parent)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        driving.until(lambda: _healthy(f"http://localhost:{port}"), "the bare page's server answers")
        yield f"http://localhost:{port}", began
    finally:
        server.terminate()
        server.wait(10)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def _window(browser: Browser, script: str) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * driving.PATIENCE)
    context.add_init_script(script)
    page = context.new_page()
    page.wait_for_timeout(1000 * WINDOW_SECONDS)
    try:
        yield page
    finally:
        context.close()


def _title_and_dial(page: Page, url: str) -> tuple[float, float]:
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.drawn()")
    page.evaluate(
        """() => {
          const before = window.drawn()
          const look = () => {
            if (window.drawn() !== before) window.withThisFrame("dial")
            else requestAnimationFrame(look)
          }
          requestAnimationFrame(look)
        }"""
    )
    while not page.evaluate("() => { window.theDial()?.focus(); return window.seen.dial }"):
        page.keyboard.press("ArrowRight")
    return _when(page, "title"), _when(page, "dial")


def _when(page: Page, what: str) -> float:
    page.wait_for_function("what => window.seen[what]", arg=what)
    return float(page.evaluate("what => window.seen[what]", what)) / 1000
