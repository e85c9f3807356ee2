"""A point in the store until it is painted: the method is that of tests.benchmarks.live_lag, on a run alone on the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks import live_lag
from tests.benchmarks.ui.report import Row, spread
from tests.browser import driving


def measure(chromium: str) -> list[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        driving.browser(chromium) as browser,
        driving.serve(Path(folder) / "served") as served,
    ):
        page = browser.new_page()
        page.set_default_timeout(1000 * driving.PATIENCE)
        driving.visit(page, f"{served.url}/distill?lang=en")
        live_lag.warm(served)
        _run_id, lag = live_lag.run_all_images(page, served)
    return [
        spread("point in the store to painted", "ms", 300, [1000 * value for value in lag.lags]),
        Row("evaluations that were painted", "%", 100, 100 * len(lag.lags) / len(lag.written), least=True),
        Row("click on Start to the first point", "s", None, lag.first),
    ]
