"""An experiment run to its end, so that it can be interrupted anywhere: one run after the other, each kept until all are there.

What is kept lies in KDVIZ_DATA/experiments, under a name made of all that decides a run: its spec, the teacher's weights and the
data. Nothing of it is needed once the result is written. Knows no store and no page.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdviz import __version__, data, machine, settings, teachers
from kdviz.errors import InvalidValue
from kdviz.experiments import Experiment, Part, duration, short
from kdviz.i18n import N_
from kdviz.spec import RunSpec

CHECKPOINT_SECONDS = 30.0

Say = Callable[[str], None]


def folder(spec: RunSpec) -> Path:
    """Return where a run of an experiment is kept. Raises a UserError where teacher or data are not to be had."""
    card = teachers.find(spec.dataset, spec.teacher)
    decides = [spec.to_dict(), card.sha256, card.data_sha256, __version__]
    name = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
    return settings.data_folder() / "experiments" / name


def finished(spec: RunSpec) -> Part | None:
    """Return a run that was kept at its end, or None."""
    kept = folder(spec)
    try:
        result = json.loads((kept / "result.json").read_text("utf-8"))
        logits = np.load(kept / "logits.npy")
    except (OSError, ValueError, EOFError):
        return None
    return part(spec, result, logits, (kept / "result.json").stat().st_mtime)


def part(spec: RunSpec, result: dict[str, Any], logits: np.ndarray, ended: float) -> Part:
    """Return a finished run as a part of its experiment: result and logits as kdviz.run has them; ended: seconds since 1970.

    Raises DataUnavailable.
    """
    how = result["settings"]
    if "made" not in how:  # by an earlier kdviz, which kept no more than torch's version
        at = datetime.datetime.fromtimestamp(ended, datetime.UTC).astimezone()
        here = machine.here()
        made = {**here, "date": at.date().isoformat(), "at": at.isoformat(timespec="seconds"),
                "versions": {**here["versions"], "torch": how["torch"]}}  # fmt: skip
        result = {**result, "settings": {**how, "made": made}}
    opened = data.load(spec.dataset)
    labels = np.asarray(opened.labels[opened.slice(spec.judged_on)])
    return Part(spec, result, logits, labels)


def train(spec: RunSpec, say: Say, device: str = "auto") -> Part:
    """Train a run of an experiment from where it was, or return it as it was kept."""
    if (there := finished(spec)) is not None:
        return there
    from kdviz import run

    kept = folder(spec)
    kept.mkdir(parents=True, exist_ok=True)
    checkpoint, chosen = kept / "run.checkpoint", kept / "settings.json"
    earlier = checkpoint.read_bytes() if checkpoint.is_file() else None
    # A training that goes on keeps its precision and threads, which decide the last bits of its result.
    prepared = run.prepare(spec, device, json.loads(chosen.read_text("utf-8")) if earlier and chosen.is_file() else None)
    _write(chosen, json.dumps(prepared.settings).encode())
    say(f"{len(spec.students)} students, {prepared.settings['why']}" + ("; going on where it was" if earlier else ""))
    saved, said, last = time.monotonic(), time.monotonic(), None
    for last in prepared.training(earlier):
        now = time.monotonic()
        if now - said > 20 and last.step:
            left = last.seconds * (last.steps / last.step - 1)
            say(f"step {last.step:,} of {last.steps:,}, {last.seconds:,.0f} s, about {left:,.0f} s left")
            said = now
        if now - saved > CHECKPOINT_SECONDS and not last.complete:
            _write(checkpoint, last.checkpoint())
            saved = now
    assert last is not None  # a training always yields its end
    logits = last.test_logits().float().cpu().numpy()
    with (kept / "logits.part").open("wb") as file:
        np.save(file, logits)
    (kept / "logits.part").replace(kept / "logits.npy")
    _write(kept / "result.json", json.dumps(run.result(prepared, last)).encode())
    checkpoint.unlink(missing_ok=True)
    trained = finished(spec)
    assert trained is not None
    return trained


def _write(file: Path, content: bytes) -> None:
    scratch = file.with_suffix(".part")
    scratch.write_bytes(content)
    scratch.replace(file)


def carry_out(experiment: Experiment, full: bool, seeds: int | None, say: Say, device: str = "auto") -> dict[str, Any]:
    """Run an experiment, or what is left of it, and return its result as it is committed. Raises a UserError.

    Its runs stay as they were kept until `forget`, so that what fails afterwards can be done again without them.
    """
    specs = experiment.specs(full, seeds)
    expected = experiment.seconds[full]
    say(f"{experiment.name}: {len(specs)} run(s), on two cores about {duration(expected)}")
    parts = {}
    for number, (name, spec) in enumerate(specs.items(), 1):
        say(f"{number} of {len(specs)}, {name}")
        parts[name] = train(spec, say, device)
    return concluded(experiment, full, parts)


def forget(experiment: Experiment, full: bool, seeds: int | None) -> None:
    """Delete what was kept of an experiment's runs: its result is written."""
    for spec in experiment.specs(full, seeds).values():
        shutil.rmtree(folder(spec), ignore_errors=True)


def concluded(experiment: Experiment, full: bool, parts: dict[str, Part]) -> dict[str, Any]:
    """Return the result of an experiment whose runs are done, as it is committed."""
    return {
        "experiment": experiment.name,
        "kind": "full" if full else "quick",
        "made": made(parts),
        "parts": {name: part.result for name, part in parts.items()},
        **experiment.concluded(parts),
    }


def made(parts: dict[str, Part]) -> dict[str, Any]:
    """Return what produced a result: date and versions of the run that began last, every processor, seconds, seeds, hashes."""
    how = {name: part.result["settings"] for name, part in parts.items()}
    cards = [[of.get("graphics_card"), of["made"]["processor"]] for of in how.values()]
    return {
        **max((of["made"] for of in how.values()), key=lambda made: str(made["at"])),
        "processor": ", ".join(dict.fromkeys(name for both in cards for name in both if name)),
        "seconds": sum(part.result["seconds"] for part in parts.values()),
        "seeds": {name: part.spec.seeds for name, part in parts.items()},
        "teacher_sha256": {name: of["teacher_sha256"] for name, of in how.items()},
        "data_sha256": {name: of["data_sha256"] for name, of in how.items()},
    }


def check(file: Path) -> None:
    """Raise InvalidValue where a record could not be written later, when hours of training would hang on it."""
    there = file.exists()
    with _writing(file):
        file.open("ab").close()
        if not there:
            file.unlink()


def record(file: Path, result: dict[str, Any]) -> None:
    """Write a result as it is committed. Raises InvalidValue where it cannot be written."""
    write(file, short(result))


def write(file: Path, content: dict[str, Any]) -> None:
    """Write plain values as a record. Raises InvalidValue where it cannot be written."""
    with _writing(file):
        file.write_text(json.dumps(content, separators=(",", ":")) + "\n", "utf-8")


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidValue(
            N_("the record cannot be written to {file} ({reason})"), file=str(file), reason=error.strerror
        ) from None
