"""Fixtures of the browser tests: one server and one Chromium for all of them, a fresh visitor for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.benchmarks import live_lag
from tests.benchmarks.live_lag import Lag
from tests.browser import driving
from tests.browser.driving import PATIENCE, Served

LOOPBACK = {"localhost", "127.0.0.1", "::1"}

PROBED = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit's client looks for its server below the address of each page first, and is told 404 there before it finds it."""

Open = Callable[..., Page]

expect.set_options(timeout=PATIENCE * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = driving.chromium()
    if path is None:
        reason = "no Chromium or Chrome is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI=true asks for the browser tests")
        pytest.skip(reason)
    with driving.browser(path) as opened:
        yield opened


@pytest.fixture(scope="package")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """kdviz, with nothing in its store when the first test comes; asked for after the browser, without which it is of no use."""
    with driving.serve(tmp_path_factory.mktemp("served")) as served:
        yield served


class Visitors:
    """Opens pages, each in a session of its own, and remembers what went wrong in them."""

    def __init__(self, chromium: Browser) -> None:
        self.chromium = chromium
        self.wrong: list[str] = []
        self.pages: list[Page] = []

    def open(self, locale: str = "en-GB", color_scheme: Any = "light", width: int = 1280, height: int = 900) -> Page:
        context = self.chromium.new_context(locale=locale, color_scheme=color_scheme, viewport={"width": width, "height": height})
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("pageerror", lambda error: self.wrong.append(f"an error in the page: {error}"))
        page.on("console", self._said)
        self.pages.append(page)
        return page

    def close(self) -> None:
        """Close every page. Raises AssertionError where one said an error or asked another machine for something."""
        for page in self.pages:
            if page.locator("[data-testid=stException]").count():
                self.wrong.append(f"an exception on {page.url}")
            page.context.close()
        assert not self.wrong

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname not in LOOPBACK:
            self.wrong.append(f"a request to another machine: {url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith(PROBED):
            self.wrong.append(f"the console: {message.text} ({message.location['url']})")


@pytest.fixture(scope="package")
def log_read() -> list[int]:
    """How much of the server's log has been looked at."""
    return [0]


@pytest.fixture
def visitor(chromium: Browser, server: Served, log_read: list[int]) -> Iterator[Open]:
    """Opens a page with a locale, a colour scheme and a width; each must keep to this machine and say no error."""
    visitors = Visitors(chromium)
    yield visitors.open
    visitors.close()
    said = server.log.read_text("utf-8", errors="replace")
    new, log_read[0] = said[log_read[0] :], len(said)
    assert "Traceback" not in new, new


@dataclass(frozen=True)
class Finished:
    """A run of the preset "All images" that was started in a page and watched to its end there.

    lag: what was seen when; progress: what the page said of its progress; text: all it said at the end.
    """

    run_id: str
    lag: Lag
    progress: list[str]
    text: str


@pytest.fixture(scope="package")
def finished(chromium: Browser, server: Served) -> Finished:
    visitors = Visitors(chromium)
    page = visitors.open()
    driving.visit(page, f"{server.url}/distill")
    live_lag.warm(server)
    run_id, lag = live_lag.run_all_images(page, server)
    driving.settled(page)
    said = page.evaluate("() => window.progress")
    text = page.locator("[data-testid=stMain]").inner_text()
    visitors.close()
    return Finished(run_id, lag, said, text)
