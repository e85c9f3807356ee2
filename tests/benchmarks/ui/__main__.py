"""`python -m tests.benchmarks.ui [--only NAME ...]`: every measure of the pages in turn, then one table with its targets."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time

from tests.benchmarks.ui import report
from tests.browser import driving

MEASURES = ("cold_start", "memory", "dial", "live_lag", "crowd")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ui", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=MEASURES, metavar="NAME", help=f"one of {', '.join(MEASURES)}; again for more"
    )
    # Told to end, it ends what it has started, as at its own end.
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(143))
    only = parser.parse_args(arguments).only or MEASURES
    chromium = driving.chromium()
    if chromium is None:
        print("no Chromium or Chrome is installed", file=sys.stderr)
        return 2
    rows: list[report.Row] = []
    print(report.machine(), flush=True)
    for name in MEASURES:
        if name in only:
            began = time.monotonic()
            measured = importlib.import_module(f"tests.benchmarks.ui.{name}").measure(chromium)
            print(f"\n{name}, {time.monotonic() - began:.0f} s\n{report.table(measured)}", flush=True)
            rows += measured
    print(f"\n{report.machine()}\n{report.table(rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
