"""The web process's memory: after the first page, after every page, and for each of many viewers.

Resident and proportional set sizes (RSS, PSS) as Linux counts them in /proc/PID/smaps_rollup; what is held against the target is
RSS, the larger. A viewer here is a session of Streamlit's protocol on Soft targets that has turned the page once; the memory per
viewer is what VIEWERS of them add, all connected, after a few that came first and warmed the caches.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from tests.benchmarks.ui.report import Row
from tests.benchmarks.ui.viewer import Viewer
from tests.browser import driving
from tests.browser.driving import Served

VIEWERS, FIRST = 60, 5
PAGES = ("distill", "teachers")


def measure(chromium: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, driving.serve(Path(folder)) as served:
        return asyncio.run(_measure(served))


async def _measure(served: Served) -> list[Row]:
    listening = resident(served.pid)
    await _look(served, "")
    first = resident(served.pid)
    async with contextlib.AsyncExitStack() as stack:
        before = first
        for number in range(FIRST + VIEWERS):
            if number == FIRST:
                before = resident(served.pid)
            viewer = await stack.enter_async_context(Viewer(served.url))
            await viewer.open()
            await viewer.rerun()
        after = resident(served.pid)
    for page in PAGES:
        await _look(served, page)
    every = resident(served.pid)
    return [
        Row("web process, listening: RSS", "MB", None, listening[0]),
        Row("web process, after the first page: RSS", "MB", 180, first[0]),
        Row("web process, after the first page: PSS", "MB", 180, first[1]),
        Row(f"memory of each of {VIEWERS} viewers: RSS", "MB", 1, (after[0] - before[0]) / VIEWERS),
        Row(f"web process, after {VIEWERS + FIRST + 1} viewers and every page: RSS", "MB", None, every[0]),
    ]


async def _look(served: Served, page: str) -> None:
    async with Viewer(served.url, page) as viewer:
        await viewer.open()


def resident(pid: int) -> tuple[float, float]:
    """Return a process's RSS and PSS in MB. Raises OSError where the system does not say."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    sizes = {name: float(size.split()[0]) / 1024 for name, size in (line.split(":", 1) for line in lines[1:])}
    return sizes["Rss"], sizes["Pss"]
