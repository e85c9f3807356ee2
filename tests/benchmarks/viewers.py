"""What many viewers of one run cost: `python -m tests.benchmarks.viewers [N]`, sixty if not told otherwise.

Starts a server, opens N streams of points, writes the evaluations of the recorded run "All images" into the store, one every
0.4 s, and prints the server's share of one core, and the lag from before an evaluation is written until a viewer has it, p50 and
p95; for nobody, for one viewer and for N. Measures and prints; nothing fails for being slow.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from kdviz import presets
from kdviz.spec import RunSpec
from kdviz.store import Store, schema
from tests.browser import driving
from tests.browser.driving import Served

RECORD = presets.record("all-images")
STEPS = sorted({point["step"] for point in RECORD["points"]})
APART_SECONDS = 0.4


def begun(store: Store) -> str:
    """Put a run into the store that no worker trains and no engine takes over, and return its id."""
    run_id, now = secrets.token_hex(5), time.time()
    with store.engine.begin() as connection:
        connection.execute(
            schema.runs.insert().values(
                id=run_id, name="", spec=RunSpec().to_json(), state="running", attempt=1, lease_until=now + 3600,
                stop_requested=False, created=now, started=now, step=0, steps=STEPS[-1],
            )
        )  # fmt: skip
    return run_id


def go(store: Store, run_id: str, step: int) -> None:
    """Write one evaluation of the record."""
    store.write(run_id, 1, [point for point in RECORD["points"] if point["step"] == step], step, STEPS[-1])


async def view(port: int, run_id: str, heard: list[float]) -> None:
    """Note when each event with points comes, until the stream ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /kdviz/stream?runs={run_id}:0 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    while (line := await reader.readline()) and not line.startswith(b"event: end"):
        if line.startswith(b"event: points"):
            heard.append(time.time())
    writer.close()


async def measured(served: Served, viewers: int) -> dict[str, Any]:
    run_id, port = begun(served.store), urlsplit(served.url).port
    heard: list[float] = []
    lags: list[float] = []
    assert port is not None
    async with asyncio.TaskGroup() as group:
        for _ in range(viewers):
            group.create_task(view(port, run_id, heard))
        await asyncio.sleep(2)
        process = psutil.Process(served.pid)
        before, began = sum(process.cpu_times()[:2]), time.time()
        for step in STEPS:
            known, now = len(heard), time.time()
            await asyncio.to_thread(go, served.store, run_id, step)
            await asyncio.sleep(APART_SECONDS)
            lags += [when - now for when in heard[known:]]
        used = (sum(process.cpu_times()[:2]) - before) / (time.time() - began)
        served.store.finish(run_id, 1, "done", RECORD["result"])
    found = {"viewers": viewers, "server_cpu_percent": round(100 * used, 1), "heard": len(lags), "of": viewers * len(STEPS)}
    if lags:
        cut = statistics.quantiles(lags, n=20, method="inclusive")
        found |= {"lag_p50_ms": round(1000 * statistics.median(lags)), "lag_p95_ms": round(1000 * cut[-1])}
    return {**found, "load": round(os.getloadavg()[0], 1)}


def main() -> int:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder, driving.serve(Path(folder) / "served", trains=False) as served:
        for viewers in (0, 1, most):
            print(json.dumps(asyncio.run(measured(served, viewers))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
