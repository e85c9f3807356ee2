"""How long a picture of the reader's own waits for its soft targets: `python -m tests.benchmarks.own_picture`.

Starts a server and a browser, waits until the engine is warm, and gives the page, of the dataset digits, 40 photographs of
1600 x 1200 pixels to upload and 40 digits drawn with the mouse: first with the engine idle, then while a training run holds
every training worker. For each of the four prints p50 and p95 of the milliseconds from the event in the page (a file is chosen,
the mouse button is let go) to the frame that shows the soft targets.

Measures and prints; nothing fails for being slow.
"""

from __future__ import annotations

import io
import json
import os
import statistics

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from kdviz import data, settings
from kdviz.spec import RunSpec
from kdviz.ui.components.drawing_pad import SIDE
from tests.benchmarks.live_lag import warm
from tests.browser import driving
from tests.browser.driving import Served, settled, until, visit

PICTURES = 40
DIGITS = {
    0: [(56, 14), (30, 32), (28, 76), (54, 98), (82, 76), (80, 32), (56, 14)],
    1: [(56, 14), (56, 98)],
    7: [(28, 18), (84, 18), (48, 98)],
}
"""Digits of one stroke, in pixels of the pad."""

WATCH = """
() => {
  const bars = () => {
    const inside = [...document.querySelectorAll(".st-key-soft_targets_dial *")].find(one => one.shadowRoot)?.shadowRoot
    const drawn = [...(inside?.querySelectorAll(".bar") ?? [])].map(bar => bar.dataset.value).join()
    return drawn || undefined
  }
  let before, given = null
  window.waited = []
  const begin = event => {
    if (event.type === "change" && event.target.type !== "file") return
    if (event.type === "pointerup" && event.composedPath()[0].tagName !== "svg") return
    before = bars()
    given = performance.now()
  }
  for (const kind of ["change", "pointerup"]) document.addEventListener(kind, begin, true)
  const look = () => {
    const now = bars()
    if (given !== null && now !== undefined && now !== before) {
      window.waited.push(performance.now() - given)
      given = null
    }
    requestAnimationFrame(look)
  }
  look()
}
"""
"""Notes in `window.waited` how many milliseconds passed from each picture that was given to the first frame with other bars."""


def loaded(page: Page) -> None:
    """Wait until every image is there: what the browser asks for after the page went on is gone, and would be an error 404."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stImage] img')].every(image => image.complete && image.naturalWidth)"
    )


def open_own(page: Page) -> None:
    """Choose "Your own picture" on Soft targets, in any language."""
    page.locator("[data-testid=stImage] img").first.wait_for()
    loaded(page)
    page.locator(".st-key-soft_targets_source").get_by_role("radio").last.click()
    page.locator("[data-testid=stAlertContentInfo]").wait_for()
    settled(page)


def to_upload(page: Page) -> None:
    """Choose to upload a picture where the pad is shown."""
    loaded(page)
    page.locator(".st-key-own_picture_how").get_by_role("radio").last.click()
    page.locator("input[type=file]").wait_for(state="attached")
    settled(page)


def upload(page: Page, name: str, content: bytes, kind: str = "image/jpeg") -> None:
    """Choose a file to upload, as the dialog of the browser does."""
    loaded(page)
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": content})


def pad(page: Page) -> Locator:
    """Return the paper of the drawing pad."""
    return page.locator("svg[role=img][data-key^=own_pad]")


def draw(page: Page, points: list[tuple[int, int]], dx: float = 0, dy: float = 0) -> None:
    """Draw a stroke through points, in pixels of the pad, with the mouse."""
    pad(page).scroll_into_view_if_needed()
    box = pad(page).bounding_box()
    assert box is not None
    places = [(box["x"] + (x + dx) / SIDE * box["width"], box["y"] + (y + dy) / SIDE * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def clear(page: Page) -> None:
    """Clear the pad, and wait until its answer is gone."""
    loaded(page)
    page.locator(".st-key-own_pad_digits button.clear").click()
    page.locator(".dial").wait_for(state="detached")
    settled(page)


def photographs() -> list[bytes]:
    """Return digits on paper as a telephone sees them: JPEG files of dark strokes on light ground, each with noise of its own."""
    generator = np.random.default_rng(0)
    files = []
    for pixels in data.load("digits").split("test").pixels[:PICTURES]:
        large = Image.fromarray(255 - pixels[..., 0]).resize((600, 600), Image.Resampling.BICUBIC)
        photograph = Image.new("L", (1600, 1200), 230)
        photograph.paste(Image.fromarray((np.asarray(large) * 0.9).astype(np.uint8)), (500, 300))
        noisy = np.asarray(photograph)[..., None] + generator.normal(0, 4, (1200, 1600, 3))
        file = io.BytesIO()
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


def uploads(page: Page, address: str) -> list[float]:
    """Return the milliseconds that each photograph waited; a first one, which warms everything up, is left out."""
    files = photographs()
    visit(page, address)
    open_own(page)
    to_upload(page)
    page.evaluate(WATCH)
    for number, content in enumerate([files[-1], *files]):
        upload(page, f"{number}.jpg", content)
        _waited(page, number + 1)
    return _all(page)[1:]


def drawings(page: Page, address: str) -> list[float]:
    """Return the milliseconds that each drawing waited, the first left out."""
    visit(page, address)
    open_own(page)
    pad(page).wait_for()
    page.evaluate(WATCH)
    for number in range(PICTURES + 1):
        digit = list(DIGITS.values())[number % len(DIGITS)]
        draw(page, digit, dx=number % 5 - 2, dy=number % 7 / 3)
        _waited(page, number + 1)
        clear(page)
    return _all(page)[1:]


def _waited(page: Page, count: int) -> None:
    page.wait_for_function("count => window.waited.length >= count", arg=count)
    settled(page)


def _all(page: Page) -> list[float]:
    waited: list[float] = page.evaluate("() => window.waited")
    return waited


def figures(waited: list[float]) -> dict[str, float]:
    """Return what the report says of waits in milliseconds, by name."""
    return {
        "pictures": len(waited),
        "p50_ms": round(statistics.median(waited)),
        "p95_ms": round(statistics.quantiles(waited, n=20, method="inclusive")[-1]),
        "most_ms": round(max(waited)),
        "load": round(os.getloadavg()[0], 1),
    }


def train_everywhere(served: Served) -> None:
    """Start long runs, one for each training worker, and wait until all of them learn."""
    store = served.store
    ids = [store.add_run(RunSpec(epochs=1000)) for _ in range(settings.workers().count)]
    until(lambda: all((run := store.run(run_id)) is not None and run.step > 0 for run_id in ids), "every run learns")


def main() -> int:
    with driving.app_in_chromium(height=1400) as (page, served, _given):
        address = f"{served.url}/?lang=en&dataset=digits"
        visit(page, address)
        warm(served)
        for training in (False, True):
            if training:
                train_everywhere(served)
            for how, measure in (("uploads", uploads), ("drawings", drawings)):
                print(json.dumps({"how": how, "training": training, **figures(measure(page, address))}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
