"""Pause, resume and slow motion of a run in a worker: none of them changes a number."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from kdviz import pace, settings, worker
from kdviz.spec import RunSpec
from kdviz.store import Store, open_store

pytestmark = pytest.mark.usefixtures("one_thread")

SPEC = RunSpec(student=("linear",), fraction=(0.2,), temperature=(4.0,), seeds=2, epochs=150)
NUMBERS = ("student", "step", "epoch", "accuracy", "errors", "agreement", "kl", "loss_soft", "loss_hard")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store(settings.store_url())
    yield opened
    opened.close()


class Training(threading.Thread):
    """A worker that takes the next run of the store and trains it."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        claimed = store.claim()
        assert claimed is not None
        self.store, self.run_id, self.attempt = store, claimed.id, claimed.attempt
        self.start()

    def run(self) -> None:
        worker.train_run(self.store.url, self.run_id, self.attempt)

    def ended(self) -> str:
        self.join(60)
        run = self.store.run(self.run_id)
        assert run is not None
        return run.state


def numbers(store: Store, run_id: str) -> list[tuple[float, ...]]:
    return sorted(tuple(point[name] for name in NUMBERS) for point in store.points(run_id))


@pytest.fixture
def undisturbed(store: Store) -> list[tuple[float, ...]]:
    run_id = store.add_run(SPEC)
    assert Training(store).ended() == "done"
    return numbers(store, run_id)


def evaluated(store: Store, run_id: str, evaluations: int) -> None:
    """Wait until so many evaluations of a run are written."""
    end = time.monotonic() + 60
    while len({point["step"] for point in store.points(run_id)}) < evaluations:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_paused_run_goes_on_to_the_same_numbers_and_slow_motion_changes_none(
    store: Store, undisturbed: list[tuple[float, ...]]
) -> None:
    fact = store.fact(pace.key(SPEC))
    run_id = store.add_run(SPEC)
    store.set_pace(run_id, 1 / 4)  # so that there is time to pause it
    began = time.monotonic()
    training = Training(store)
    evaluated(store, run_id, 3)
    store.request_pause(run_id)
    assert training.ended() == "paused"
    kept = numbers(store, run_id)
    assert 0 < len(kept) < len(undisturbed) and store.checkpoint(run_id) is not None
    time.sleep(0.3)
    assert numbers(store, run_id) == kept and store.claim() is None  # it waits until somebody resumes it
    store.resume(run_id)
    assert Training(store).ended() == "done"
    took = time.monotonic() - began
    assert numbers(store, run_id) == undisturbed
    assert store.points(run_id)[-1]["seconds"] < took / 2  # the seconds of training are without pause and waiting
    assert store.fact(pace.key(SPEC)) == fact  # and nobody expects the next run to take as long


def test_a_change_of_pace_counts_while_a_run_trains(store: Store) -> None:
    run_id = store.add_run(SPEC)
    store.set_pace(run_id, 1 / 16)
    training = Training(store)
    evaluated(store, run_id, 2)
    time.sleep(1.0)
    slow = len(store.points(run_id))
    store.set_pace(run_id, 1.0)
    changed = time.monotonic()
    assert training.ended() == "done"
    assert slow < len(store.points(run_id)) == 4 * len({point["step"] for point in store.points(run_id)})
    assert time.monotonic() - changed < 20


def test_a_run_in_slow_motion_stops_at_once(store: Store) -> None:
    run_id = store.add_run(SPEC)
    store.set_pace(run_id, 1 / 16)
    training = Training(store)
    evaluated(store, run_id, 2)
    store.request_stop(run_id)
    asked = time.monotonic()
    assert training.ended() == "stopped"
    assert time.monotonic() - asked < 5


@pytest.mark.parametrize(("slow", "least", "most"), [(1.0, 0.0, 0.02), (1 / 4, 0.29, 0.6), (1 / 16, 1.45, 2.0)])
def test_a_worker_sleeps_as_the_pace_says(store: Store, slow: float, least: float, most: float) -> None:
    store.add_run(SPEC)
    claimed = store.claim()
    assert claimed is not None
    lease = worker.Lease(store, claimed)
    lease.pace = slow
    lease.between_steps()
    lease.at_work_since = time.perf_counter() - 0.1  # a tenth of a second of work
    began = time.perf_counter()
    assert not lease.between_steps()
    assert least <= time.perf_counter() - began <= most
