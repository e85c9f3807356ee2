"""Photographs uploaded in the browser are answered by the CIFAR-10 teacher that ships with kdviz, on real CIFAR-10 files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from kdviz import data, models, settings, teachers
from kdviz.data import picture
from kdviz.data import prepare as preparing
from tests.benchmarks.own_picture import open_own, upload
from tests.browser.conftest import Open
from tests.browser.driving import Served, visit
from tests.browser.test_own_picture import answer

LEARNED, ASKED = 20, 4
"""Training and test images of each class that the small copy has."""


@pytest.fixture
def cifar10(server: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small CIFAR-10 of KDVIZ_DATA's files, prepared in the server's folder but for the teacher's answers; gone afterwards."""
    originals = settings.data_folder() / "cifar10"
    if not originals.is_dir():
        pytest.skip("KDVIZ_DATA has no cifar10 in ImageFolder layout")
    here = Path(server.store_url.removeprefix("sqlite:///")).parent / "images"
    for split, count in (("train", LEARNED), ("test", ASKED)):
        for name in data.source("cifar10").class_names:
            (here / "cifar10" / split / name).mkdir(parents=True)
            for file in sorted((originals / split / name).iterdir())[:count]:
                shutil.copy(file, here / "cifar10" / split / name)
    monkeypatch.setenv("KDVIZ_DATA", str(here))
    monkeypatch.setitem(preparing.COUNTS, "cifar10", (10 * LEARNED - 50, 50, 10 * ASKED))
    preparing.prepare("cifar10")
    yield originals
    shutil.rmtree(here / "cifar10")
    shutil.rmtree(here / "prepared" / "cifar10")


def test_jpeg_files_are_answered_by_the_teacher_of_cifar10(server: Served, visitor: Open, cifar10: Path) -> None:
    page = visitor(height=1400)
    visit(page, f"{server.url}/?dataset=cifar10")
    page.locator(".st-key-prepare_cifar10_button button").click()
    page.get_by_text("errors on 10,000 test images").wait_for()
    page.locator(".sentence").wait_for()
    open_own(page)
    sentence, before, said = page.locator(".sentence"), "", []
    names = data.source("cifar10").class_names
    files = [sorted((cifar10 / "test" / name).iterdir())[ASKED + 1] for name in names]  # none that the small copy has
    for file in files:
        upload(page, file.name, file.read_bytes())
        expect(page.get_by_text(file.name)).to_be_visible()
        expect(sentence).not_to_have_text(before)
        said.append(answer(page))
        before = sentence.inner_text()
    network, parameters = teachers.load(teachers.find("cifar10", "cnn-96-352-352"))
    dataset = data.load("cifar10")
    pixels = np.stack([picture.fitted(picture.read(file.read_bytes()), dataset.shape) for file in files])
    expected = models.logits(network, parameters, models.inputs(pixels, dataset.mean, dataset.std))[0].argmax(-1)
    assert said == [names[int(index)] for index in expected]
    right = sum(one == name for one, name in zip(said, names, strict=True))
    assert right >= 6, f"{right} of {len(names)} photographs answered rightly"  # at 90 %, fewer than 6 once in six hundred times
