"""From a folder of photographs to a student, in the browser: uploaded, looked through, used, learned by a teacher, distilled."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from kdviz import settings, stats
from kdviz.data import street
from kdviz.spec import RunSpec, TeacherSpec
from tests.browser.conftest import Open
from tests.browser.driving import Served, counts, run_in_link, settled, until, visit

CLASSES = {"cat": 75, "ship": 50, "frog": 31}
"""Images of each; a fifth is held out for the test, which leaves 60, 40 and 25."""


def photographs() -> bytes:
    """Return a zip of a folder of uneven photographs, from the CIFAR-10 files of KDVIZ_DATA; drawn ones where it has none."""
    rng = np.random.default_rng(0)
    originals = settings.data_folder() / "cifar10" / "train"
    drawn, labels, _shapes = street.generate(400, 0)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for label, (name, count) in enumerate(CLASSES.items()):
            if originals.is_dir():
                images = [Image.open(file).convert("RGB") for file in sorted((originals / name).iterdir())[:count]]
            else:
                images = [Image.fromarray(pixels) for pixels in drawn[labels == label][:count]]
            assert len(images) == count
            for number, image in enumerate(images):
                width, height = rng.integers(28, 120, 2)
                file = io.BytesIO()
                image.resize((int(width), int(height))).save(file, "JPEG")
                archive.writestr(f"animals and ships/{name}/{number:03}.jpg", file.getvalue())
    return content.getvalue()


def give(page: Page, name: str, content: bytes) -> None:
    """Choose a file to upload, as the dialog of the browser does."""
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "application/zip", "buffer": content})


def choose(page: Page, key: str, option: str) -> None:
    """Choose an option of a select box; a page that is just running again may close the list that was opened."""
    offered = page.get_by_role("option", name=option, exact=True)

    def opened() -> bool:
        if not offered.is_visible():
            page.locator(f".st-key-{key} input").click()
            page.wait_for_timeout(500)
        return offered.is_visible()

    settled(page)
    until(opened, f"{option} is offered")
    offered.click()
    settled(page)


def fill(page: Page, key: str, text: str) -> None:
    field = page.locator(f".st-key-{key} input")
    field.fill(text)
    field.press("Enter")
    settled(page)


def test_from_a_folder_of_photographs_to_a_student(server: Served, visitor: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = photographs()
    here = Path(server.store_url.removeprefix("sqlite:///")).parent / "images"
    monkeypatch.setenv("KDVIZ_DATA", str(here))  # where the server's datasets are, without which a run on one cannot be read
    page = visitor()
    visit(page, f"{server.url}/teachers")
    page.locator(".st-key-own_open summary").click()
    page.locator("input[type=file]").wait_for(state="attached")
    give(page, "broken.zip", zipped[:-5000])
    wrong = page.get_by_test_id("stAlertContentError")
    expect(wrong).to_have_text(re.compile("the zip is damaged or cut short"))
    expect(wrong).to_be_visible()
    give(page, "Animals and ships.zip", zipped)
    page.locator(".st-key-own_use button").wait_for()
    expect(wrong).to_have_count(0)
    expect(page.locator(".st-key-own_open")).to_contain_text("156 images of 3 classes")
    page.reload()
    page.locator(".st-key-own_use button").click()
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("animals-and-ships is ready: 156 images of 3 classes")

    choose(page, "teacher_network", "cnn-8-16")
    fill(page, "teacher_epochs", "4")
    page.locator(".st-key-teachers_start button").click()
    run_id = run_in_link(page)
    until(lambda: counts(page).get("teacher in training", 0) >= 1, "the curve has begun")
    page.locator(".st-key-verdict h2").wait_for()
    run = server.store.run(run_id)
    assert run is not None and run.state == "done" and run.result is not None
    assert run.spec == TeacherSpec("own-animals-and-ships", "cnn-8-16", 4)
    assert counts(page) == {"teacher in training": len(server.store.points(run_id))}
    errors = run.result["teacher"]["errors"]
    expect(page.locator(".st-key-verdict h2")).to_contain_text(
        f"{1 - errors / 31:.2%} of the test images rightly: {errors} errors"
    )
    expect(page.get_by_test_id("stDataFrame").first).to_contain_text("animals-and-ships")
    link = page.get_by_role("link", name="See its soft targets").get_attribute("href")
    assert link is not None and link.endswith("?dataset=own-animals-and-ships&teacher=cnn-8-16")

    page.get_by_role("link", name="Distill a student from it").click()
    page.locator(".st-key-settings summary").click()
    choose(page, "spec_dataset", "animals-and-ships")
    fill(page, "spec_seeds", "2")
    fill(page, "spec_epochs", "1")
    page.locator(".st-key-start button").click()
    run_id = run_in_link(page)
    until(lambda: (run := server.store.run(run_id)) is not None and run.over, "the students are trained")
    run = server.store.run(run_id)
    assert run is not None and run.state == "done" and isinstance(run.spec, RunSpec)
    assert (run.spec.dataset, run.spec.teacher, run.spec.student) == ("own-animals-and-ships", "cnn-8-16", ("cnn-16-32-32",))
    assert run.result is not None and run.result["teacher"]["errors"] == errors
    verdict = {name: run.result["comparisons"][0][name] for name in ("mean", "low", "high", "verdict", "seeds", "seeds_better")}
    expect(page.locator(".st-key-verdict h2")).to_have_text(stats.sentence(stats.Difference(**verdict)))
    assert not list((here / "uploads").iterdir()) and not list((here / "folders").iterdir())
