"""What belongs to the server and not to one reader: the store, and the engine that is kept alive while the server lives."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from kdviz import settings
from kdviz.engine import Keeper
from kdviz.errors import UserError
from kdviz.store import Store, open_store

log = logging.getLogger("kdviz")

_keeper: Keeper | None = None


def store() -> Store:
    """Return the store that the environment names. Raises a UserError where it cannot be opened."""
    return open_store(settings.store_url())


@contextlib.asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[None]:
    """Keep an engine while the server lives. It starts after the first paint, and outlives the server for a while."""
    global _keeper
    try:
        settings.workers()
        settings.scheduler()  # a wrong value is said once, here, before it ends the engine
        _keeper = Keeper(settings.store_url())
        _keeper.start()
    except UserError as error:
        log.error("kdviz: %s", error)
    yield
    if _keeper is not None:
        _keeper.ended.set()


def painted() -> None:
    """Say that a page has been painted: from now on an engine is wanted."""
    if _keeper is not None:
        _keeper.wanted.set()
