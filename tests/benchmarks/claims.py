"""Every claim's quick form from the page, in turn: `python -m tests.benchmarks.claims [--only NAME] [--record FOLDER]`.

The seconds count from the click on "Run it here" until the page says what came out, with an engine that is ready and images that
are prepared, as KDVIZ_DATA has them. Nothing else may run on the machine.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from kdviz import experiments, settings
from kdviz.experiments import running
from kdviz.ui import found
from tests.benchmarks.ui import report
from tests.benchmarks.ui.report import Row
from tests.browser import driving
from tests.browser.driving import Served, settled, until, visit

MOST_SECONDS, PATIENCE = 60.0, 400.0


def run(page: Page, served: Served, name: str) -> float:
    """Run one from its page; return the seconds until the page says what came out."""
    prediction = next(iter(experiments.find(name).predictions))
    visit(page, f"{served.url}/paper?experiment={name}&predicted={prediction}&lang=en")
    button = page.locator(".st-key-paper_run button").first
    button.wait_for()
    settled(page)
    clicked = time.monotonic()
    button.click()
    page.get_by_text(re.compile("run on this machine on")).first.wait_for(timeout=1000 * PATIENCE)
    return time.monotonic() - clicked


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.claims", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=experiments.names(), metavar="NAME", help="one experiment; again for more"
    )
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write the results there, as they are committed")
    asked = parser.parse_args(arguments)
    path = driving.chromium()
    if path is None:
        print("no Chromium or Chrome is installed", file=sys.stderr)
        return 2
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / "served"
        top.mkdir()
        (top / "images").symlink_to(settings.data_folder())
        with driving.browser(path) as browser, driving.serve(top) as served:
            page = browser.new_page()
            visit(page, f"{served.url}/paper?lang=en")
            until(served.engine_ready, "the engine is ready", 240)
            for name in asked.only or experiments.names():
                seconds = run(page, served, name)
                rows.append(Row(name, "s", MOST_SECONDS, seconds))
                print(f"{name}: {seconds:.1f} s", flush=True)
                result = found.find(served.store, experiments.find(name)).result
                if asked.record is not None and result is not None:
                    asked.record.mkdir(parents=True, exist_ok=True)
                    running.record(asked.record / f"{name}.quick.json", result)
    print(f"\n{report.machine()}\n{report.table(rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
