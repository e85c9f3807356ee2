"""How far what a reader sees of a run lags behind the run: `python -m tests.benchmarks.live_lag`.

Starts a server and a browser, waits until the engine is warm, presses Start on the preset "All images" of Distill and prints

- seconds from the click to the first point on the screen, and to the end of the run;
- the lag of each evaluation: from the moment its points are in the store to the moment the browser draws them, p50 and p95;
- for how many evaluations n it was on the screen before evaluation n + 2 was in the store.

The page is watched by a callback before every frame, so that a time is that of the frame, at most one frame early; both clocks
are this machine's. Measures and prints; nothing fails for being slow.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from kdviz import pace
from kdviz.store import Store
from tests.browser import driving
from tests.browser.driving import Served, until, visit

WATCH = """
() => {
  // The control's curve, by its dash, which is the same in every language.
  const curve = () => document.querySelector(".js-plotly-plot")?.data
    ?.find(trace => trace.mode === "lines+markers" && trace.line.dash === "dash")
  const before = curve().x.length
  let started = false  // the chart that stands there now, with all its points, may stay for a while after the click
  window.painted = {}
  window.progress = []
  const look = () => {
    const points = curve()?.x.length ?? 0
    started ||= location.search.includes("run=") && 0 < points && points < before
    if (started && points > 0 && !(points in window.painted)) window.painted[points] = Date.now() / 1000
    const said = document.querySelector(".kdviz-curves .progress:not([hidden]) .step")?.textContent
    if (said && said !== window.progress.at(-1)) window.progress.push(said)
    requestAnimationFrame(look)
  }
  look()
}
"""
"""Notes in `window.painted` when the chart first had n points, for each n at which it was drawn, and what was said of the
progress in `window.progress`."""


@dataclass(frozen=True)
class Lag:
    """One run as it was watched. written: when each evaluation came into the store; painted: when it was drawn, None for never.

    All in seconds since the click; first: the first point's painting; ended: when the store had the run's end.
    """

    written: Sequence[float]
    painted: Sequence[float | None]
    ended: float

    @property
    def first(self) -> float:
        return min(time for time in self.painted if time is not None)

    @property
    def lags(self) -> list[float]:
        return [seen - there for there, seen in zip(self.written, self.painted, strict=True) if seen is not None]

    @property
    def before_the_next_but_one(self) -> list[bool]:
        """For each evaluation n but the last two: was it drawn before evaluation n + 2 was written?"""
        pairs = zip(self.painted, self.written[2:], strict=False)
        return [seen is not None and seen < later for seen, later in pairs]

    def figures(self) -> dict[str, Any]:
        """Return what the report says, by name."""
        in_time = self.before_the_next_but_one
        return {
            "first_point_seconds": round(self.first, 2),
            "run_seconds": round(self.ended, 2),
            "evaluations": len(self.written),
            "painted": len(self.lags),
            "lag_p50_ms": round(1000 * statistics.median(self.lags)),
            "lag_p95_ms": round(1000 * statistics.quantiles(self.lags, n=20, method="inclusive")[-1]),
            "painted_before_next_but_one": f"{sum(in_time)} of {len(in_time)}",
            "load": round(os.getloadavg()[0], 1),
        }


def watch(page: Page) -> None:
    """Begin to watch the chart of the page that is open. Call before Start is pressed."""
    page.evaluate(WATCH)


def measured(page: Page, store: Store, run_id: str, clicked: float) -> Lag:
    """Return what was watched of a run that is over. clicked: when Start was pressed, in seconds since the epoch."""
    run = store.run(run_id)
    assert run is not None and run.ended is not None
    written: dict[int, float] = {}
    for point in store.points(run_id):
        written[point["step"]] = max(point["written"], written.get(point["step"], 0.0))
    seen = {int(points): when for points, when in page.evaluate("() => window.painted").items()}
    painted = []
    for n in range(1, len(written) + 1):
        # Where two evaluations came in one frame, the first is on the screen with the second.
        later = [when for points, when in seen.items() if points >= n]
        painted.append(min(later) - clicked if later else None)
    return Lag([written[step] - clicked for step in sorted(written)], painted, run.ended - clicked)


def warm(served: Served) -> None:
    """Wait until the engine is ready and this machine measured."""
    until(served.engine_ready, "the engine is ready", 240)
    until(lambda: served.store.fact(pace.CALIBRATION), "this machine is measured, which takes a core", 240)


def run_all_images(page: Page, served: Served) -> tuple[str, Lag]:
    """Press Start on the preset "All images", wait for the end of the run, and return its id and what was seen."""
    page.get_by_role("button", name="All images").click()
    page.locator("[data-testid=stBaseButton-primary]", has_text="All images").wait_for()
    until(lambda: driving.counts(page).get("distilled, T = 4") == driving.evaluations("all-images"), "its recorded run is drawn")
    driving.settled(page)
    watch(page)
    clicked = time.time()
    page.get_by_role("button", name="Start").click()
    run_id = driving.run_in_link(page)
    until(lambda: (run := served.store.run(run_id)) is not None and run.over, "the run is over", 280)
    page.get_by_text("of 5 seeds.").wait_for()
    return run_id, measured(page, served.store, run_id, clicked)


def main() -> int:
    with driving.app_in_chromium() as (page, served, _given):
        visit(page, f"{served.url}/distill?lang=en")
        warm(served)
        _run_id, lag = run_all_images(page, served)
        for n, (there, seen) in enumerate(zip(lag.written, lag.painted, strict=True), start=1):
            print(f"evaluation {n:2}: in the store {there:6.2f} s after the click, drawn {seen or float('nan'):6.2f} s")
        print(json.dumps(lag.figures()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
