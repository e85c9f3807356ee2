"""What every test of pages stands on: no images but those that ship, and the store that the pages open."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdviz import settings
from kdviz.store import Store, open_store


@pytest.fixture
def only_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KDVIZ_DATA is an empty folder."""
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))


@pytest.fixture
def store() -> Store:
    """The store that the pages open."""
    return open_store(settings.store_url())
