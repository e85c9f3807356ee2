"""The store: leases, points that are never doubled, questions, migrations. A fresh SQLite file for each test."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kdviz.errors import InvalidValue, UserError
from kdviz.i18n import N_, use
from kdviz.spec import RunSpec
from kdviz.store import MAX_ATTEMPTS, Asked, LeaseLost, Store, StoreUnavailable, schema, shown_error


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'runs' / 'kdviz.sqlite'}")
    yield opened
    opened.close()


def point(student: int, step: int, accuracy: float = 0.5) -> dict[str, float | int | None]:
    return dict(
        student=student, step=step, epoch=step / 10, accuracy=accuracy, errors=3, agreement=0.5, kl=0.1,
        loss_soft=None, loss_hard=1.0, seconds=0.1,
    )  # fmt: skip


def expire(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(schema.runs.update().values(lease_until=0.0))


def test_a_run_is_kept_with_all_its_settings(store: Store) -> None:
    spec = RunSpec(temperature=(1.0, 4.0), seeds=3)
    run_id = store.add_run(spec, "first")
    run = store.run(run_id)
    assert run is not None
    assert (run.spec, run.name, run.state, run.attempt) == (spec, "first", "queued", 0)
    assert [r.id for r in store.runs()] == [run_id]
    store.rename(run_id, "second")
    assert store.runs()[0].name == "second"
    assert store.run("nobody") is None


def test_the_newest_run_of_some_settings_is_found(store: Store) -> None:
    first, _other, last = (store.add_run(spec) for spec in (RunSpec(), RunSpec(seeds=2), RunSpec()))
    assert store.newest(RunSpec()) == store.run(last) and store.newest(RunSpec(seeds=3)) is None
    assert store.newest(RunSpec(), "done") is None
    claimed = store.claim()
    assert claimed is not None and claimed.id == first
    store.finish(first, claimed.attempt, "done", {})
    assert store.newest(RunSpec(), "done") == store.run(first)


def test_the_oldest_run_is_claimed_first_and_only_once(store: Store) -> None:
    first, second = store.add_run(RunSpec()), store.add_run(RunSpec())
    claims = [store.claim(), store.claim(), store.claim()]
    assert [run.id if run else None for run in claims] == [first, second, None]


def test_claims_by_many_threads_take_every_run_once(store: Store) -> None:
    ids = [store.add_run(RunSpec()) for _ in range(12)]
    taken: list[str] = []

    def work() -> None:
        while (run := store.claim()) is not None:
            taken.append(run.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (left := store.claim()) is not None:  # a thread that loses a race stops early
        taken.append(left.id)
    assert sorted(taken) == sorted(ids)


def test_a_silent_worker_loses_its_run_and_can_write_no_more(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    old = store.claim()
    assert old is not None
    store.write(run_id, old.attempt, [point(0, 0)], 0, 10, b"checkpoint 0")
    assert store.claim() is None
    expire(store)
    new = store.claim()
    assert new is not None and new.attempt == old.attempt + 1
    with pytest.raises(LeaseLost):
        store.write(run_id, old.attempt, [point(0, 5)], 5, 10, b"late")
    with pytest.raises(LeaseLost):
        store.renew(run_id, old.attempt)
    with pytest.raises(LeaseLost):
        store.finish(run_id, old.attempt, "done", {})
    assert [p["step"] for p in store.points(run_id)] == [0]
    assert store.checkpoint(run_id) == b"checkpoint 0"


def test_released_runs_are_claimed_at_once_and_points_stay_single(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    first = store.claim()
    assert first is not None
    store.write(run_id, first.attempt, [point(0, 0), point(1, 0)], 0, 10)
    store.write(run_id, first.attempt, [point(0, 5, 0.7), point(1, 5, 0.8)], 5, 10)
    store.release(run_id, first.attempt)
    second = store.claim()
    assert second is not None
    # Taken up from the beginning: the same points come again and are kept once.
    store.write(run_id, second.attempt, [point(0, 0), point(1, 0)], 0, 10)
    store.write(run_id, second.attempt, [point(0, 5, 0.7), point(1, 5, 0.8)], 5, 10)
    store.write(run_id, second.attempt, [point(0, 10), point(1, 10)], 10, 10)
    found = [(p["student"], p["step"], p["accuracy"]) for p in store.points(run_id)]
    assert found == [(0, 0, 0.5), (1, 0, 0.5), (0, 5, 0.7), (1, 5, 0.8), (0, 10, 0.5), (1, 10, 0.5)]
    after = store.points(run_id)[3]["id"]
    assert [p["step"] for p in store.points(run_id, after)] == [10, 10]


def test_a_run_that_kills_every_worker_fails_with_its_reason(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    for _ in range(MAX_ATTEMPTS):
        assert store.claim() is not None
        expire(store)
    assert store.claim() is None
    run = store.run(run_id)
    assert run is not None and run.state == "failed" and run.error is not None
    assert str(MAX_ATTEMPTS) in shown_error(run.error)


def test_stop_ends_a_waiting_run_at_once_and_tells_a_running_one(store: Store) -> None:
    running, waiting = store.add_run(RunSpec()), store.add_run(RunSpec())
    claimed = store.claim()
    assert claimed is not None and claimed.id == running
    assert store.renew(running, claimed.attempt) == Asked(stop=False, pause=False, pace=1.0)
    store.request_stop(waiting)
    store.request_stop(running)
    assert store.renew(running, claimed.attempt).stop
    stopped = store.run(waiting)
    assert stopped is not None and stopped.state == "stopped"


def test_finish_keeps_the_outcome_and_drops_the_checkpoint(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    claimed = store.claim()
    assert claimed is not None
    store.write(run_id, claimed.attempt, [point(0, 0)], 0, 10, b"big")
    store.finish(run_id, claimed.attempt, "done", {"seconds": 1.5}, [{"weights": b"w", "test_logits": b"l", "correct": b"c"}])
    run = store.run(run_id)
    assert run is not None and run.over and run.result == {"seconds": 1.5}
    assert store.checkpoint(run_id) is None
    assert store.outcome(run_id, 0) == {"weights": b"w", "test_logits": b"l", "correct": b"c"}
    assert store.outcome(run_id, 1) is None


def test_a_deleted_run_leaves_nothing_and_its_worker_is_told(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    claimed = store.claim()
    assert claimed is not None
    store.write(run_id, claimed.attempt, [point(0, 0)], 0, 10, b"c")
    store.delete(run_id)
    assert (store.run(run_id), store.points(run_id), store.checkpoint(run_id)) == (None, [], None)
    with pytest.raises(LeaseLost):
        store.write(run_id, claimed.attempt, [point(0, 5)], 5, 10)


def test_errors_are_kept_as_messages_and_shown_in_the_readers_language(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    claimed = store.claim()
    assert claimed is not None
    error = UserError(N_("it stopped with an unexpected error ({reason})"), reason="OSError: 28")
    store.finish(run_id, claimed.attempt, "failed", error=error)
    run = store.run(run_id)
    assert run is not None and run.error is not None
    assert shown_error(run.error) == "it stopped with an unexpected error (OSError: 28)"
    use("zh_Hant")
    try:
        assert "OSError: 28" in shown_error(run.error)
        assert "unexpected" not in shown_error(run.error)
    finally:
        use("en")


def test_an_open_question_is_asked_once_and_answered(store: Store) -> None:
    first = store.ask("prepare", {"dataset": "digits"})
    assert store.ask("prepare", {"dataset": "digits"}) == first
    assert store.ask("prepare", {"dataset": "mnist"}) != first
    question = store.claim_question()
    assert question is not None and question.id == first
    store.answer(first, question.attempt, progress={"stage": "arrays", "share": 0.5})
    seen = store.question(first)
    assert seen is not None and seen.progress == {"stage": "arrays", "share": 0.5}
    store.answer(first, question.attempt, answer={"images": 3}, state="done")
    seen = store.question(first)
    assert seen is not None and (seen.state, seen.answer) == ("done", {"images": 3})
    with pytest.raises(LeaseLost):
        store.answer(first, question.attempt, progress={})
    assert store.ask("prepare", {"dataset": "digits"}) != first


def test_a_question_that_is_answered_or_failed_keeps_no_picture(store: Store) -> None:
    """What was asked stands in the store while it is open, for a worker that takes it over; not a moment longer."""
    for ending in ({"answer": {"logits": []}, "state": "done"}, {"error": UserError("no"), "state": "failed"}):
        asked = store.ask("see", {"pixels": "c2VjcmV0"})
        claimed = store.claim_question()
        assert claimed is not None and claimed.payload == {"pixels": "c2VjcmV0"}
        store.answer(asked, claimed.attempt, progress={"stage": "x", "share": 0.5})
        kept = store.question(asked)
        assert kept is not None and kept.payload == {"pixels": "c2VjcmV0"}
        store.answer(asked, claimed.attempt, **ending)
        ended = store.question(asked)
        assert ended is not None and ended.state == ending["state"] and ended.payload == {}


def test_facts_are_written_over(store: Store) -> None:
    assert store.fact("speed") is None
    store.set_fact("speed", {"a": 1})
    store.set_fact("speed", [2])
    assert store.fact("speed") == [2]


def test_migrations_make_exactly_the_tables_of_the_schema(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == schema.HEAD


def test_a_store_is_opened_by_many_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    problems: list[BaseException] = []

    def work() -> None:
        try:
            opened = Store(url)
            opened.add_run(RunSpec())
            opened.close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    opened = Store(url)
    assert len(opened.runs()) == 4
    opened.close()


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailable, match="check KDVIZ_STORE") as caught:
        Store(f"sqlite:///{tmp_path / 'file' / 'kdviz.sqlite'}")
    assert "\n" not in str(caught.value)
    (tmp_path / "text.sqlite").write_text("this is no database" * 100)
    with pytest.raises(StoreUnavailable, match="check KDVIZ_STORE"):
        Store(f"sqlite:///{tmp_path / 'text.sqlite'}")


def test_a_store_of_a_newer_kdviz_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "newer.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("create table alembic_version (version_num varchar(32))")
    connection.execute("insert into alembic_version values ('9999_future')")
    connection.commit()
    connection.close()
    with pytest.raises(UserError, match="newer kdviz"):
        Store(f"sqlite:///{file}")


def test_a_full_disk_loses_nothing_that_was_written(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    claimed = store.claim()
    assert claimed is not None
    store.write(run_id, claimed.attempt, [point(0, 0)], 0, 10)
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    sa.event.listen(store.engine, "checkout", lambda c, *_: c.execute(f"pragma max_page_count={pages}"))
    with pytest.raises(sa.exc.OperationalError, match="full"):
        store.write(run_id, claimed.attempt, [point(0, 5)], 5, 10, b"x" * 1_000_000)
    assert [p["step"] for p in store.points(run_id)] == [0]
    run = store.run(run_id)
    assert run is not None and run.step == 0


def test_bad_settings_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from kdviz import settings

    monkeypatch.setenv("KDVIZ_STORE", "mysql://nowhere")
    with pytest.raises(InvalidValue, match="KDVIZ_STORE must be a SQLAlchemy URL"):
        settings.store_url()
    for wrong in ("0", "-1", "many", "1.5", "1000"):
        monkeypatch.setenv("KDVIZ_WORKERS", wrong)
        with pytest.raises(InvalidValue, match="KDVIZ_WORKERS must be a whole number"):
            settings.workers()
    monkeypatch.setenv("KDVIZ_SCHEDULER", "tcp://127.0.0.1:1")
    with pytest.raises(InvalidValue, match="has no TLS"):
        settings.scheduler()
    monkeypatch.setenv("KDVIZ_INSECURE_SCHEDULER", "1")
    assert settings.scheduler() == "tcp://127.0.0.1:1"
    monkeypatch.setenv("KDVIZ_SCHEDULER", "nonsense")
    with pytest.raises(InvalidValue, match="must be an address"):
        settings.scheduler()


# Pause, pace, and the attempts of a reader.


def test_a_run_that_waits_pauses_at_once_and_one_in_training_is_asked_to(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    store.request_pause(run_id)
    assert (run := store.run(run_id)) is not None and run.state == "paused" and not run.over
    assert store.claim() is None
    store.resume(run_id)
    claimed = store.claim()
    assert claimed is not None and not claimed.pause_requested
    assert store.renew(run_id, claimed.attempt) == Asked(stop=False, pause=False, pace=1.0)
    store.request_pause(run_id)
    store.set_pace(run_id, 1 / 16)
    assert store.renew(run_id, claimed.attempt) == Asked(stop=False, pause=True, pace=1 / 16)
    store.finish(run_id, claimed.attempt, "paused")
    assert (run := store.run(run_id)) is not None and (run.state, run.ended) == ("paused", None)
    store.request_stop(run_id)
    assert (run := store.run(run_id)) is not None and run.state == "stopped" and run.ended


def test_a_pause_that_was_asked_of_a_worker_that_died_is_kept(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    assert store.claim() is not None
    store.request_pause(run_id)
    expire(store)
    assert store.claim() is None
    assert (run := store.run(run_id)) is not None and run.state == "paused"


def test_a_reader_may_pause_and_resume_as_often_as_he_likes(store: Store) -> None:
    run_id = store.add_run(RunSpec())
    for _ in range(2 * MAX_ATTEMPTS):
        claimed = store.claim()
        assert claimed is not None
        store.request_pause(run_id)
        store.finish(run_id, claimed.attempt, "paused")
        store.resume(run_id)
    for _ in range(MAX_ATTEMPTS):  # while a worker that dies again and again is given up
        assert store.claim() is not None
        expire(store)
    assert store.claim() is None
    assert (run := store.run(run_id)) is not None and run.state == "failed"


def test_news_are_how_far_a_run_is_and_the_points_since(store: Store) -> None:
    assert store.news("nobody", 0) == (None, [])
    run_id = store.add_run(RunSpec())
    assert store.claim() is not None
    store.write(run_id, 1, [point(0, 10), point(1, 10)], 10, 100)
    stand, first = store.news(run_id, 0)
    assert stand is not None and (stand.state, stand.step, stand.steps, stand.pace) == ("running", 10, 100, 1.0)
    store.write(run_id, 1, [point(0, 20)], 20, 100)
    assert [new["step"] for new in store.news(run_id, first[-1]["id"])[1]] == [20]


def test_a_store_from_before_pauses_is_brought_up_to_date_with_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    with monkeypatch.context() as before:
        before.setattr(schema, "HEAD", "0001_first")
        schema.upgrade(sa.create_engine(url))
    spec = RunSpec()
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.execute(
            "insert into runs (id, name, spec, state, attempt, stop_requested, created, step, steps) values (?,?,?,?,?,?,?,?,?)",
            ("old", "mine", spec.to_json(), "queued", 0, False, 1.0, 0, 0),
        )
    store = Store(url)
    claimed = store.claim()
    assert claimed is not None and (claimed.name, claimed.spec, claimed.pace) == ("mine", spec, 1.0)
    assert store.renew("old", 1) == Asked(stop=False, pause=False, pace=1.0)
    store.close()
