"""The stream of points: who comes late hears all, a run is read once for all who look, and a wrong query is one sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, MutableMapping
from typing import Any

import pytest
from starlette.applications import Starlette

from kdviz import presets
from kdviz.errors import InvalidValue
from kdviz.spec import RunSpec
from kdviz.store import Store
from kdviz.ui import stream

RECORD = presets.record("all-images")
STEPS = sorted({point["step"] for point in RECORD["points"]})
EACH = len(RunSpec().students)
ID = stream.COLUMNS.index("id")


def training(store: Store, evaluations: int) -> str:
    run_id = store.add_run(RunSpec())
    assert store.claim() is not None
    go(store, run_id, 0, evaluations)
    return run_id


def go(store: Store, run_id: str, first: int, last: int) -> None:
    for step in STEPS[first:last]:
        store.write(run_id, 1, [point for point in RECORD["points"] if point["step"] == step], step, STEPS[-1])


class Viewer:
    """Somebody who looks at a stream."""

    def __init__(self, store: Store, wanted: dict[str, int], browser: str = "") -> None:
        self.events: AsyncGenerator[dict[str, Any], None] = stream.events(store, wanted, browser)

    async def next(self, *names: str) -> dict[str, Any]:
        """Return the next event of one of these names, its data read."""
        async with asyncio.timeout(20):
            while True:
                event = await anext(self.events)
                if event.get("event") in names:
                    return {**event, "data": json.loads(event["data"])}

    async def ids(self) -> list[int]:
        event = await self.next("points")
        return [row[ID] for row in event["data"]["points"]]

    async def leave(self) -> None:
        await self.events.aclose()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def test_who_comes_late_hears_all_and_who_knows_some_the_rest(store: Store) -> None:
    async def test() -> None:
        run_id = training(store, 3)
        there = [point["id"] for point in store.points(run_id)]
        early, knows = Viewer(store, {run_id: 0}), Viewer(store, {run_id: there[9]})
        assert await early.ids() == there
        assert await knows.ids() == there[10:]
        go(store, run_id, 3, 4)
        new = [point["id"] for point in store.points(run_id, there[-1])]
        assert len(new) == EACH
        assert await early.ids() == await knows.ids() == new
        late = Viewer(store, {run_id: 0})
        assert await late.ids() == there + new
        assert list(stream.readers()) == [run_id]  # one for all three
        for viewer in (early, knows):
            await viewer.leave()
        assert list(stream.readers()) == [run_id]
        await late.leave()
        assert not stream.readers()  # and none when nobody looks

    run(test)


def test_points_are_those_of_the_store_and_say_where_to_go_on(store: Store) -> None:
    async def test() -> None:
        run_id = training(store, 2)
        viewer = Viewer(store, {run_id: 0, "nobody": 7})
        event = await viewer.next("points")
        last = store.points(run_id)[-1]
        row = dict(zip(stream.COLUMNS, event["data"]["points"][-1], strict=True))
        assert row == {name: pytest.approx(last[name], abs=1e-7) for name in stream.COLUMNS}
        assert stream.asked(event["id"]) == {run_id: last["id"], "nobody": 7}
        await viewer.leave()

    run(test)


def test_a_stream_says_how_far_a_run_is_and_ends_with_it(store: Store) -> None:
    async def test() -> None:
        waiting = store.add_run(RunSpec())
        viewer = Viewer(store, {waiting: 0})
        said = (await viewer.next("state"))["data"]
        assert (said["run"], said["state"], said["ready"], said["left"]) == (waiting, "queued", False, None)
        assert store.claim() is not None
        go(store, waiting, 0, 5)
        said = (await viewer.next("state"))["data"]
        while said["step"] != STEPS[4]:
            said = (await viewer.next("state"))["data"]
        assert (said["state"], said["steps"]) == ("running", STEPS[-1]) and said["left"] > 0
        store.set_pace(waiting, 0.25)
        assert (await viewer.next("state"))["data"]["pace"] == 0.25
        store.finish(waiting, 1, "paused")
        assert (await viewer.next("state"))["data"]["state"] == "paused"
        store.resume(waiting)
        assert (await viewer.next("state"))["data"]["state"] == "queued"
        store.request_stop(waiting)
        assert (await viewer.next("state", "end"))["data"]["state"] == "stopped"
        assert (await viewer.next("state", "end"))["event"] == "end"
        assert [event async for event in viewer.events] == []
        assert not stream.readers()

    run(test)


def test_a_run_that_is_not_there_or_deleted_is_said_to_be_missing(store: Store) -> None:
    async def test() -> None:
        run_id = training(store, 1)
        viewer = Viewer(store, {"nobody": 0, run_id: 0})
        assert (await viewer.next("missing"))["data"] == {"run": "nobody"}
        await viewer.next("points")
        store.delete(run_id)
        assert (await viewer.next("missing"))["data"] == {"run": run_id}
        assert (await viewer.next("end"))["data"] == {}

    run(test)


def test_a_browser_keeps_some_connections_for_itself(store: Store) -> None:
    """It has six for a host: streams beyond the third say what there is and ask to be asked again."""

    async def test() -> None:
        run_id = training(store, 1)
        viewers = [Viewer(store, {run_id: 0}, "mine") for _ in range(stream.MOST_OF_A_BROWSER)]
        for viewer in viewers:
            await viewer.ids()
        another, fourth = Viewer(store, {run_id: 0}, "yours"), Viewer(store, {run_id: 0}, "mine")
        assert await fourth.ids() == await another.ids()
        assert (await fourth.next("again"))["data"] == {}
        assert [event async for event in fourth.events] == []
        await viewers.pop().leave()
        fifth = Viewer(store, {run_id: 0}, "mine")
        await fifth.ids()
        go(store, run_id, 1, 2)
        assert len(await fifth.ids()) == EACH
        for viewer in [*viewers, another, fifth]:
            await viewer.leave()

    run(test)


def test_a_store_that_stumbles_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        run_id = training(store, 1)
        news, failed = store.news, list[bool]()

        def stumbling(*given: Any) -> Any:
            if not failed:
                failed.append(True)
                raise OSError("the disk is away")
            return news(*given)

        monkeypatch.setattr(store, "news", stumbling)
        viewer = Viewer(store, {run_id: 0})
        assert len(await viewer.ids()) == EACH and failed
        await viewer.leave()

    run(test)


def asked_for(query: str, last_event: str | None = None) -> tuple[int, str, str]:
    """Ask the route as a browser does, until it has said something, and return status, type and what it said."""
    said: list[MutableMapping[str, Any]] = []
    headers = [(b"last-event-id", last_event.encode())] if last_event is not None else []

    async def ask() -> None:
        heard = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await heard.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)
            if b"event: " in message.get("body", b"") or not message.get("more_body", True):
                heard.set()

        scope = {
            "type": "http", "method": "GET", "path": stream.address(), "raw_path": stream.address().encode(),
            "query_string": query.encode(), "headers": headers, "root_path": "", "scheme": "http",
            "server": ("localhost", 80), "http_version": "1.1",
        }  # fmt: skip
        await asyncio.wait_for(Starlette(routes=stream.routes())(scope, receive, send), 20)

    asyncio.run(ask())
    kinds = {key.decode(): value.decode() for key, value in said[0]["headers"]}
    return said[0]["status"], kinds["content-type"], b"".join(message.get("body", b"") for message in said[1:]).decode()


def test_the_route_streams_and_goes_on_after_the_last_event(store: Store) -> None:
    run_id = training(store, 3)
    there = [point["id"] for point in store.points(run_id)]
    status, kind, said = asked_for(f"runs={run_id}:0")
    assert (status, kind.split(";")[0]) == (200, "text/event-stream")
    assert f"id: {run_id}:{there[-1]}" in said
    status, _, said = asked_for(f"runs={run_id}:0", last_event=f"{run_id}:{there[-3]}")
    (data,) = (line.removeprefix("data: ") for line in said.splitlines() if line.startswith("data: {") and "points" in line)
    assert [row[ID] for row in json.loads(data)["points"]] == there[-2:]


@pytest.mark.parametrize(
    ("query", "last_event"),
    [
        ("", None),
        ("runs=", None),
        ("runs=abc", None),
        ("runs=abc:", None),
        ("runs=abc:x", None),
        ("runs=abc:-1", None),
        ("runs=abc:1,", None),
        ("runs=a/b:1", None),
        ("runs=%3Cscript%3E:1", None),
        ("runs=" + "a" * 33 + ":1", None),
        ("runs=abc:" + "9" * 16, None),
        ("runs=" + ",".join(f"r{n}:0" for n in range(17)), None),
        ("runs=abc:1&browser=a%20b", None),
        ("runs=abc:1", "nonsense"),
    ],
)
def test_a_wrong_query_is_one_sentence(query: str, last_event: str | None) -> None:
    status, kind, said = asked_for(query, last_event)
    assert (status, kind.split(";")[0]) == (400, "text/plain")
    assert "must be" in said and "\n" not in said and len(said) < 200


def test_what_is_asked_is_read(store: Store) -> None:
    assert stream.asked("ab12:0,cd:345") == {"ab12": 0, "cd": 345}
    with pytest.raises(InvalidValue):
        stream.asked("ab12")
