"""What kdviz is worth on this machine, against PyTorch's own tutorial loop: `python -m kdviz bench`.

Each measurement is a child process of its own, one after the other, the yardstick (tests/benchmarks/yardstick.py) and kdviz
(tests/benchmarks/throughput.py) in turn: its peak memory belongs to it, and nothing warms another. Both are known here by their
commands alone. Durations are taken inside the child, where start-up is not meant. Knows no torch: what a process says of its peak
memory begins at its parent's.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kdviz import data, machine, settings, strategy, teachers
from kdviz.errors import DataUnavailable, InvalidValue, quoted
from kdviz.i18n import N_

ROOT = settings.ASSETS.parent
TEACHER, SMALL, LARGE = "mlp-1200-1200", "mlp-30-30", "mlp-800-800"
TEMPERATURES = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 50, 100)
LIKE_THE_YARDSTICK: dict[str, Any] = dict(batch_size=128, learning_rate=0.001, schedule="constant", precision="fp32")
EPOCHS = 10
FAST: dict[str, Any] = dict(batch_size=192, learning_rate=0.003, schedule="linear", epochs=5)
"""Settings of an 800-800 student that reach the test errors which the yardstick has after EPOCHS epochs, in less time."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """One child process. what: for a person; about: the seconds it may take; skipped: why it is not made, or None."""

    name: str
    what: str
    command: list[str]
    about: float
    skipped: str | None = None


def measurements(epochs: int, steps: int | None) -> list[Measurement]:
    """Return what is measured, in order. steps: each training ends after so many."""
    missing = strategy.compiler_missing()
    found: list[Measurement] = []

    def add(name: str, what: str, command: list[str], about: float, skipped: str | None = None) -> None:
        if steps is not None:
            about = min(about, 8)
        found.append(Measurement(name, what, [sys.executable, "-m", *command], about, skipped))

    def yardstick(name: str, what: str, about: float, *options: str) -> None:
        limited = ["--steps", str(steps)] if steps is not None else []
        add(name, what, ["tests.benchmarks.yardstick", *options, "--teacher", TEACHER, *limited, "--json"], about)

    def kdviz(name: str, what: str, about: float, measure: str, **options: Any) -> None:
        for compiled in (False, True):
            how = "compiled" if compiled else "eager"
            order = json.dumps({"measure": measure, "compiled": compiled, "steps": steps, **options})
            command, skipped = ["tests.benchmarks.throughput", order], missing if compiled else None
            add(f"{name} {how}", f"{what}, {how}", command, about + 10 * compiled, skipped)

    card, images = teachers.find("mnist", TEACHER), data.load("mnist")
    if teachers.stored_logits(card, images) is None:
        add("data", "MNIST, and what its teachers say", ["kdviz", "data", "mnist"], 60)
    order = json.dumps({"measure": "peak", "seconds": 3 if steps is None else 0.5})
    add("peak", "matrix products of this processor", ["tests.benchmarks.throughput", order], 6)
    for name, network, each in (("30", SMALL, 10.4), ("800", LARGE, 14.8)):
        what = f"one student {network[4:]}"
        yardstick(f"yardstick {name}", f"yardstick, {what}", 10 + each * epochs, "--student", network, "--epochs", str(epochs))
        common = {"student": network, "teacher": TEACHER, "epochs": epochs, **LIKE_THE_YARDSTICK}
        kdviz(name, what, 6 + each / 8 * epochs, "students", temperatures=[4], **common)
        if network == SMALL:
            kdviz("16 x 30", f"16 students {SMALL[4:]}", 6 + epochs, "students", temperatures=TEMPERATURES, **common)
    fast = {**FAST, "epochs": max(1, round(FAST["epochs"] * epochs / EPOCHS)), "precision": "auto"}
    kdviz("800 fast", f"one student {LARGE[4:]}, own settings", 6 + 1.5 * fast["epochs"], "students",
          student=LARGE, teacher=TEACHER, temperatures=[4], **fast)  # fmt: skip
    yardstick("yardstick teacher", "yardstick, teacher with dropout", 30, "--train-teacher")
    kdviz("teacher", "teacher with dropout", 14, "teacher", network=TEACHER)
    share = [] if steps is None else ["--fraction", str(max(0.001, steps * 128 / 60_000))]
    listed = ",".join(map(str, TEMPERATURES))
    add("distill", "distill, 16 temperatures, from typed to JSON",
        ["kdviz", "distill", "--data", "mnist", "--teacher", TEACHER, "--student", SMALL, "--temperature", listed, "--seeds", "1",
         "--epochs", "10" if steps is None else "1", *share, "--json"], 15)  # fmt: skip
    return found


def bench(epochs: int, steps: int | None, say: Callable[[str], None]) -> Result:
    """Measure everything. say: is told of each measurement before and after it. Raises a UserError where nothing can begin."""
    if not 1 <= epochs <= 1000:
        raise InvalidValue(N_("epochs must be from {low} to {high}, got {value}"), low=1, high=1000, value=epochs)
    if steps is not None and not 10 <= steps <= 1000:
        raise InvalidValue(N_("steps must be from {low} to {high}, got {value}"), low=10, high=1000, value=steps)
    if not (ROOT / "tests" / "benchmarks" / "yardstick.py").is_file():
        raise DataUnavailable(
            N_("the yardstick is part of kdviz's source folder, and {folder} has no tests/benchmarks: run bench in a whole copy"),
            folder=quoted(ROOT),
        )
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # an exception, so that the child ends too
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"other programs are at work on this machine (load {load:.1f}): the figures will be lower, and not equally so")
    planned = measurements(epochs, steps)
    results: dict[str, Result] = {}
    for number, measurement in enumerate(planned, 1):
        say(f"{number} of {len(planned)}: {measurement.what}, about {measurement.about:.0f} s")
        kept = compiled_programs()
        result = measure(measurement)
        if measurement.name == "distill" and compiled_programs() != kept and "failed" not in result:
            say(f"  compiled, {result['wall_seconds']:.1f} s; once more")
            result = {**measure(measurement), "first_wall_seconds": result["wall_seconds"]}
        say(f"  {finished(result)}")
        results[measurement.name] = {"what": measurement.what, **result}
    made = {**machine.here(), "load": load, "threads": settings.workers().threads, "epochs": epochs, "steps": steps}
    derive(results)
    return {"made": made, "measurements": results, "claims": claims(results)}


def compiled_programs() -> set[str]:
    return {file.name for file in strategy.compiled_folder().glob("fxgraph/*/*")}


def measure(measurement: Measurement) -> Result:
    """Run one child to its end. Returns what it printed with its wall seconds and peak memory, or one line under `failed`."""
    if measurement.skipped is not None:
        return {"skipped": measurement.skipped}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        env = {**os.environ, "PYTHONPATH": path}
        if "tests.benchmarks.yardstick" in measurement.command:
            env.pop("GOMP_SPINCOUNT", None)  # kdviz's own (settings.wait_briefly): the yardstick runs as PyTorch does by itself
        child = subprocess.Popen(measurement.command, stdout=out, stderr=err, env=env)  # noqa: S603
        try:
            _pid, status, usage = os.wait4(child.pid, 0)  # alone tells the memory of this child
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, complaints = out.read().split("\n"), err.read().strip().splitlines()
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    if child.returncode:
        why = complaints[-1] if complaints else "it said nothing"
        return {"failed": f"{why} ({'signal' if child.returncode < 0 else 'exit status'} {abs(child.returncode)})"}
    try:
        printed = json.loads(next(line for line in reversed(said) if line.startswith("{")))
    except (StopIteration, ValueError):
        printed = {}
    return {**printed, "wall_seconds": wall, "peak_memory_mb": memory}


def finished(result: Result) -> str:
    """Return one line on a measurement that is over."""
    for word in ("failed", "skipped"):
        if word in result:
            return f"{word}: {result[word]}"
    parts = [f"{kind} {rate:,.0f} GFLOP/s" for kind, rate in result.get("gflops", {}).items()]
    parts += [f"{result['images_per_second']:,.0f} images/s"] if "images_per_second" in result else []
    parts += [f"{_errors(result)} test errors"] if "errors" in result else []
    return ", ".join([*parts, f"{result['peak_memory_mb']:,.0f} MB, {result['wall_seconds']:.1f} s"])


def judged(result: Result) -> int:
    """Return the test errors of the student at T = 4."""
    errors: int = result["errors"][result.get("temperatures", [4]).index(4)]
    return errors


def _errors(result: Result) -> str:
    """Return test errors with their standard deviation by chance; of several students that at T = 4, and the range."""
    errors, shown = result["errors"], f"{judged(result)} ± {math.sqrt(judged(result)):.0f}"
    return shown if len(errors) == 1 else f"{shown} ({min(errors)} to {max(errors)})"


def derive(results: dict[str, Result]) -> None:
    """Add to each training of kdviz its fraction of the peak, and ratio and difference in errors to its yardstick."""
    gflops = results.get("peak", {}).get("gflops")
    for name, result in results.items():
        if "flops_per_image" not in result:
            continue
        if gflops:
            used = result["images_per_second"] * result["flops_per_image"] / 1e9
            result["fraction_of_peak"] = used / gflops[result["precision"]]
        against = results.get("yardstick " + ("30" if " 30 " in f" {name}" else name.split()[0]), {})
        if "images_per_second" in against:
            result["to_yardstick"] = result["images_per_second"] / against["images_per_second"]
        if "errors" in result and "errors" in against:
            result["more_errors"] = judged(result) - judged(against)
            result["more_errors_by_chance"] = math.sqrt(judged(result) + judged(against))


def claims(results: dict[str, Result]) -> list[Result]:
    """Return what kdviz claims, the goal, and what was measured (None where it was not), by the quicker of eager and compiled."""

    def quicker(name: str) -> Result:
        both = [results.get(f"{name} {how}", {}) for how in ("eager", "compiled")]
        return max(both, key=lambda result: result.get("images_per_second", 0.0))

    def ratio(above: Result, below: Result, key: str) -> float | None:
        return above[key] / below[key] if key in above and key in below else None

    one, sixteen, large, fast, own_teacher = (quicker(name) for name in ("30", "16 x 30", "800", "800 fast", "teacher"))
    yard, yard_large, yard_teacher = (results.get(f"yardstick {name}", {}) for name in ("30", "800", "teacher"))
    distill, rate, epoch = results.get("distill", {}), "images_per_second", "seconds_per_epoch"
    note = fast.get("how", "")
    if "errors" in fast and "errors" in yard_large:
        note += f", {judged(fast)} errors against {judged(yard_large)}"
        note += f", {fast['compile_seconds']:.1f} s of compiling left out" if "compile_seconds" in fast else ""
    first = f"{distill['first_wall_seconds']:.1f} s when it was compiled" if "first_wall_seconds" in distill else ""
    own = [
        result for name, result in results.items() if "peak_memory_mb" in result and not name.startswith(("yardstick", "data"))
    ]
    largest = max(own, key=lambda result: result["peak_memory_mb"], default={})
    lines: list[tuple[str, str, float, str, float | None, str]] = [
        ("one student 30-30, fp32, batch 128: images/s", "at least", 30, "x", ratio(one, yard, rate), one.get("how", "")),
        ("16 students 30-30: images/s against 16 yardsticks", "at least", 250, "x", ratio(sixteen, yard, rate),
         sixteen.get("how", "")),
        ("16 students against one: time of an epoch", "at most", 2.7, "x", ratio(sixteen, one, epoch), sixteen.get("how", "")),
        ("one student 800-800, fp32, batch 128: images/s", "at least", 5, "x", ratio(large, yard_large, rate),
         large.get("how", "")),
        ("one student 800-800 to equal errors: training", "at least", 10, "x", ratio(yard_large, fast, "training_seconds"), note),
        ("teacher with dropout: time of an epoch", "at least", 5, "x", ratio(yard_teacher, own_teacher, epoch),
         own_teacher.get("how", "")),
        ("distill, from typed to JSON", "at most", 12, " s", distill.get("wall_seconds"), first),
        ("peak memory of kdviz", "at most", 1500, " MB", largest.get("peak_memory_mb"), largest.get("what", "")),
    ]  # fmt: skip
    return [dict(zip(("what", "goal_is", "goal", "unit", "value", "note"), line, strict=True)) for line in lines]


def table(report: Result) -> str:
    """Return the report for a person."""
    results, made = report["measurements"], report["made"]
    after = f"epoch {made['epochs']}" if made["steps"] is None else f"step {made['steps']}"
    columns: dict[str, Callable[[Result], str]] = {
        "threads": lambda of: f"{of['threads']}",
        "images/s": lambda of: f"{of['images_per_second']:,.0f}",
        "s/epoch": lambda of: f"{of['seconds_per_epoch']:.2f}",
        "of peak": lambda of: f"{of['fraction_of_peak']:.1%}",
        "yardstick x": lambda of: f"{of['to_yardstick']:.1f}",
        f"errors at {after}": _errors,
        "- yardstick's": lambda of: f"{of['more_errors']:+d} ± {of['more_errors_by_chance']:.0f}",
        "compiling": lambda of: f"{of['compile_seconds']:.1f} s",
        "memory": lambda of: f"{of['peak_memory_mb']:,.0f} MB",
        "wall": lambda of: f"{of['wall_seconds']:.1f} s",
    }

    def cell(shown: Callable[[Result], str], result: Result) -> str:
        try:
            return shown(result)
        except KeyError:  # this measurement has no such figure
            return ""

    rows = {of["what"]: [cell(shown, of) for shown in columns.values()] for of in results.values() if "images_per_second" in of}
    widths = [max(len(text) for text in column) for column in zip(columns, *rows.values(), strict=True)]
    lines = [f"matrix products, {made['threads']} thread(s): {finished(results.get('peak', {'skipped': 'not measured'}))}", ""]
    for what, cells in {"": list(columns), **rows}.items():
        lines.append("  ".join([f"{what:<45}", *(text.rjust(width) for text, width in zip(cells, widths, strict=True))]))
    lines += [f"{of['what']:<45}  {finished(of)}" for of in results.values() if "failed" in of or "skipped" in of]
    lines.append("")
    for claim in report["claims"]:
        value = "not measured" if claim["value"] is None else f"{claim['value']:,.1f}{claim['unit']}"
        goal = f"{claim['goal_is']} {claim['goal']:g}{claim['unit']}"
        lines.append(f"{claim['what']:<50}  {value:>12}  {goal:<15}  {claim['note']}".rstrip())
    return "\n".join(lines)
