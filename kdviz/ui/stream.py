"""The stream of points: one route of server-sent events, by which pages hear what the store says of runs while they train.

    GET kdviz/stream?runs=ID:POINT,ID:POINT[&browser=NAME]

answers for each run with the points whose id is above POINT (0: all), then with new ones as they are written, and with how far
the run is. Events, their data as JSON:

    points   {"run", "points": [[a value for each of COLUMNS], ...]}; the event's id says where to go on after a lost connection
    state    {"run", "state", "step", "steps", "pace", "ready", "left"}: see `state`
    missing  {"run"}: the store has no such run, or no longer
    again    this browser has enough streams open: ask again in a second
    end      nothing more will come

The store is read by one reader for each run, ten times a second, while anybody looks, and by none when nobody does. Streams end
with the server (sse-starlette sees to it), so that a page's EventSource comes back by itself. Knows no page.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdviz.errors import InvalidValue, UserError, quoted
from kdviz.i18n import N_
from kdviz.ui import served, server

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from kdviz.store import Stand, Store

log = logging.getLogger("kdviz.stream")

COLUMNS = ("id", "student", "step", "epoch", "accuracy", "errors", "agreement", "kl", "loss_soft", "loss_hard", "seconds")
LOOK_SECONDS = 0.1
SAY_SECONDS = 1.0  # how far a run is, is said at least this often while it trains
MOST_RUNS = 16
MOST_OF_A_BROWSER = 3
"""Streams of one browser that stay open: it has six connections for a host, which its pages and scripts need as well."""

Row = list[float | int | None]


def address() -> str:
    return f"{served.base()}/kdviz/stream"


def routes() -> list[BaseRoute]:
    """Return the routes that app.py adds to Streamlit's own."""
    from starlette.routing import Route

    return [Route(address(), _stream)]


def rows(points: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return points as rows of COLUMNS; those of a record, which have no id, are numbered."""
    return [[point.get("id", n), *(_short(point[name]) for name in COLUMNS[1:])] for n, point in enumerate(points, start=1)]


def _short(value: float | None) -> float | None:
    return round(value, 7) if isinstance(value, float) else value


def state(stand: Stand, last: Mapping[str, Any] | None, ready: bool) -> dict[str, Any]:
    """Return how far a run is, as a page is told. last: its last point; ready: whether the engine is.

    left: the seconds it will still train, at its present pace, or None where that is not known.
    """
    left = None
    if stand.state == "running" and stand.step and stand.steps:
        if last is not None:  # without the time for which it was stopped where a point was written since
            trained = last["seconds"] + (time.time() - last["written"]) * stand.pace
        else:
            trained = time.time() - (stand.started or time.time())
        left = trained * (stand.steps / stand.step - 1) / stand.pace
    return {
        "state": stand.state,
        "step": stand.step,
        "steps": stand.steps,
        "pace": stand.pace,
        "ready": ready,
        "left": None if left is None else round(left, 1),
    }


class Reader:
    """Reads one run of the store for all who look at it. rows: all its points; stand: None where there is no such run."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.run_id = store, run_id
        self.rows: list[Row] = []
        self.last: Mapping[str, Any] | None = None
        self.stand: Stand | None = None
        self.said: dict[str, Any] = {}
        self.said_at = 0.0
        self.looked = self.over = False
        self.viewers: set[asyncio.Event] = set()
        self.encoded = (0, 0, "")
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while not self.over:
            try:
                if await asyncio.to_thread(self._look):
                    for viewer in self.viewers:
                        viewer.set()
            except Exception:
                log.exception("the run %s could not be read; trying again", self.run_id)
                await asyncio.sleep(1.0)
            if not self.over:
                await asyncio.sleep(LOOK_SECONDS)
        _readers.pop(self.run_id, None)  # who comes now reads anew: a run that is over may be resumed

    def _look(self) -> bool:
        """Read what is new, and return whether anything is."""
        from kdviz import engine  # SQLAlchemy and numpy, without which a server listens

        stand, points = self.store.news(self.run_id, int(self.rows[-1][0] or 0) if self.rows else 0)
        if points:
            self.last = points[-1]
            self.rows += rows(points)
        ready = stand is not None and (stand.state != "queued" or engine.state(self.store) == "ready")
        said = state(stand, self.last, ready) if stand is not None else {}
        now = time.monotonic()
        due = said.get("state") == "running" and now - self.said_at > SAY_SECONDS
        changed = bool(points) or not self.looked or due or {**said, "left": 0} != {**self.said, "left": 0}
        if changed:
            self.said, self.said_at = said, now
        self.stand = stand
        self.over = stand is None or stand.over
        self.looked = True
        return changed

    def after(self, point: int) -> tuple[int, str] | None:
        """Return the last id, and as JSON all points above an id, or None where there are none. Made once for all viewers."""
        held = self.rows
        if not held or int(held[-1][0] or 0) <= point:
            return None
        end = int(held[-1][0] or 0)
        if self.encoded[:2] != (point, end):
            new = [row for row in held if int(row[0] or 0) > point]
            self.encoded = (point, end, json.dumps({"run": self.run_id, "points": new}, separators=(",", ":")))
        return end, self.encoded[2]


_readers: dict[str, Reader] = {}
_open: Counter[str] = Counter()


def asked(text: str) -> dict[str, int]:
    """Return the runs of a query or of a Last-Event-ID, each with the id of the last point that is known. Raises InvalidValue."""
    pairs = text.split(",")
    if len(pairs) > MOST_RUNS or not all(re.fullmatch(r"[0-9A-Za-z_-]{1,32}:[0-9]{1,15}", pair) for pair in pairs):
        raise InvalidValue(
            N_("runs must be ID:POINT, at most {most} of them, joined by commas, got {given}"),
            most=MOST_RUNS, given=quoted(text, 60),
        )  # fmt: skip
    return {run_id: int(point) for run_id, point in (pair.split(":") for pair in pairs)}


async def _stream(request: Request) -> Response:
    from sse_starlette import EventSourceResponse
    from starlette.responses import PlainTextResponse

    try:
        wanted = asked(request.query_params.get("runs", ""))
        resumed = request.headers.get("last-event-id")
        if resumed:
            wanted |= {run_id: point for run_id, point in asked(resumed).items() if run_id in wanted}
        browser = request.query_params.get("browser", "")
        if not re.fullmatch(r"[0-9A-Za-z]{0,40}", browser):
            raise InvalidValue(N_("browser must be letters and digits, got {given}"), given=quoted(browser, 60))
        store = server.store()
    except InvalidValue as error:
        return PlainTextResponse(str(error), 400)
    except UserError as error:
        return PlainTextResponse(str(error), 503)
    return EventSourceResponse(events(store, wanted, browser), send_timeout=30)


async def events(store: Store, wanted: Mapping[str, int], browser: str = "") -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of a stream. wanted: the runs, each with the last point known; browser: whose stream it is, if known."""
    known, going, said = dict(wanted), list(wanted), dict[str, Any]()
    news = asyncio.Event()
    brief = browser != "" and _open[browser] >= MOST_OF_A_BROWSER
    if browser and not brief:
        _open[browser] += 1
    readers = {run_id: _join(store, run_id, news) for run_id in wanted}
    try:
        yield {"comment": "kdviz", "retry": 1000}
        while going:
            for run_id in list(going):
                reader = readers[run_id]
                if not reader.looked:
                    continue
                over = reader.over  # before the points are taken: none is written after the end
                if (new := reader.after(known[run_id])) is not None:
                    known[run_id], content = new
                    yield {"event": "points", "id": ",".join(f"{each}:{point}" for each, point in known.items()), "data": content}
                if reader.stand is None:
                    yield {"event": "missing", "data": json.dumps({"run": run_id})}
                elif reader.said != said.get(run_id):
                    said[run_id] = reader.said
                    yield {"event": "state", "data": json.dumps({"run": run_id, **reader.said})}
                if over:
                    going.remove(run_id)
            if brief and going and all(readers[run_id].looked for run_id in going):
                yield {"event": "again", "data": "{}"}
                return
            if going:
                await news.wait()
                news.clear()
        yield {"event": "end", "data": "{}"}
    finally:
        for reader in readers.values():
            _leave(reader, news)
        if browser and not brief:
            _open[browser] -= 1
            if not _open[browser]:
                del _open[browser]


def _join(store: Store, run_id: str, news: asyncio.Event) -> Reader:
    reader = _readers.get(run_id)
    if reader is None or reader.over or reader.store is not store:
        reader = _readers[run_id] = Reader(store, run_id)
    reader.viewers.add(news)
    if reader.looked:
        news.set()
    return reader


def _leave(reader: Reader, news: asyncio.Event) -> None:
    reader.viewers.discard(news)
    if not reader.viewers:
        reader.task.cancel()
        if _readers.get(reader.run_id) is reader:
            del _readers[reader.run_id]


def readers() -> Sequence[str]:
    """Return the ids of the runs that are being read now."""
    return list(_readers)
