"""What a worker process does: trains a claimed run, or answers a question, writing everything into the store.

Loaded into every Dask worker before it takes work (`dask_setup`), so that torch is there before anyone presses Start.
"""

from __future__ import annotations

import io
import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from kdviz import pace, settings, teachers
from kdviz.errors import UserError
from kdviz.i18n import N_
from kdviz.spec import RunSpec
from kdviz.store import LeaseLost, Run, Store, open_store

log = logging.getLogger("kdviz.worker")

RENEW_SECONDS = 1.0
CHECKPOINT_SECONDS = {1_000_000: 0.0, 50_000_000: 2.0}
"""Least seconds between two checkpoints of at most so many bytes; ten for larger ones."""


def dask_setup(_worker: Any) -> None:
    """Make a new worker process ready by a short run, so that the first one asked for pays for nothing; then low priority."""
    from kdviz import run

    try:
        prepared = run.prepare(RunSpec(epochs=1, seeds=2))
        *_, last = prepared.training()
        run.result(prepared, last)
        last.checkpoint()
        _kept(prepared, last)
    except UserError as error:  # a damaged teacher, say: the runs that want it will say so themselves
        log.warning("a worker could not warm up: %s", error)
    os.nice(10)


def calibration() -> dict[str, float]:
    """Measure this worker's machine, for the seconds that a page expects of a run."""
    return pace.calibrate(settings.workers().threads)


class Lease(threading.Thread):
    """Keeps a run's lease while it trains and hears whether it is asked to stop, once a second, beside the training."""

    def __init__(self, store: Store, run: Run) -> None:
        super().__init__(daemon=True)
        self.store, self.run_id, self.attempt = store, run.id, run.attempt
        self.stop, self.lost, self.ended = threading.Event(), threading.Event(), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(RENEW_SECONDS / 4):
            try:
                if self.store.renew(self.run_id, self.attempt):
                    self.stop.set()
            except LeaseLost:
                self.lost.set()
                return
            except Exception:
                log.exception("the lease of run %s could not be renewed; trying again", self.run_id)

    def should_stop(self) -> bool:
        return self.stop.is_set() or self.lost.is_set()


def train_run(store_url: str, run_id: str, attempt: int) -> None:
    """Train a claimed run to its end, from its checkpoint if it has one. Whatever goes wrong is written on the run's row."""
    store = open_store(store_url)
    claimed = store.run(run_id)
    if claimed is None or claimed.attempt != attempt:
        return
    lease = Lease(store, claimed)
    lease.start()
    try:
        _train(store, claimed, lease)
    except LeaseLost:
        log.info("run %s: attempt %s was taken over", run_id, attempt)
    except UserError as error:
        _fail(store, claimed, error)
    except MemoryError:
        _fail(store, claimed, UserError(N_("the memory of this machine did not suffice: use fewer or smaller students")))
    except Exception as error:
        log.exception("run %s failed", run_id)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        _fail(store, claimed, UserError(N_("it stopped with an unexpected error ({reason})"), reason=reason))
    finally:
        lease.ended.set()
        lease.join()


def _fail(store: Store, claimed: Run, error: UserError) -> None:
    try:
        store.finish(claimed.id, claimed.attempt, "failed", error=error)
    except LeaseLost:
        log.info("run %s was taken over before it could be marked as failed", claimed.id)


def _train(store: Store, claimed: Run, lease: Lease) -> None:
    from kdviz import run

    prepared = run.prepare(claimed.spec, earlier=claimed.settings)
    checkpoint = store.checkpoint(claimed.id)
    size = 12 * sum(stack.plan.network.parameters * len(stack.students) for stack in prepared.stacks)
    apart = next((seconds for limit, seconds in CHECKPOINT_SECONDS.items() if size <= limit), 10.0)
    where = {"host": platform.node(), "process": os.getpid(), "attempt": claimed.attempt}
    saved = time.monotonic()
    last = None
    for last in prepared.training(checkpoint, lease.should_stop):
        kept = None
        if time.monotonic() - saved >= apart:
            kept, saved = last.checkpoint(), time.monotonic()
        points = [asdict(point) for point in last.points]
        store.write(claimed.id, claimed.attempt, points, last.step, last.steps, kept, {**prepared.settings, **where})
        if lease.should_stop():
            break
    if lease.lost.is_set():
        raise LeaseLost(claimed.id)
    judged = last is not None and None not in last.latest
    result = run.result(prepared, last) if last is not None and judged else None
    if last is None or not last.complete:
        store.finish(claimed.id, claimed.attempt, "stopped", result)
        return
    store.finish(claimed.id, claimed.attempt, "done", result, _kept(prepared, last))
    if checkpoint is None:
        store.set_fact(pace.key(claimed.spec), (time.time() - (claimed.started or 0.0)) / last.steps)


def _kept(prepared: Any, last: Any) -> list[dict[str, bytes]]:
    """Return each student's weights, logits on the images that judge, and which of those it answers rightly."""
    import safetensors.torch

    from kdviz import run

    correct, logits = run.correctness(last, prepared), last.test_logits()
    return [
        {
            "weights": safetensors.torch.save({key: t.contiguous().cpu() for key, t in last.parameters(s).items()}),
            "test_logits": _npy(logits[s].float().cpu().numpy()),
            "correct": _npy(np.packbits(correct[s])),
        }
        for s in range(len(correct))
    ]


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# Questions.


def answer_question(store_url: str, question_id: str, attempt: int) -> None:
    """Answer a claimed question; a mistake becomes its error."""
    store = open_store(store_url)
    question = store.question(question_id)
    if question is None or question.attempt != attempt:
        return
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                store.answer(question_id, attempt)
            except LeaseLost:
                return

    threading.Thread(target=keep, daemon=True).start()

    def progress(stage: str, share: float) -> None:
        store.answer(question_id, attempt, progress={"stage": stage, "share": share})

    try:
        answer = QUESTIONS[question.kind](question.payload, progress)
        ended.set()
        store.answer(question_id, attempt, answer=answer, state="done")
    except LeaseLost:
        log.info("question %s was taken over", question_id)
    except UserError as error:
        store.answer(question_id, attempt, error=error, state="failed")
    except Exception as error:
        log.exception("question %s failed", question_id)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        unexpected = UserError(N_("it stopped with an unexpected error ({reason})"), reason=reason)
        store.answer(question_id, attempt, error=unexpected, state="failed")
    finally:
        ended.set()


def _prepare(payload: dict[str, Any], progress: Callable[[str, float], None]) -> dict[str, Any]:
    """Prepare a dataset and the logits of all its teachers: {"dataset": name} -> {"images": n}."""
    import torch

    from kdviz.data.prepare import prepare

    torch.set_num_threads(settings.workers().threads)
    dataset = prepare(payload["dataset"], progress)
    cards = [card for card in teachers.cards() if card.dataset == dataset.name]
    for number, card in enumerate(cards):
        progress("logits", number / len(cards))
        teachers.logits(card, dataset)
    return {"images": len(dataset.labels)}


QUESTIONS: dict[str, Callable[[dict[str, Any], Callable[[str, float], None]], dict[str, Any]]] = {"prepare": _prepare}
