"""What makes a result: this machine, and the versions of what computes on it. Needs no torch."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from kdviz import __version__


def here() -> dict[str, Any]:
    """Return the time, this machine and the versions, as a result carries them."""
    now = datetime.datetime.now().astimezone()
    return {
        "date": now.date().isoformat(),
        "at": now.isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of all that decides figures."""
    others = {name: importlib.metadata.version(name) for name in ("torch", "numpy")}
    return {"kdviz": __version__, **others, "python": platform.python_version()}


def processor() -> str:
    """Return the processor's name where Linux tells it, else what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
