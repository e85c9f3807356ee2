"""The rows of the report: what was measured, its target, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured quantity. target: the most `judged` may be, in the unit, or None where there is none.

    judged: the number that is held against the target; values: what it was taken from, or empty. least: judged must be at least
    the target, not at most.
    """

    what: str
    unit: str
    target: float | None
    judged: float
    values: Sequence[float] = ()
    least: bool = False

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "met" if (self.judged >= self.target if self.least else self.judged <= self.target) else "missed"


def spread(what: str, unit: str, target: float | None, values: Sequence[float]) -> Row:
    """Return a row whose p95 is held against the target. values: at least one."""
    return Row(what, unit, target, quantile(values, 0.95), values)


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile between the order statistics, as numpy's default. values: at least one."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in plain text."""
    heads = ("measure", "target", "judged", "p50", "p95", "n", "")
    lines = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    shown = []
    for line in lines:
        first, *others = (
            cell.ljust(w) if n in (0, 6) else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        shown.append("  ".join([first, *others]).rstrip())
    return "\n".join([shown[0], "-" * max(map(len, shown)), *shown[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"{'>=' if row.least else '<='} {row.target:g} {row.unit}"
    quantiles = [_number(quantile(row.values, share)) for share in (0.5, 0.95)] if row.values else ["", ""]
    return row.what, target, f"{_number(row.judged)} {row.unit}", *quantiles, str(len(row.values) or ""), row.verdict


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def machine() -> str:
    """Return this machine in a line: processor, cores, load average, card."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [line.split(":", 1)[1].strip() for line in info.read_text("utf-8").splitlines() if line.startswith("model name")]
        processor = named[0] if named else processor
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{processor}, {os.cpu_count()} cores, load average {load}, {card()}"


def card() -> str:
    """Return the name of the graphics card that could train, or that there is none."""
    asked = shutil.which("nvidia-smi")
    if asked is None:
        return "no card"
    said = subprocess.run([asked, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    return said.stdout.strip().replace("\n", ", ") or "no card"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
