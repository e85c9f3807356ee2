"""How a run is trained on this machine: which students as one program, compiled or not, in which precision, on how many threads.

Decided here and nowhere else, once for each run; what was chosen and why is logged, stored with the run and kept when it is
taken up again. The constants were measured on two cores of a server processor of 2023 and only have to rank the choices;
`kdviz.pace` scales the seconds to the machine at hand. Needs no torch, except to ask about the processor.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import shutil
import sysconfig
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kdviz import models, settings
from kdviz.spec import RunSpec, Student

log = logging.getLogger("kdviz.strategy")

STACK_PARAMETERS = 2_000_000
WIDE = 300_000
OVERHEAD, FLOPS_OF_A_THREAD, UPDATE_BYTES = 0.45e-3, 150e9, 30e9
CONV_SLOWER = 6.0
COMPILE_SECONDS, COMPILE_AGAIN_SECONDS = 9.0, 3.5
BATCH_ORDER = "own order for each seed, shared by its conditions"


@dataclass(frozen=True)
class Strategy:
    """stacks: the numbers of the students that train as one program; evaluations: how often each of them is judged, by stack."""

    stacks: list[list[int]]
    evaluations: list[int]
    compiled: bool
    precision: str
    threads: int
    why: str


def stacks(students: Sequence[Student], networks: Mapping[str, models.Architecture], device: str = "cpu") -> list[list[int]]:
    """Return which students train as one program, those of one network and fraction at most.

    Small students all together; where they would be too much for the processor's caches, each seed's conditions together, so
    that student and control still climb side by side; convolutions one by one, since stacked ones are slower than in turn. A
    graphics card has no such caches, and waits for its programs' launches rather: there all dense students go together.
    """
    together: dict[tuple[Any, ...], list[int]] = {}
    alike = Counter((student.network, student.fraction) for student in students)
    for number, student in enumerate(students):
        key: tuple[Any, ...] = (student.network, student.fraction)
        network = networks[student.network]
        if network.convolutional:
            key = (*key, student.seed, number)
        elif device == "cpu" and alike[student.network, student.fraction] * network.parameters > STACK_PARAMETERS:
            key = (*key, student.seed)
        together.setdefault(key, []).append(number)
    return list(together.values())


def step_seconds(network: models.Architecture, students: int, batch: int, threads: int) -> float:
    """Return the seconds of one eager step on the machine that was measured."""
    work = 6 * students * network.multiply_adds * batch
    slower = CONV_SLOWER if network.convolutional else 1.0
    return slower * (OVERHEAD + work / (FLOPS_OF_A_THREAD * threads)) + _update_seconds(network, students)


def _update_seconds(network: models.Architecture, students: int) -> float:
    return 28 * students * network.parameters / UPDATE_BYTES


def evaluation_seconds(network: models.Architecture, students: int, images: int, threads: int) -> float:
    """Return the seconds in which so many students are judged on so many images."""
    slower = CONV_SLOWER if network.convolutional else 1.0
    return 0.5e-3 + students * images * (slower * 2 * network.multiply_adds / (FLOPS_OF_A_THREAD * threads) + 0.3e-6)


def threads_for(network: models.Architecture, students: int, batch: int, available: int) -> int:
    """Return how many threads a step is worth: one for small students, which wait for each other longer than they compute.

    Measured on two busy cores, 10 students 30-30, batch 32: 2 ms a step with one thread, 5 to 67 with two.
    """
    return 1 if students * network.multiply_adds * batch < 30_000_000 else available


def choose(
    spec: RunSpec,
    images: Mapping[float, int],
    test_images: int,
    available: int,
    compiling: str = "auto",
    earlier: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Strategy:
    """Return how a run trains here.

    images: of the transfer set at each fraction; available: threads; compiling: auto, yes or no; earlier: the settings stored by
    an earlier attempt, whose choices are kept, since they decide the last bits of a result; device: its kind, cpu, cuda or mps.
    """
    networks = spec.networks
    students, why = spec.students, []
    together = stacks(students, networks, device)
    firsts = [students[numbers[0]] for numbers in together]
    threads = max(
        threads_for(networks[first.network], len(numbers), spec.batch_size, available)
        for first, numbers in zip(firsts, together, strict=True)
    )
    why.append(f"{len(students)} students in {len(together)} program(s), {threads} thread(s)")

    precision, reason = choose_precision(spec.precision, list(networks.values()), device)
    why.append(reason)
    steps = [math.ceil(images[first.fraction] / spec.batch_size) * spec.epochs for first in firsts]
    eager = [
        step_seconds(networks[first.network], len(numbers), spec.batch_size, threads)
        for first, numbers in zip(firsts, together, strict=True)
    ]
    evaluations = [
        # At least six, so that there is a curve; else at most an eleventh of the time of training.
        min(24, max(6, int(seconds * n / 11 / evaluation_seconds(networks[f.network], len(numbers), test_images, threads))))
        for f, numbers, n, seconds in zip(firsts, together, steps, eager, strict=True)
    ]

    programs = {(f.network, f.fraction, len(numbers)) for f, numbers in zip(firsts, together, strict=True)}
    saved = sum(
        n * _saved_by_compiling(networks[f.network], len(numbers)) for f, numbers, n in zip(firsts, together, steps, strict=True)
    )
    again = marker(spec, precision, threads).exists()
    cost = len(programs) * (COMPILE_AGAIN_SECONDS if again else COMPILE_SECONDS)
    compiled, reason = choose_compiling(compiling, list(networks.values()), saved, cost, device)
    why.append(reason)
    if earlier:
        threads = earlier.get("threads", threads)
        precision = earlier.get("precision", precision)
        compiled = earlier.get("compiled", compiled) and compiler_missing() is None
        if len(earlier.get("evaluations", ())) == len(together):
            evaluations = earlier["evaluations"]
        why.append("as in the earlier attempt")
    chosen = Strategy(together, evaluations, compiled, precision, threads, "; ".join(why))
    log.info("%s", chosen.why)
    return chosen


def choose_for_teacher(
    network: models.Architecture, batch: int, steps: int, evaluations: int, available: int, dropout: bool, device: str = "cpu",
    earlier: Mapping[str, Any] | None = None,
) -> Strategy:  # fmt: skip
    """Return how a teacher trains here: one network, by its recipe's batch size and steps, judged so many times."""
    threads = threads_for(network, 1, batch, available)
    precision, why_precision = choose_precision("auto", [network], device)
    saved = 0.0 if dropout else steps * _saved_by_compiling(network, 1)  # with dropout 15.5 ms a step, and eager 15.5 (measured)
    compiled, why_compiled = choose_compiling("auto", [network], saved, COMPILE_SECONDS, device)
    why = f"{threads} thread(s); {why_precision}; {why_compiled}"
    if earlier is not None:
        precision, compiled, threads, why = (earlier[name] for name in ("precision", "compiled", "threads", "why"))
    log.info("%s", why)
    return Strategy([[0]], [evaluations], compiled, precision, threads, why)


def choose_precision(asked: str, networks: list[models.Architecture], device: str = "cpu") -> tuple[str, str]:
    """Return fp32 or bf16 for what was asked (auto, fp32, bf16), and why."""
    if asked != "auto":
        return asked, f"{asked}, as asked"
    if max(network.multiply_adds for network in networks) < WIDE:
        return "fp32", "fp32, since these networks are too small to gain by bf16"
    gain = bf16_gain(device)
    if gain > 1.7:
        return "bf16", f"bf16, {gain:.1f} times as fast as fp32 on this {_machine(device)}"
    return "fp32", f"fp32, since bf16 is {gain:.1f} times as fast on this {_machine(device)}"


def choose_compiling(asked: str, networks: list[models.Architecture], saved: float, cost: float, device: str) -> tuple[bool, str]:
    """Return whether to compile for what was asked (auto, yes, no), and why. saved, cost: seconds."""
    if device != "cpu" or any(network.convolutional for network in networks):
        return False, "not compiled: only dense networks on a CPU are"
    if asked == "no":
        return False, "not compiled, as asked"
    if (missing := compiler_missing()) is not None:
        return False, f"not compiled: {missing}"
    if asked == "yes":
        return True, "compiled, as asked"
    worth = saved > 1.2 * cost
    return worth, f"{'compiled' if worth else 'not compiled'}: would save {saved:.1f} s of training for {cost:.1f} s of compiling"


def _saved_by_compiling(network: models.Architecture, students: int) -> float:
    """Return the seconds by which a compiled step is shorter than an eager one."""
    return 0.2e-3 + min(_update_seconds(network, students) / 4, 0.3e-3)


def _machine(device: str) -> str:
    return "processor" if device == "cpu" else "graphics card"


@lru_cache
def bf16_gain(device: str = "cpu") -> float:
    """Return how many times as fast this machine multiplies matrices in bf16 as in fp32, measured in a few milliseconds."""
    import torch

    rows, columns = (256, 512) if device == "cpu" else (2048, 4096)

    def wait() -> None:
        if device != "cpu":
            torch.accelerator.synchronize()

    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(rows, columns, dtype=dtype, device=device)
        a @ a.mT
        times = []
        for _ in range(3):
            wait()
            began = time.perf_counter()
            a @ a.mT
            wait()
            times.append(time.perf_counter() - began)
        seconds[dtype] = min(times)
    return seconds[torch.float32] / seconds[torch.bfloat16]


@lru_cache
def compiler_missing() -> str | None:
    """Return what compiling a step lacks on this machine, or None: a C++ compiler and Python's headers."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        return "no C++ compiler on this machine"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "no Python headers on this machine"
    return None


def compiled_folder() -> Path:
    """Return where compiled steps are kept, and have the compiler keep them there."""
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(settings.data_folder() / "compiled")))


def marker(spec: RunSpec, precision: str, threads: int) -> Path:
    """Return the file that says that steps like this run's were compiled here before."""
    from kdviz import __version__

    data_shape = (spec.dataset, spec.fraction, spec.classes_left_out, spec.evaluate_on)
    shape = (data_shape, spec.student, len(spec.students), spec.seeds, spec.batch_size, spec.optimizer, precision, threads)
    return compiled_folder() / f"kdviz-{hashlib.sha256(repr((shape, __version__)).encode()).hexdigest()[:16]}"
