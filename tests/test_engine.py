"""The engine as the app starts it, in processes of its own: runs, stops, kills, questions. Real workers, real kills."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import pytest

from kdviz import data, engine, run, settings, teachers
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import Run, Store, open_store, shown_error

ROOT = Path(__file__).parent.parent
PATIENCE = 150.0
T = TypeVar("T")


def wait_for(what: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Return the first thing that is neither None nor False."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := what()) is not None and found is not False:
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("engine")
    mine = {"KDVIZ_STORE": f"sqlite:///{home / 'kdviz.sqlite'}", "XDG_DATA_HOME": str(home), "KDVIZ_WORKERS": "1"}
    if "KDVIZ_DATA" not in os.environ:
        mine["KDVIZ_DATA"] = str(home / "data")
    return {**os.environ, **mine}


@pytest.fixture(scope="module")
def process(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The engine's process, ready, serving the module's store; ended after the module."""
    with (Path(environment["XDG_DATA_HOME"]) / "engine.log").open("w") as words:
        started = subprocess.Popen([sys.executable, "-m", "kdviz", "engine"], cwd=ROOT, env=environment, stderr=words)
    store = open_store(environment["KDVIZ_STORE"])
    wait_for(lambda: engine.state(store) == "ready")
    yield started
    children = psutil.Process(started.pid).children(recursive=True)
    started.terminate()
    started.wait(timeout=60)
    _gone, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


@pytest.fixture
def store(process: subprocess.Popen[bytes], environment: dict[str, str]) -> Store:
    return open_store(environment["KDVIZ_STORE"])


def over(store: Store, run_id: str) -> Run:
    def look() -> Run | None:
        found = store.run(run_id)
        return found if found is not None and found.over else None

    return wait_for(look)


def steps_seen(store: Store, run_id: str) -> int:
    return len({point["step"] for point in store.points(run_id)})


def in_plain(spec: RunSpec) -> list[tuple[object, ...]]:
    """Return the points of an undisturbed training in this process."""
    import torch

    threads = torch.get_num_threads()
    prepared = run.prepare(spec, earlier={"threads": 1})
    points = [point for progress in prepared.training() for point in progress.points]
    torch.set_num_threads(threads)
    return sorted((p.student, p.step, p.accuracy, p.errors, p.agreement, p.kl, p.loss_soft, p.loss_hard) for p in points)


def in_store(store: Store, run_id: str) -> list[tuple[object, ...]]:
    names = ("student", "step", "accuracy", "errors", "agreement", "kl", "loss_soft", "loss_hard")
    return sorted(tuple(point[name] for name in names) for point in store.points(run_id))


SPEC = RunSpec(epochs=60, seeds=3)


def test_a_run_whose_worker_is_killed_three_times_gives_the_points_of_an_undisturbed_one(store: Store) -> None:
    run_id = store.add_run(SPEC)
    killed: list[int] = []
    for count in (1, 5, 9):
        wait_for(lambda count=count: steps_seen(store, run_id) >= count)  # type: ignore[misc]

        def worker() -> int | None:
            claimed = store.run(run_id)
            process = claimed.settings["process"] if claimed is not None and claimed.settings else None
            return process if process not in killed else None

        victim = wait_for(worker)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)
    ended = over(store, run_id)
    assert ended.state == "done"
    assert ended.attempt == 4
    assert in_store(store, run_id) == in_plain(SPEC)
    assert ended.result is not None and len(ended.result["students"]) == 6
    outcome = store.outcome(run_id, 5)
    assert outcome is not None and len(outcome["weights"]) > 4 * ended.result["students"][5]["parameters"]
    assert store.checkpoint(run_id) is None


def test_a_server_that_is_killed_three_times_finds_its_run_going_on(store: Store, environment: dict[str, str]) -> None:
    """The servers here adopt the engine that is there; that they start one themselves is seen by the browser tests."""
    run_id = store.add_run(SPEC)
    for count in (1, 4, 8):
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", "--server.port=0"],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda count=count: steps_seen(store, run_id) >= count)  # type: ignore[misc]
        server.kill()
        server.wait()
    ended = over(store, run_id)
    assert (ended.state, ended.attempt) == ("done", 1)
    assert in_store(store, run_id) == in_plain(SPEC)


def test_stop_keeps_what_was_computed_and_frees_the_worker(store: Store) -> None:
    run_id = store.add_run(RunSpec(epochs=1000))
    wait_for(lambda: steps_seen(store, run_id) >= 2)
    store.request_stop(run_id)
    ended = over(store, run_id)
    assert ended.state == "stopped"
    assert 0 < ended.step < ended.steps
    assert ended.result is not None and ended.result["comparisons"][0]["mean"] is not None
    assert len(store.points(run_id)) == 10 * steps_seen(store, run_id)
    store.resume(run_id)
    again = wait_for(
        lambda: found if (found := store.run(run_id)) and found.state == "running" and found.step > ended.step else None
    )
    assert again.result is None and again.attempt == ended.attempt + 1
    store.request_stop(run_id)
    assert over(store, run_id).step > ended.step
    next_id = store.add_run(RunSpec(epochs=1, seeds=2))
    assert over(store, next_id).state == "done"


def test_a_teacher_is_trained_as_a_run_and_stands_in_the_gallery(store: Store, environment: dict[str, str]) -> None:
    spec = TeacherSpec("digits", "mlp-9-x2", epochs=400)
    run_id = store.add_run(spec)
    begun = wait_for(lambda: found if (found := store.run(run_id)) and 0 < found.step < found.steps else None)
    store.request_stop(run_id)
    stopped = over(store, run_id)
    assert stopped.state == "stopped" and begun.spec == spec
    store.delete(run_id)
    run_id = store.add_run(TeacherSpec("digits", "mlp-9-x2", epochs=2))
    ended = over(store, run_id)
    assert ended.state == "done" and ended.result is not None, ended.error
    teacher = ended.result["teacher"]
    assert teacher["name"] == "digits-mlp-9-x2" and len(teacher["member_errors"]) == 2
    folder = Path(environment["KDVIZ_DATA"])
    try:
        card = json.loads((folder / "teachers" / "digits-mlp-9-x2.json").read_text("utf-8"))
        assert (card["members"], card["errors"]) == (2, teacher["errors"])
        assert len(list((folder / "logits").glob("digits-mlp-9-x2-*.npy"))) >= 2
    finally:  # where KDVIZ_DATA is somebody's own, nothing of this test stays there
        for left in [*folder.glob("teachers/digits-mlp-9-x2.*"), *folder.glob("logits/digits-mlp-9-x2-*")]:
            left.unlink()


def test_a_deleted_run_does_not_hold_its_worker(store: Store) -> None:
    run_id = store.add_run(RunSpec(epochs=1000))
    wait_for(lambda: steps_seen(store, run_id) >= 1)
    store.delete(run_id)
    assert over(store, store.add_run(RunSpec(epochs=1, seeds=2))).state == "done"
    assert store.points(run_id) == []


def test_a_run_that_fails_says_why_on_its_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = store.add_run(RunSpec(teacher="mlp-7"))
    ended = over(store, run_id)
    assert ended.state == "failed" and ended.error is not None
    assert "mlp-7" in shown_error(ended.error) and "cnn" in shown_error(ended.error)


def test_questions_are_answered_while_every_training_slot_is_taken(store: Store) -> None:
    run_id = store.add_run(RunSpec(epochs=1000))
    wait_for(lambda: steps_seen(store, run_id) >= 1)
    digits = data.load("digits")
    seen = np.asarray(digits.split("test").pixels[:3])
    prepared = store.ask("prepare", {"dataset": "digits"})
    asked = store.ask("see", {"dataset": "digits", "teacher": "cnn-x5", "pixels": base64.b64encode(seen.tobytes()).decode()})
    for question in (prepared, asked):
        wait_for(lambda question=question: (q := store.question(question)) is not None and q.state == "done")  # type: ignore[misc]
    answered, training = store.question(prepared), store.run(run_id)
    assert answered is not None and answered.answer == {"images": 1797}
    assert training is not None and training.state == "running"
    answered = store.question(asked)
    assert answered is not None and answered.answer is not None
    stored = teachers.stored_logits(teachers.find("digits", "cnn-x5"), digits)
    assert stored is not None
    np.testing.assert_allclose(answered.answer["logits"], stored[digits.slice("test")][:3], rtol=1e-3, atol=1e-3)
    assert np.shape(answered.answer["members"]) == (5, 3, 10) and answered.answer["far"] == [False] * 3
    store.request_stop(run_id)
    over(store, run_id)


def test_a_question_that_cannot_be_answered_says_why(store: Store) -> None:
    asked = store.ask("prepare", {"dataset": "atlantis"})
    wait_for(lambda: (q := store.question(asked)) is not None and q.state == "failed")
    answered = store.question(asked)
    assert answered is not None and answered.error is not None
    assert "atlantis" in shown_error(answered.error)


def test_workers_have_low_priority_and_listen_on_loopback_only(process: subprocess.Popen[bytes], store: Store) -> None:
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    assert {worker.nice() for worker in workers} == {10}
    listening = [
        connection.laddr.ip
        for one in (psutil.Process(process.pid), *workers)
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_one_store_has_one_engine(process: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "kdviz", "engine"]
    second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "already serves" in second.stderr
    quiet = subprocess.run([*command, "--for-app"], cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE, check=False)
    assert quiet.returncode == 0


def test_the_state_of_an_engine_is_read_from_the_store(store: Store, tmp_path: Path) -> None:
    assert engine.state(store) == "ready"
    other = Store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert engine.state(other) == "absent"
    other.set_fact(engine.STATE, {"seen": time.time(), "ready": None})
    assert engine.state(other) == "starting"
    other.close()


def test_the_store_of_the_tests_is_not_the_users(environment: dict[str, str]) -> None:
    assert settings.store_url() != environment["KDVIZ_STORE"]
