"""What bad pictures and bad zips do to a running kdviz: `python -m tests.benchmarks.bad_input`.

Starts a server and a browser, and gives the real page every bad input that the tests know: each picture of
tests/test_picture.py to "Your own picture" on Soft targets, each zip of tests/test_archive.py and, zipped, each folder of
tests/test_folder.py to "A dataset of your own images" on Teachers, and pictures that are odd but right. For each it prints the
seconds until the page says its sentence (or shows the answer), by how many megabytes the server and its workers grew at most
meanwhile, and the sentence. At the end: whether anything lies where nothing may, and whether the page still answers.

Measures and prints; nothing fails for being slow.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Locator, Page

from tests.benchmarks.live_lag import warm
from tests.benchmarks.own_picture import open_own, to_upload
from tests.browser import driving
from tests.browser.driving import Served, settled, until, visit
from tests.test_archive import BAD_ZIPS, zipped
from tests.test_folder import FATAL
from tests.test_picture import REFUSED, quarters, saved


def sixteen_bits() -> bytes:
    return saved(Image.fromarray(np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)), "PNG")


ODD: dict[str, Callable[[], bytes]] = {
    "an animation": lambda: saved(quarters(), "GIF", save_all=True, append_images=[quarters("L")]),
    "CMYK": lambda: saved(quarters("CMYK"), "JPEG"),
    "16 bits": sixteen_bits,
    "a palette with transparency": lambda: saved(quarters("P"), "PNG", transparency=0),
    "turned by EXIF": lambda: saved(quarters(), "JPEG", exif=_turned()),
}
"""Pictures that look like trouble and are shown rightly."""


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


class Memory:
    """The most that the server and its engine hold while it is watched, in MB of their own (USS)."""

    def __init__(self, served: Served) -> None:
        self.served, self.most, self.ended = served, 0.0, threading.Event()

    def now(self) -> float:
        held = 0
        for pid in driving._processes_of(self.served.store):
            with contextlib.suppress(psutil.Error):
                held += psutil.Process(pid).memory_full_info().uss
        return held / 1e6

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        self.most = self.now()
        self.ended.clear()
        watching = threading.Thread(target=self._watch)
        watching.start()
        yield
        self.ended.set()
        watching.join()

    def _watch(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.now())


def give(page: Page, file: Path, content: bytes, answers: Locator) -> tuple[float, str]:
    """Choose a file and wait for what the page says to it; return the seconds and the words."""
    file.write_bytes(content)
    began = time.perf_counter()
    page.locator("input[type=file]").set_input_files(file)
    answers.first.wait_for()
    waited = time.perf_counter() - began
    said = answers.first.inner_text().replace("\n", " ")
    file.unlink()
    settled(page)
    return waited, said


def report(what: str, waited: float, grown: float, said: str) -> None:
    print(f"{what:46} {waited:6.2f} s {grown:+8.1f} MB  {said[:150]}", flush=True)


def main() -> int:
    with driving.app_in_chromium() as (page, served, files):
        memory = Memory(served)
        visit(page, f"{served.url}/?dataset=digits&lang=en")
        warm(served)
        open_own(page)
        to_upload(page)
        pictures = {**{name: make for name, (_words, make) in REFUSED.items()}, **ODD}
        answers = page.locator("[data-testid=stAlertContentError], .sentence")
        for number, (what, make) in enumerate(pictures.items()):
            content, held = make(), memory.now()
            if len(content) > 20_000_000:
                continue  # the browser itself refuses it, before it is sent
            with memory.watched():
                waited, said = give(page, files / f"picture{number}.png", content, answers)
            report(what, waited, memory.most - held, said)
            page.get_by_test_id("stFileChipDeleteBtn").get_by_role("button").first.click()
            answers.first.wait_for(state="detached")
            settled(page)
        zips = {f"zip: {name}": make for name, (make, _words) in BAD_ZIPS.items()}
        zips |= {f"folder: {name}": (lambda of=of: zipped(of)) for name, (of, _words) in FATAL.items()}  # type: ignore[misc]
        answers = page.locator("[data-testid=stAlertContentError]")
        for number, (what, make) in enumerate(zips.items()):
            visit(page, f"{served.url}/teachers?lang=en")
            page.locator(".st-key-own_open summary").click()
            page.locator("input[type=file]").wait_for(state="attached")
            content, held = make(), memory.now()
            with memory.watched():
                waited, said = give(page, files / f"images{number}.zip", content, answers)
            report(what, waited, memory.most - held, said)
        left = [str(file) for file in files.parent.rglob("*") if file.suffix in (".png", ".zip")]
        print("left behind:", left or "nothing")
        visit(page, f"{served.url}/?dataset=digits&lang=en")
        until(lambda: page.locator(".sentence").count() > 0, "the page still answers")
        print("the page still answers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
