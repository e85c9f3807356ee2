"""The store is the truth: runs and their queue, points, checkpoints, outcomes, questions. SQLAlchemy Core; SQLite by default.

Workers write here and pages read here, so a refreshed tab, a restarted server or a killed worker loses nothing that was
written. A run belongs to whoever holds its lease: every write of a worker names its attempt, and is refused once another
attempt has begun. Knows neither torch nor Dask nor pages.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kdviz.errors import UserError
from kdviz.i18n import N_
from kdviz.spec import RunSpec, TeacherSpec, from_dict
from kdviz.store import schema
from kdviz.store.schema import checkpoints, facts, outcomes, points, questions, runs

State = Literal["queued", "running", "paused", "done", "stopped", "failed"]
OVER: tuple[State, ...] = ("done", "stopped", "failed")
LEASE_SECONDS = 6.0
MAX_ATTEMPTS = 24
PACES = (1.0, 1 / 4, 1 / 16)
"""How fast a run may train: at full speed, or in slow motion."""


class LeaseLost(Exception):
    """Another attempt has taken this run or question over, or it was deleted: stop working on it, write nothing more."""


class StoreUnavailable(UserError):
    """The store cannot be opened or is of another version."""


@dataclass(frozen=True)
class Stand:
    """How far a run is, without what it was made from: what is asked of the store many times a second."""

    state: State
    step: int
    steps: int
    started: float | None
    pace: float

    @property
    def over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True)
class Asked:
    """What a run's reader asks of its worker. pace: one of PACES."""

    stop: bool
    pause: bool
    pace: float


@dataclass(frozen=True)
class Run:
    """A run as the store has it. Times are seconds since the epoch; result and settings as kdviz.run makes them.

    pause_requested: that it stops so as to go on later; pace: how fast it trains, one of PACES.
    """

    id: str
    name: str
    spec: RunSpec | TeacherSpec
    state: State
    attempt: int
    stop_requested: bool
    created: float
    started: float | None
    ended: float | None
    step: int
    steps: int
    error: str | None
    result: dict[str, Any] | None
    settings: dict[str, Any] | None
    pause_requested: bool
    pace: float

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def stand(self) -> Stand:
        return Stand(self.state, self.step, self.steps, self.started, self.pace)


@dataclass(frozen=True)
class Question:
    """Something asked of the engine. progress: what is being done and which share of it, or None before it began."""

    id: str
    kind: str
    payload: dict[str, Any]
    state: State
    attempt: int
    progress: dict[str, Any] | None
    answer: dict[str, Any] | None
    error: str | None


class Store:
    """One store, opened by URL. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Open and bring the schema up to date. Raises StoreUnavailable."""
        self.url = url
        try:
            self.engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
            if self.engine.dialect.name == "sqlite":
                sa.event.listen(self.engine, "connect", _sqlite_settings)
            schema.upgrade(self.engine)
        except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).split("\n")[0]
            raise StoreUnavailable(
                N_("the store {url} cannot be opened ({reason}): check KDVIZ_STORE"), url=url, reason=reason
            ) from None

    def close(self) -> None:
        self.engine.dispose()

    # Runs, as pages see them.

    def add_run(self, spec: RunSpec | TeacherSpec, name: str = "") -> str:
        """Put a run into the queue and return its id."""
        run_id = secrets.token_hex(5)
        with self._write() as connection:
            connection.execute(
                runs.insert().values(
                    id=run_id, name=name, spec=spec.to_json(), state="queued", attempt=0, forgiven=0, stop_requested=False,
                    pause_requested=False, pace=1.0, created=time.time(), step=0, steps=0,
                )
            )  # fmt: skip
        return run_id

    def run(self, run_id: str) -> Run | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
        return _run(row) if row is not None else None

    def runs(self, limit: int = 100) -> list[Run]:
        """Return the newest runs, newest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(runs).order_by(runs.c.created.desc(), runs.c.id).limit(limit)).all()
        return [run for row in rows if (run := _run(row)) is not None]

    def newest(self, spec: RunSpec, state: State | None = None) -> Run | None:
        """Return the newest run of exactly these settings, in a state if one is given."""
        query = sa.select(runs).where(runs.c.spec == spec.to_json()).order_by(runs.c.created.desc(), runs.c.id).limit(1)
        if state is not None:
            query = query.where(runs.c.state == state)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return _run(row) if row is not None else None

    def rename(self, run_id: str, name: str) -> None:
        with self._write() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(name=name))

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop: one that waits stops at once, a running one between two steps, keeping its points."""
        with self._write() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(stop_requested=True))
            connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.state.in_(("queued", "paused")))
                .values(state="stopped", ended=time.time())
            )

    def request_pause(self, run_id: str) -> None:
        """Ask a run to pause: one that waits does at once, a running one between two steps. `resume` lets it go on."""
        with self._write() as connection:
            connection.execute(
                runs.update().where(runs.c.id == run_id, runs.c.state.in_(("queued", "running"))).values(pause_requested=True)
            )
            connection.execute(runs.update().where(runs.c.id == run_id, runs.c.state == "queued").values(state="paused"))

    def set_pace(self, run_id: str, pace: float) -> None:
        """Have a run train at one of PACES from now on; its numbers are the same at each."""
        assert pace in PACES
        with self._write() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(pace=pace))

    def resume(self, run_id: str) -> None:
        """Put a run that was paused or stopped, or failed, back into the queue: it goes on from its last checkpoint."""
        waiting = dict(
            state="queued", stop_requested=False, pause_requested=False, ended=None, error=None, result=None,
            forgiven=runs.c.attempt,
        )  # fmt: skip
        with self._write() as connection:
            connection.execute(
                runs.update().where(runs.c.id == run_id, runs.c.state.in_(("paused", "stopped", "failed"))).values(**waiting)
            )

    def delete(self, run_id: str) -> None:
        """Remove a run and all that belongs to it; a worker that still trains it loses its lease."""
        with self._write() as connection:
            for table in (points, checkpoints, outcomes):
                connection.execute(table.delete().where(table.c.run_id == run_id))
            connection.execute(runs.delete().where(runs.c.id == run_id))

    def points(self, run_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return a run's points in the order they were written, those with an id above `after` only."""
        query = sa.select(points).where(points.c.run_id == run_id, points.c.id > after).order_by(points.c.id)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def news(self, run_id: str, after: int) -> tuple[Stand | None, list[dict[str, Any]]]:
        """Return how far a run is, None where there is none, and its points with an id above `after`, in their order.

        Points are read last, so that those of a run that is over are all there.
        """
        with self.engine.connect() as connection:
            row = connection.execute(
                sa.select(runs.c.state, runs.c.step, runs.c.steps, runs.c.started, runs.c.pace).where(runs.c.id == run_id)
            ).one_or_none()
        return (Stand(**row._mapping) if row is not None else None), self.points(run_id, after)

    def outcome(self, run_id: str, student: int) -> dict[str, bytes] | None:
        """Return what is kept of a student: weights (safetensors), test_logits and correct (npy)."""
        query = sa.select(outcomes.c.weights, outcomes.c.test_logits, outcomes.c.correct)
        with self.engine.connect() as connection:
            row = connection.execute(query.where(outcomes.c.run_id == run_id, outcomes.c.student == student)).one_or_none()
        return dict(row._mapping) if row is not None else None

    # Runs, as the engine and its workers see them.

    def claim(self) -> Run | None:
        """Take the oldest run that waits, or whose worker has gone silent, and begin its next attempt."""
        now = time.time()
        waiting = sa.or_(runs.c.state == "queued", sa.and_(runs.c.state == "running", runs.c.lease_until < now))
        if not self._any(runs, waiting):
            return None
        with self._write() as connection:
            row = connection.execute(sa.select(runs).where(waiting).order_by(runs.c.created).limit(1)).one_or_none()
            if row is None:
                return None
            if row.attempt - row.forgiven >= MAX_ATTEMPTS:
                values: dict[str, Any] = dict(state="failed", ended=now, error=_error(_too_many()))
            elif row.stop_requested:
                values = dict(state="stopped", ended=now)
            elif row.pause_requested:
                values = dict(state="paused")
            else:
                values = dict(
                    state="running", attempt=row.attempt + 1, lease_until=now + LEASE_SECONDS, started=row.started or now
                )
            taken = connection.execute(
                runs.update().where(runs.c.id == row.id, runs.c.attempt == row.attempt, waiting).values(**values)
            )
        if taken.rowcount != 1 or values["state"] != "running":
            return None
        claimed = self.run(row.id)
        if claimed is None:
            self.finish(row.id, row.attempt + 1, "failed", error=UserError(N_("the images of this run are no longer here")))
        return claimed

    def renew(self, run_id: str, attempt: int) -> Asked:
        """Keep the lease of a run, and return what is asked of its worker. Raises LeaseLost."""
        with self._write() as connection:
            self._hold(connection, run_id, attempt)
            row = connection.execute(
                sa.select(runs.c.stop_requested, runs.c.pause_requested, runs.c.pace).where(runs.c.id == run_id)
            ).one()
        return Asked(bool(row.stop_requested), bool(row.pause_requested), row.pace)

    def release(self, run_id: str, attempt: int) -> None:
        """Give up the lease of an attempt that is known to have died, so that the run can be claimed at once."""
        with self._write() as connection:
            mine = (runs.c.id == run_id, runs.c.attempt == attempt, runs.c.state == "running")
            connection.execute(runs.update().where(*mine).values(lease_until=0.0))

    def write(
        self,
        run_id: str,
        attempt: int,
        new_points: Iterable[Mapping[str, Any]],
        step: int,
        steps: int,
        checkpoint: bytes | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Add points, and the checkpoint that goes with them, in one transaction. A point that is there already is kept.

        Raises LeaseLost.
        """
        now = time.time()
        values = [{"run_id": run_id, "written": now, **point} for point in new_points]
        with self._write() as connection:
            more: dict[str, Any] = {"step": step, "steps": steps}
            if settings is not None:
                more["settings"] = json.dumps(dict(settings))
            self._hold(connection, run_id, attempt, **more)
            if values:
                connection.execute(self._insert(points).on_conflict_do_nothing(), values)
            if checkpoint is not None:
                connection.execute(checkpoints.delete().where(checkpoints.c.run_id == run_id))
                connection.execute(checkpoints.insert().values(run_id=run_id, step=step, content=checkpoint))

    def checkpoint(self, run_id: str) -> bytes | None:
        with self.engine.connect() as connection:
            found: bytes | None = connection.execute(
                sa.select(checkpoints.c.content).where(checkpoints.c.run_id == run_id)
            ).scalar_one_or_none()
        return found

    def finish(
        self,
        run_id: str,
        attempt: int,
        state: State,
        result: Mapping[str, Any] | None = None,
        kept: Sequence[Mapping[str, bytes]] = (),
        error: UserError | None = None,
    ) -> None:
        """End or pause a run, with its result and what is kept of each student; one that is done needs its checkpoint no longer.

        Raises LeaseLost.
        """
        ended = time.time() if state in OVER else None
        values: dict[str, Any] = {"state": state, "ended": ended, "error": _error(error) if error else None}
        if result is not None:
            values["result"] = json.dumps(dict(result))
        with self._write() as connection:
            self._hold(connection, run_id, attempt, **values)
            if state == "done":
                connection.execute(checkpoints.delete().where(checkpoints.c.run_id == run_id))
            connection.execute(outcomes.delete().where(outcomes.c.run_id == run_id))
            if kept:
                rows = [{"run_id": run_id, "student": student, **blobs} for student, blobs in enumerate(kept)]
                connection.execute(outcomes.insert(), rows)

    # Questions.

    def ask(self, kind: str, payload: Mapping[str, Any]) -> str:
        """Ask the engine something, once: an equal question that is still open is not asked again. Returns its id."""
        text = json.dumps(dict(payload), sort_keys=True)
        with self._write() as connection:
            open_one = connection.execute(
                sa.select(questions.c.id).where(
                    questions.c.kind == kind, questions.c.payload == text, questions.c.state.in_(("queued", "running"))
                )
            ).first()
            if open_one is not None:
                return str(open_one.id)
            question_id = secrets.token_hex(5)
            connection.execute(
                questions.insert().values(id=question_id, kind=kind, payload=text, state="queued", attempt=0, created=time.time())
            )
        return question_id

    def question(self, question_id: str) -> Question | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(questions).where(questions.c.id == question_id)).one_or_none()
        return _question(row) if row is not None else None

    def cancel_question(self, question_id: str) -> None:
        """Withdraw a question that is still open: it stops at once, and whoever works on it loses its lease."""
        with self._write() as connection:
            mine = (questions.c.id == question_id, questions.c.state.in_(("queued", "running")))
            connection.execute(questions.update().where(*mine).values(state="stopped", payload="{}"))

    def claim_question(self, except_kinds: Collection[str] = ()) -> Question | None:
        """Take the oldest question that waits, or whose worker has gone silent. except_kinds: those not wanted now."""
        now = time.time()
        q = questions.c
        waiting = sa.or_(q.state == "queued", sa.and_(q.state == "running", q.lease_until < now))
        waiting = sa.and_(waiting, q.kind.not_in(except_kinds))
        if not self._any(questions, waiting):
            return None
        with self._write() as connection:
            row = connection.execute(sa.select(questions).where(waiting).order_by(q.created).limit(1)).one_or_none()
            if row is None:
                return None
            over = row.attempt >= 3
            connection.execute(
                questions.update()
                .where(q.id == row.id, q.attempt == row.attempt, waiting)
                .values(
                    state="failed" if over else "running",
                    attempt=row.attempt + 1,
                    lease_until=now + LEASE_SECONDS,
                    error=_error(_too_many()) if over else None,
                )
            )
        return None if over else self.question(row.id)

    def answer(self, question_id: str, attempt: int, **values: Any) -> None:
        """Keep the lease of a question and write its progress (a dict), answer (a dict), error (a UserError) or state.

        What was asked is forgotten once it is answered: it may hold somebody's picture. Raises LeaseLost.
        """
        row: dict[str, Any] = {"lease_until": time.time() + LEASE_SECONDS}
        if "state" in values:
            row["payload"] = "{}"
        for key, value in values.items():
            row[key] = json.dumps(value) if key in ("progress", "answer") else _error(value) if key == "error" else value
        with self._write() as connection:
            q = questions.c
            held = connection.execute(
                questions.update().where(q.id == question_id, q.attempt == attempt, q.state == "running").values(**row)
            )
            if held.rowcount != 1:
                raise LeaseLost(question_id)

    # Facts: small values by name, such as this machine's speed and the engine's state.

    def fact(self, name: str) -> Any:
        """Return a fact's value, or None."""
        with self.engine.connect() as connection:
            text = connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()
        return json.loads(text) if text is not None else None

    def set_fact(self, name: str, value: Any) -> None:
        text = json.dumps(value)
        with self._write() as connection:
            upsert = self._insert(facts).values(name=name, value=text)
            connection.execute(upsert.on_conflict_do_update(index_elements=["name"], set_={"value": text}))

    # Inside.

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                # Take the write lock at once: a reader that turns writer half-way cannot wait for another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def _any(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> bool:
        """Whether a row meets a condition: a look without the write lock, for the engine that looks twenty times a second."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(sa.literal(1)).select_from(table).where(condition).limit(1)).first() is not None

    def _hold(self, connection: sa.Connection, run_id: str, attempt: int, **values: Any) -> None:
        mine = (runs.c.id == run_id, runs.c.attempt == attempt, runs.c.state == "running")
        held = connection.execute(
            runs.update().where(*mine).values(lease_until=time.time() + LEASE_SECONDS, **values)
        )  # fmt: skip
        if held.rowcount != 1:
            raise LeaseLost(run_id)

    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        dialect: Any = sqlite if self.engine.dialect.name == "sqlite" else postgresql
        insert: sqlite.Insert | postgresql.Insert = dialect.insert(table)
        return insert


@lru_cache(maxsize=4)
def open_store(url: str) -> Store:
    """Return the process's one Store of a URL."""
    return Store(url)


def _sqlite_settings(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _write, not guessed by the driver
    cursor = connection.cursor()
    for setting in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _run(row: sa.Row[Any]) -> Run | None:
    """Return a row as a run, or None where its spec no longer stands: its dataset was removed, say."""
    values = dict(row._mapping)
    for inside in ("lease_until", "forgiven"):
        values.pop(inside)
    try:
        values["spec"] = from_dict(json.loads(values["spec"]))
    except UserError:
        return None
    for key in ("stop_requested", "pause_requested"):
        values[key] = bool(values[key])
    for key in ("result", "settings"):
        values[key] = json.loads(values[key]) if values[key] is not None else None
    return Run(**values)


def _question(row: sa.Row[Any]) -> Question:
    loads = {key: json.loads(getattr(row, key)) if getattr(row, key) else None for key in ("payload", "progress", "answer")}
    return Question(
        row.id, row.kind, loads["payload"] or {}, row.state, row.attempt, loads["progress"], loads["answer"], row.error
    )


def _too_many() -> UserError:
    return UserError(N_("its worker died {n} times: look into the engine's log"), n=MAX_ATTEMPTS)


def _error(error: UserError) -> str:
    return error.to_json()


def shown_error(text: str) -> str:
    """Return a stored error in the current language."""
    return UserError.from_json(text).translated()
