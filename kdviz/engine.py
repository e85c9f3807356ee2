"""The engine: one process that owns the workers and hands them what waits in the store. `python -m kdviz engine`.

Dask runs the workers, in processes of their own, always by address: on this machine over TLS on the loopback, with
certificates made at each start and kept in memory alone, or on the cluster of KDVIZ_SCHEDULER. Dask gets one task for each
free slot, keyed by run and attempt; the queue, the leases and all results are the store's, so that this process and any
worker may die at any moment. One engine per store: it holds a lock file, and an app that finds a living engine adopts it
(kdviz.keeper).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kdviz import keeper, pace, settings
from kdviz.errors import UserError
from kdviz.i18n import N_
from kdviz.store import Store, open_store

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger("kdviz.engine")

LOOK_SECONDS = 0.05
STATE = "engine"  # the fact in the store that says how the engine is
STATE_SECONDS = 1.0
SILENT_SECONDS = 5.0
IDLE_SECONDS = 60.0
QUESTIONS_AT_ONCE = 2
STARTING_SECONDS = 60.0  # an engine is believed to be starting for this long before it says so itself


class EngineRunning(UserError):
    """Another engine already serves this store."""


def serve(for_app: bool = False) -> None:
    """Serve the store until told to end (SIGTERM, SIGINT); for_app: or until no app was seen for a minute and nothing runs.

    Raises EngineRunning where another engine holds the lock of this store.
    """
    url = settings.store_url()
    settings.workers()
    settings.scheduler()  # a wrong value is said before anything is made
    lock = FileLock(keeper.file(url, "lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise EngineRunning(N_("an engine already serves this store: end it first, or let it work")) from None
    with lock:
        store = open_store(url)
        began = time.time()
        store.set_fact(STATE, {"pid": os.getpid(), "began": began, "ready": None, "seen": began + STARTING_SECONDS})
        ended = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_arguments: ended.set())
        with _workers() as (client, workers):
            Dispatcher(store, client, workers).run(ended, keeper.file(url, "alive") if for_app else None)


@contextlib.contextmanager
def _workers() -> Iterator[tuple[Client, int]]:
    """Yield a Dask client and the number of runs that train at once."""
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster
    from distributed.security import Security

    # A task whose worker died is this process's affair: Dask must not run it again by itself.
    # And a worker that takes long to come back, on a busy machine, is still ours: by default its place is given up after 15 s.
    dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.deploy.lost-worker-timeout": "365 days"})
    logging.getLogger("distributed").setLevel(logging.WARNING)
    wanted = settings.workers()
    address = settings.scheduler()
    if address is not None:
        with Client(address, name="kdviz-engine", timeout=20) as client:
            yield client, wanted.count
        return
    security = Security.temporary()
    common: dict[str, Any] = {
        "security": security,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "nthreads": 1,
        "memory_limit": 0,
        "preload": ["kdviz.worker"],
        "env": {
            "OMP_NUM_THREADS": str(wanted.threads),
            "GOMP_SPINCOUNT": "5000",
            "DASK_LOGGING__DISTRIBUTED": "warning",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        },
        "dashboard": False,
    }
    slots = {f"train-{n}": {"cls": Nanny, "options": {**common, "resources": {"train": 1}}} for n in range(wanted.count)}
    # Two threads: a quick question is answered while a long one is at work.
    slots["questions"] = {"cls": Nanny, "options": {**common, "nthreads": 2, "resources": {"question": 2}}}
    scheduler = {
        "cls": Scheduler,
        "options": {
            "host": "127.0.0.1",
            "protocol": "tls://",
            "security": security,
            "dashboard": False,
            "port": 0,
            "dashboard_address": "127.0.0.1:0",
        },
    }
    with (
        SpecCluster(workers=slots, scheduler=scheduler, security=security, silence_logs=logging.ERROR) as cluster,
        Client(cluster, name="kdviz-engine") as client,
    ):
        yield client, wanted.count


class Dispatcher:
    """Hands waiting runs and questions to free slots, and says in the store how the engine is."""

    def __init__(self, store: Store, client: Client, slots: int) -> None:
        self.store, self.client, self.slots = store, client, slots
        self.training: dict[tuple[str, int], Future[Any]] = {}
        self.answering: dict[tuple[str, int], Future[Any]] = {}
        self.long: tuple[str, int] | None = None  # the long question that was handed out last
        self.ready: float | None = None
        self.calibration: Future[Any] | None = None
        self.calibrated = store.fact(pace.CALIBRATION) is not None

    def run(self, ended: threading.Event, alive: Path | None) -> None:
        """Work until `ended`, or until the file `alive` is older than a minute while nothing runs."""
        said = 0.0
        began = idle_since = time.time()
        while not ended.wait(LOOK_SECONDS):
            try:
                self.look()
                now = time.time()
                if self.training or self.answering:
                    idle_since = now
                if now - said > STATE_SECONDS:
                    said = now
                    self.say(began, now)
                    if alive is not None and now - max(idle_since, _modified(alive)) > IDLE_SECONDS:
                        log.info("no app for %s s and nothing to do: ending", IDLE_SECONDS)
                        return
            except Exception:
                log.exception("the engine stumbled and goes on")
                time.sleep(1.0)
        self.say(began, 0.0)

    def look(self) -> None:
        """Notice what has ended and hand out what waits."""
        from kdviz import worker

        for held in (self.training, self.answering):
            for (name, attempt), future in list(held.items()):
                if future.done():
                    del held[name, attempt]
                    if held is self.training and future.status != "finished":
                        log.warning("the worker of run %s died", name)
                        self.store.release(name, attempt)
        while len(self.training) < self.slots and (run := self.store.claim()) is not None:
            self.training[run.id, run.attempt] = self.client.submit(
                worker.train_run, self.store.url, run.id, run.attempt,
                key=f"run-{run.id}-{run.attempt}", resources={"train": 1}, pure=False,
            )  # fmt: skip
        while len(self.answering) < QUESTIONS_AT_ONCE:
            question = self.store.claim_question(except_kinds=worker.LONG if self.long in self.answering else ())
            if question is None:
                break
            if question.kind in worker.LONG:
                self.long = (question.id, question.attempt)
            self.answering[question.id, question.attempt] = self.client.submit(
                worker.answer_question, self.store.url, question.id, question.attempt,
                key=f"question-{question.id}-{question.attempt}", resources={"question": 1}, pure=False,
            )  # fmt: skip

    def say(self, began: float, now: float) -> None:
        """Write the engine's state into the store; `seen` 0 means that it has ended."""
        workers = len(self.client.scheduler_info(n_workers=-1)["workers"]) if now else 0
        if self.ready is None and workers > self.slots:
            self.ready = now
        if self.ready is not None and not self.calibrated:
            self._ask_speed(now)
        self.store.set_fact(
            STATE,
            {"pid": os.getpid(), "began": began, "ready": self.ready, "seen": now, "workers": workers, "slots": self.slots},
        )

    def _ask_speed(self, now: float) -> None:
        """Let the slot of questions measure this machine, once for each store: a run need not wait for it."""
        from kdviz import worker

        if self.calibration is None:
            self.calibration = self.client.submit(
                worker.calibration, key=f"calibration-{now}", resources={"question": 1}, pure=False
            )
        elif self.calibration.done():
            if self.calibration.status == "finished":
                self.store.set_fact(pace.CALIBRATION, self.calibration.result())
                self.calibrated = True
            self.calibration = None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def state(store: Store) -> str:
    """Return `ready`, `starting` or `absent`."""
    said = store.fact(STATE)
    if said is None or time.time() - said["seen"] > SILENT_SECONDS:
        return "absent"
    return "ready" if said["ready"] is not None else "starting"
