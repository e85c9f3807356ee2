"""Fixtures of all tests: the person's own folders are out of reach; KDVIZ_DATA is read as it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from kdviz import data, i18n, settings

# The same examples for everybody: a red test is red on every machine.
hypothesis.settings.register_profile("kdviz", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("kdviz")


class BrowserTogether(LoadFileScheduling):  # type: ignore[misc]
    """Two processes take file after file, the browser tests as one: in two they took no less time, and a Chromium more."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BrowserTogether:
    return BrowserTogether(config, log)


@pytest.fixture(autouse=True)
def nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the store and the user's folders at a folder of this test, and return it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("KDVIZ_STORE", f"sqlite:///{home / 'kdviz.sqlite'}")
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    return home


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """Let every test begin in English: AppTest says a choice in the words of the test's own language, as a browser would."""
    yield
    i18n.use("en")


@pytest.fixture(autouse=True)
def floats_as_usual() -> Iterator[None]:
    """Let the smallest numbers be computed with again: kdviz.run has the processor flush them to 0, for the whole process."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> data.Dataset:
    """MNIST where KDVIZ_DATA has it, prepared into a folder of the tests if it is not prepared there; without it, skip."""
    if data.prepared_folder("mnist") is not None:
        return data.load("mnist")
    if not (settings.data_folder() / "MNIST" / "raw").is_dir():
        pytest.skip("KDVIZ_DATA has no MNIST")
    from kdviz.data.prepare import prepare

    return prepare("mnist", root=tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: on a busy machine the threads of small products wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KDVIZ_DATA in a folder of the test."""
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    return tmp_path
