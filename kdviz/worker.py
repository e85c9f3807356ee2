"""What a worker process does: trains a claimed run, or answers a question, writing everything into the store.

Loaded into every Dask worker before it takes work (`dask_setup`), so that torch is there before anyone presses Start.
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import os
import platform
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kdviz import data, experiments, models, pace, settings, teachers
from kdviz.data import archive, nearness
from kdviz.data import folder as folders
from kdviz.data.folder import Report, Stopped
from kdviz.errors import UserError
from kdviz.experiments import running
from kdviz.i18n import N_
from kdviz.spec import RunSpec, TeacherSpec
from kdviz.store import LeaseLost, Question, Run, Store, open_store

Progress = Callable[[str, float], None]
"""Called with what is being done of a question and which share of it, 0..1; raises LeaseLost once it is withdrawn."""
Stop = Callable[[], bool]
"""Whether a question has been withdrawn: then kdviz.data.folder.Stopped ends the work on it."""

log = logging.getLogger("kdviz.worker")

RENEW_SECONDS = 1.0
CHECKPOINT_SECONDS = {1_000_000: 0.0, 50_000_000: 2.0}
"""Least seconds between two checkpoints of at most so many bytes; ten for larger ones."""
LEFT_SECONDS = 86_400
"""How long an upload that nobody decided on is kept."""


def dask_setup(_worker: Any) -> None:
    """Make a new worker process ready by a short run, so that the first one asked for pays for nothing; then low priority."""
    from kdviz import run

    try:
        prepared = run.prepare(RunSpec(epochs=1, seeds=2))
        *_, last = prepared.training()
        run.result(prepared, last)
        last.checkpoint()
        run.kept(prepared, last)
    except UserError as error:  # a damaged teacher, say: the runs that want it will say so themselves
        log.warning("a worker could not warm up: %s", error)
    os.nice(10)


def calibration() -> dict[str, float]:
    """Measure this worker's machine, for the seconds that a page expects of a run."""
    return pace.calibrate(settings.workers().threads)


class Lease(threading.Thread):
    """Keeps a run's lease while it trains and hears what is asked of it, four times a second, beside the training."""

    def __init__(self, store: Store, run: Run) -> None:
        super().__init__(daemon=True)
        self.store, self.run_id, self.attempt = store, run.id, run.attempt
        self.stop, self.lost, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.pausing = False
        self.pace = run.pace
        self.slowed = False
        self.at_work_since: float | None = None

    def run(self) -> None:
        while not self.ended.wait(RENEW_SECONDS / 4):
            try:
                asked = self.store.renew(self.run_id, self.attempt)
                self.pace = asked.pace
                if asked.stop or asked.pause:
                    self.pausing = not asked.stop
                    self.stop.set()
            except LeaseLost:
                self.lost.set()
                return
            except Exception:
                log.exception("the lease of run %s could not be renewed; trying again", self.run_id)

    def should_stop(self) -> bool:
        return self.stop.is_set() or self.lost.is_set()

    def between_steps(self) -> bool:
        """Sleep for as long as the run's pace demands after the work since the last call; return whether to stop."""
        now = time.perf_counter()
        worked = now - (self.at_work_since or now)
        while not self.should_stop() and (left := now + worked * (1 / self.pace - 1) - time.perf_counter()) > 0:
            self.slowed = True
            time.sleep(min(left, 0.05))  # a change of the pace counts at once
        self.at_work_since = time.perf_counter()
        return self.should_stop()


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
    from kdviz import run, teacher_run

    teaching = isinstance(claimed.spec, TeacherSpec)
    prepared: Any = (teacher_run if teaching else run).prepare(claimed.spec, earlier=claimed.settings)
    checkpoint = store.checkpoint(claimed.id)
    size = 12 * sum(stack.plan.network.parameters * len(stack.students) for stack in prepared.stacks)
    apart = next((seconds for limit, seconds in CHECKPOINT_SECONDS.items() if size <= limit), 10.0)
    where = {"host": platform.node(), "process": os.getpid(), "attempt": claimed.attempt}
    saved = time.monotonic()
    last = None
    for last in prepared.training(checkpoint, lease.between_steps):
        kept, stopping = None, lease.should_stop()
        if stopping or time.monotonic() - saved >= apart:
            kept, saved = last.checkpoint(), time.monotonic()
        points = [asdict(point) for point in last.points]
        store.write(claimed.id, claimed.attempt, points, last.step, last.steps, kept, {**prepared.settings, **where})
        if stopping:
            break
    if lease.lost.is_set():
        raise LeaseLost(claimed.id)
    judged = last is not None and None not in last.latest
    if last is None or not last.complete:
        result = run.result(prepared, last) if last is not None and judged and not teaching else None
        store.finish(claimed.id, claimed.attempt, "paused" if lease.pausing else "stopped", result)
        return
    if teaching:
        card = teacher_run.save(prepared, last, settings.data_folder() / "teachers")
        teachers.logits(card, prepared.dataset)
        store.finish(claimed.id, claimed.attempt, "done", teacher_run.result(prepared, last))
    else:
        store.finish(claimed.id, claimed.attempt, "done", run.result(prepared, last), run.kept(prepared, last))
    if checkpoint is None and not lease.slowed:
        store.set_fact(pace.key(claimed.spec), (time.time() - (claimed.started or 0.0)) / last.steps)


# Questions.


def answer_question(store_url: str, question_id: str, attempt: int) -> None:
    """Answer a claimed question; a mistake becomes its error, and one that is withdrawn is given up."""
    store = open_store(store_url)
    question = store.question(question_id)
    if question is None or question.attempt != attempt:
        return
    ended, withdrawn = threading.Event(), threading.Event()

    def keep() -> None:
        while not ended.wait(RENEW_SECONDS / 4):
            try:
                store.answer(question_id, attempt)
            except LeaseLost:
                withdrawn.set()
                return

    threading.Thread(target=keep, daemon=True).start()

    def progress(stage: str, share: float) -> None:
        store.answer(question_id, attempt, progress={"stage": stage, "share": share})

    try:
        answered = _answered(store, question, progress, withdrawn.is_set)
        ended.set()
        store.answer(question_id, attempt, **answered)
    except (LeaseLost, Stopped):
        log.info("question %s was withdrawn or taken over", question_id)
    finally:
        ended.set()


def _answered(store: Store, question: Question, progress: Progress, stop: Stop) -> dict[str, Any]:
    """Return what the store is to write of a question: its answer, or its error."""
    try:
        if question.kind == "conclude":
            return {"answer": _conclude(store, question.payload), "state": "done"}
        return {"answer": QUESTIONS[question.kind](question.payload, progress, stop), "state": "done"}
    except (LeaseLost, Stopped):
        raise
    except UserError as error:
        return {"error": error, "state": "failed"}
    except Exception as error:
        log.exception("question %s failed", question.id)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return {"error": UserError(N_("it stopped with an unexpected error ({reason})"), reason=reason), "state": "failed"}


def _prepare(payload: dict[str, Any], progress: Progress, stop: Stop) -> dict[str, Any]:
    """Prepare a dataset, what its images are like, and the logits of all its teachers: {"dataset": name} -> {"images": n}."""
    import torch

    from kdviz.data.prepare import ensure_nearness, prepare

    torch.set_num_threads(settings.workers().threads)
    dataset = prepare(payload["dataset"], progress, stop=stop)
    progress("nearness", 0.0)
    ensure_nearness(dataset)
    cards = teachers.of(dataset.name)
    for number, card in enumerate(cards):

        def answering(share: float, number: int = number) -> None:
            progress("logits", (number + share) / len(cards))

        answering(0.0)
        teachers.logits(card, dataset, progress=answering)
    return {"images": len(dataset.labels)}


def _see(payload: dict[str, Any], _progress: Progress, _stop: Stop) -> dict[str, Any]:
    """Answer with a teacher's logits for pictures of somebody's own.

    {"dataset", "teacher", "pixels": base64 of (n, height, width, channels) uint8}
    -> {"logits": (n, classes), "members": (members, n, classes), "far": for each whether it is unlike the training images,
    "farther": the share of held-out images that lie farther}; the last two are None where too little is known of the dataset.
    """
    card = teachers.find(payload["dataset"], payload["teacher"])
    dataset = data.load(card.dataset)
    network, parameters = _teacher(card.dataset, card.name, card.sha256)
    pixels = np.frombuffer(base64.b64decode(payload["pixels"]), np.uint8).reshape(-1, *dataset.shape)
    x = models.inputs(pixels, dataset.mean, dataset.std)
    members = teachers.member_logits(network, parameters, x)
    known = _nearness(card.dataset, dataset.sha256)
    return {
        "logits": members.mean(axis=0).tolist(),
        "members": members.tolist(),
        "far": None if known is None else nearness.is_far(known, pixels).tolist(),
        "farther": None if known is None else nearness.share_farther(known, pixels).tolist(),
    }


@lru_cache(maxsize=8)
def _nearness(dataset: str, _sha256: str) -> nearness.Nearness | None:
    from kdviz.data.prepare import ensure_nearness

    return ensure_nearness(data.load(dataset))


@lru_cache(maxsize=4)
def _teacher(dataset: str, name: str, _sha256: str) -> tuple[models.Architecture, models.Parameters]:
    return teachers.load(teachers.find(dataset, name))


def _inspect(payload: dict[str, Any], progress: Progress, _stop: Stop) -> dict[str, Any]:
    """Look through somebody's folder of images, or a zip of one, which is unpacked first and deleted.

    {"zip": a file in KDVIZ_DATA/uploads, "name": what its owner calls it} or {"folder": a path}
    -> {"name": own-..., "folder", "unpacked": its place in KDVIZ_DATA/folders or None, "report": see `_reported`}.
    """
    here, unpacked = settings.data_folder(), None
    for left in (*here.glob("uploads/*"), *here.glob("folders/*")):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                _delete(left)
    try:
        if "zip" in payload:
            name = folders.identifier(payload["name"], data.names())
            unpacked = secrets.token_hex(8)
            zipped = here / "uploads" / Path(payload["zip"]).name
            try:
                folder = archive.unpack(zipped, here / "folders" / unpacked / data.title(name), lambda s: progress("unpack", s))
            finally:
                zipped.unlink(missing_ok=True)
        else:
            folder = Path(payload["folder"])
            name = folders.identifier(folder.name, data.names())
        report = folders.inspect(folder, lambda share: progress("inspect", share))
    except BaseException:
        if unpacked is not None:
            _delete(here / "folders" / unpacked)
        raise
    return {"name": name, "folder": str(folder), "unpacked": unpacked, "report": _reported(report)}


def _reported(report: Report) -> dict[str, Any]:
    """Return what was found in a folder as plain values; sizes: the smallest, the median, the largest; faults: errors as JSON."""
    return {
        "classes": [list(each) for each in report.classes],
        "counts": list(report.counts),
        "sizes": [list(size) for size in (report.smallest, report.median, report.largest)],
        "grey": report.grey,
        "colour": report.colour,
        "faults": [fault.to_json() for fault in report.faults],
        "shape": list(folders.shape(report)),
    }


def _adopt(payload: dict[str, Any], progress: Progress, stop: Stop) -> dict[str, Any]:
    """Make a dataset of a folder that was looked through, under its name or, where that is taken, one like it.

    {"folder", "unpacked", "name"} as of `_inspect` -> {"name", "images": n, "classes": k}.
    """
    from kdviz.data.prepare import ensure_nearness, prepare_folder

    name = folders.identifier(payload["name"], data.names())
    dataset = prepare_folder(name, Path(payload["folder"]), progress, stop)
    progress("nearness", 0.0)
    ensure_nearness(dataset)
    if payload["unpacked"] is not None:
        _delete(settings.data_folder() / "folders" / Path(payload["unpacked"]).name)
    return {"name": name, "images": len(dataset.labels), "classes": len(dataset.class_names)}


def _conclude(store: Store, payload: dict[str, Any]) -> dict[str, Any]:
    """Conclude an experiment from finished runs of the store, and keep its result as a fact, since a page asks for it often.

    {"experiment": name, "runs": {part: id}, "fact": the name to keep it under} -> {"outcome": a key of its predictions}.
    """
    experiment, parts = experiments.find(payload["experiment"]), {}
    for name, run_id in payload["runs"].items():
        run = store.run(run_id)
        if run is None or run.result is None or not isinstance(run.spec, RunSpec):
            raise UserError(N_("a run of this experiment is no longer here"))
        kept = [store.outcome(run_id, student) for student in range(len(run.spec.students))]
        if None in kept:
            raise UserError(N_("a run of this experiment is no longer here"))
        logits = np.stack([np.load(io.BytesIO(one["test_logits"]), allow_pickle=False) for one in kept if one is not None])
        parts[name] = running.part(run.spec, run.result, logits, run.ended or 0.0)
    result = running.concluded(experiment, False, parts)
    store.set_fact(payload["fact"], experiments.short(result))
    return {"outcome": result["outcome"]}


def _delete(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; what cannot be deleted stays until the next time."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


LONG = ("prepare", "inspect", "adopt")
"""Questions that take more than a moment: one of them at a time, so that the others are not kept waiting."""
QUESTIONS: dict[str, Callable[[dict[str, Any], Progress, Stop], dict[str, Any]]] = {
    "prepare": _prepare,
    "see": _see,
    "inspect": _inspect,
    "adopt": _adopt,
}
