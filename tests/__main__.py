"""Every check of kdviz, in turn: `python -m tests`. What follows goes to pytest: `python -m tests -k temperature`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

CHECKS = {
    "ruff format": ["ruff", "format", "--check", "."],
    "ruff check": ["ruff", "check", "."],
    "mypy": ["mypy"],
    "pytest": ["pytest"],
}
IN_TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
"""Two processes share the tests, a file at a time (tests/conftest.py: those of the browser are one), where all are run."""


def main(arguments: list[str]) -> int:
    """Run the checks and return the exit status of the first that fails, or 0."""
    for name, command in CHECKS.items():
        given = (arguments or IN_TWO) if name == "pytest" else []
        print(f"--- {name}", flush=True)
        began = time.monotonic()
        status = subprocess.run([sys.executable, "-m", *command, *given], cwd=Path(__file__).parent.parent).returncode
        print(f"--- {name}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
        if status:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
