"""The pieces of tests.benchmarks.ui: its table, its quantiles, its viewer. How fast anything is, no test says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="the benchmarks are for who has the tools of requirements-dev.txt")

from tests.benchmarks.ui import crowd, memory
from tests.benchmarks.ui.report import Row, machine, quantile, spread, table
from tests.benchmarks.ui.viewer import Viewer
from tests.browser import driving


def test_a_quantile_lies_between_the_order_statistics() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([0.0, 10.0], 0.95) == pytest.approx(9.5)
    assert quantile([7.0], 0.95) == 7.0


def test_the_table_says_what_was_met_and_what_was_missed() -> None:
    shown = table(
        [
            spread("a drag", "ms", 17, [10.0, 12.0]),
            Row("painted", "%", 95, 90.0, least=True),
            Row("of interest", "MB", None, 123.4),
        ]
    ).splitlines()
    assert len({line.find("met") for line in shown if line.endswith("met")}) == 1
    assert shown[2].split() == ["a", "drag", "<=", "17", "ms", "11.9", "ms", "11", "11.9", "2", "met"]
    assert shown[3].endswith("missed") and ">= 95 %" in shown[3]
    assert shown[4].split() == ["of", "interest", "123", "MB"]
    assert "load average" in machine()


def test_a_viewer_gets_a_page_and_clicks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDVIZ_SCHEDULER", "none")  # no address: the server says so, and starts no engine

    async def look(url: str) -> None:
        async with Viewer(url) as viewer, Viewer(url, "distill") as other:
            assert await viewer.open() > 0
            assert "Soft targets" in viewer.texts()
            first = viewer.bytes
            assert await viewer.rerun() > 0
            assert 0 < viewer.bytes - first < first, "what it knows is not sent again"
            with pytest.raises(KeyError, match="no widget nothing on /"):
                viewer.widget("nothing")
            await other.open()
            assert "Distill" in other.texts()
            assert other.widget("distill_kind").id

    with driving.serve(tmp_path / "served") as served:
        asyncio.run(look(served.url))
        seen = asyncio.run(crowd.play(served.url, 2, "", 0.0))
        rss, pss = memory.resident(served.pid)
    assert seen == {"clicks": [], "points": []}
    assert 30 < pss <= rss < 1000


def test_events_of_a_stream_are_read_by_their_fields() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = "HTTP/1.1 200 OK||: kdviz||event: points|data: {}||event: end|data: 1||"
        writer.write(said.replace("|", "\r\n").encode())
        writer.close()

    async def read() -> list[tuple[str, str]]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return [event async for event in crowd.events(f"http://127.0.0.1:{port}", "/")]

    assert asyncio.run(read()) == [("points", "{}"), ("end", "1")]
