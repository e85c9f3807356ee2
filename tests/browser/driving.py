"""kdviz as a person has it: a server of its own on this machine, and a real Chromium to look at it with. Knows no test.

Whatever a server here starts ends with it: the engine, too, which is made to outlive the server of a person.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from kdviz import engine, presets
from kdviz.store import Store, open_store
from tests.sources import ROOT

Found = TypeVar("Found")

PATIENCE = 120
"""Seconds until something that does not come is given up; a busy machine is slow, and nothing here waits longer than needed."""

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def until(condition: Callable[[], Found], what: str, seconds: float = PATIENCE) -> Found:
    """Ask again and again until the answer is true, and return it. Raises TimeoutError, which says what did not come."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
    return answer


@dataclass(frozen=True)
class Served:
    """A running server. url: without a slash at its end; log: where its words go."""

    url: str
    process: subprocess.Popen[bytes]
    store_url: str
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def store(self) -> Store:
        return open_store(self.store_url)

    def engine_ready(self) -> bool:
        return engine.state(self.store) == "ready"


@contextlib.contextmanager
def serve(folder: Path, port: int | None = None, trains: bool = True) -> Iterator[Served]:
    """Start kdviz with all it writes under a folder and an empty KDVIZ_DATA, without a network, and end it and its engine.

    port: a free one if it is not given; trains: whether there is to be an engine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, log, store_url = port or free_port(), folder / "server.log", f"sqlite:///{folder / 'kdviz.sqlite'}"
    nowhere = "http://127.0.0.1:9"  # a proxy that is not there: whatever asks the network gets no answer, on every machine
    environment = {
        **os.environ,
        "KDVIZ_DATA": str(folder / "images"),
        "KDVIZ_STORE": store_url,
        **{f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "STATE")},
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), nowhere),
        "no_proxy": "localhost,127.0.0.1",
        **({} if trains else {"KDVIZ_SCHEDULER": "none"}),  # no address: the server says so, and starts no engine
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless", "true"]
    with log.open("wb") as words:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    served = Served(f"http://localhost:{port}", server, store_url, log)
    try:
        until(lambda: server.poll() is not None or _healthy(served.url), "the server answers")
        assert server.poll() is None, log.read_text("utf-8")
        yield served
    finally:
        if server.poll() is None:
            server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
        _end_engine(served.store)


@contextlib.contextmanager
def app_in_chromium(width: int = 1280, height: int = 720) -> Iterator[tuple[Page, Served, Path]]:
    """Yield a page of Chromium, kdviz to open in it, and an empty folder, for a script; without a browser the script ends."""
    path = chromium()
    if path is None:
        print("no Chromium or Chrome is installed", file=sys.stderr)
        raise SystemExit(2)
    with tempfile.TemporaryDirectory() as folder, browser(path) as opened, serve(Path(folder) / "served") as served:
        given = Path(folder) / "given"
        given.mkdir()
        page = opened.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(1000 * PATIENCE)
        yield page, served, given


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end_engine(store: Store) -> None:
    """End the engine of a store and its workers: asked first, and forced where that takes long."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in _processes_of(store):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        with contextlib.suppress(TimeoutError):
            until(lambda: not _processes_of(store), "the engine ends", 15)
            break
    store.close()


def _processes_of(store: Store) -> list[int]:
    """Return the engine of a store, which need not have said yet that it is there, and, on Linux, its workers."""
    proc = Path("/proc")
    if not (proc / "self" / "environ").is_file():
        said = store.fact(engine.STATE)
        return [said["pid"]] if said and _lives(said["pid"]) else []
    mine = f"KDVIZ_STORE={store.url}".encode()
    found = []
    for folder in proc.iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is not ours
            if folder.name.isdecimal() and int(folder.name) != os.getpid():
                environment = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes()
                if mine in environment and b"python" in command:
                    found.append(int(folder.name))
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


# What a person does and sees.


def visit(page: Page, address: str) -> None:
    """Open an address and wait until its page stands."""
    page.goto(address)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page has its title and its script has run to the end."""
    page.locator("h1").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def run_in_link(page: Page) -> str:
    """Wait until the page's link names a run, and return its id."""
    page.wait_for_url(re.compile(r"[?&]run="))
    return parse_qs(urlsplit(page.url).query)["run"][0]


def evaluations(preset: str) -> int:
    """Return how often the students of a preset's record were judged."""
    return len({point["step"] for point in presets.record(preset)["points"]})


def counts(page: Page) -> dict[str, int]:
    """Return how many points each curve of the learning curves has, by its name."""
    shown: dict[str, int] = page.evaluate(
        """() => Object.fromEntries(
            (document.querySelector(".js-plotly-plot")?.data ?? [])
                .filter(trace => trace.mode === "lines+markers")
                .map(trace => [trace.name, trace.x.length]))"""
    )
    return shown
