"""The app's side of the engine: adopts one that lives, starts one where none does, again if it dies.

It must weigh nothing in a web process that has not painted a page yet: neither the store nor Dask is imported with it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from kdviz import settings

log = logging.getLogger("kdviz.engine")

REST_SECONDS = 5.0
"""How long a new server leaves the runs of an earlier one alone, so that a visitor who opens it is served first."""
PAINT_SECONDS = 1.0
"""From the first page's end in Python until the engine starts: the browser draws meanwhile, and needs the same processor."""

MISTAKE, MISTAKE_SECONDS = 2, 30.0
"""The exit status of an engine that a user's mistake ended, said in its log, and how long until it may have been mended."""


def file(store_url: str, ending: str) -> Path:
    """Return the path of a store's lock, log or sign of life."""
    return settings.state_folder() / f"engine-{hashlib.sha256(store_url.encode()).hexdigest()[:10]}.{ending}"


class Keeper(threading.Thread):
    """Keeps an engine alive while the app lives."""

    def __init__(self, store_url: str) -> None:
        super().__init__(name="engine-keeper", daemon=True)
        self.url = store_url
        self.wanted = threading.Event()
        self.ended = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        if self.wanted.wait(REST_SECONDS):
            self.ended.wait(PAINT_SECONDS)
        else:
            self._wait_for_work()
        alive = file(self.url, "alive")
        while not self.ended.is_set():
            try:
                alive.touch()
                running = self.child is not None and self.child.poll() is None
                if not running and not _locked(file(self.url, "lock")):
                    if self.child is not None and self.child.returncode == MISTAKE:
                        self.ended.wait(MISTAKE_SECONDS)
                    self.child = self._start()
            except Exception:
                log.exception("the engine could not be started; trying again")
            self.ended.wait(2.0)

    def _wait_for_work(self) -> None:
        """Wait for the first page; runs that an earlier server left behind do not wait for a visitor."""
        from kdviz.store import open_store  # SQLAlchemy, which the first page does without

        store = open_store(self.url)
        while not self.ended.is_set() and not any(not run.over for run in store.runs(limit=20)):
            if self.wanted.wait(1.0):
                return

    def _start(self) -> subprocess.Popen[bytes]:
        """Start an engine in a session of its own, so that it outlives this server; its words go to a log file."""
        with file(self.url, "log").open("ab") as words:
            return subprocess.Popen(
                [sys.executable, "-m", "kdviz", "engine", "--for-app"],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True,
                cwd=Path(__file__).resolve().parent.parent,
                env={**os.environ, "KDVIZ_STORE": self.url},
            )  # fmt: skip


def _locked(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
