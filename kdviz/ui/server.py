"""What belongs to the server and not to one reader: the store, and the engine that is kept alive while the server lives."""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import logging
import sys
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from kdviz import settings
from kdviz.errors import UserError
from kdviz.keeper import Keeper

if TYPE_CHECKING:
    from kdviz.store import Store

log = logging.getLogger("kdviz")

FIRST_PAGE = (
    "PIL.PngImagePlugin",
    "kdviz.ui.components.share",
    "kdviz.ui.components.dial",
    "kdviz.ui.components.test_images",
    "kdviz.ui.students",
    "streamlit.material_icon_names",
    "streamlit.emojis",
)
"""What the first page needs. Imported while the browser still reads Streamlit's own scripts, nobody waits for it."""

_keeper: Keeper | None = None


def store() -> Store:
    """Return the store that the environment names. Raises a UserError where it cannot be opened."""
    from kdviz.store import open_store  # SQLAlchemy, which the first page does without

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
    threading.Thread(target=_read_ahead, name="read-ahead", daemon=True).start()
    yield
    if _keeper is not None:
        _keeper.ended.set()


def painted() -> None:
    """Say that a page has been painted: from now on an engine is wanted."""
    if _keeper is not None:
        _keeper.wanted.set()


def _read_ahead() -> None:
    """Import what the first page needs, without the collections that so many new objects bring about: they took a third of it.

    Modules stay, so what is there now is taken out of all later collections: a full one went through 300,000 objects for 80 ms,
    while every reader waited.
    """
    gc.disable()
    try:
        for name in FIRST_PAGE:
            importlib.import_module(name)
        sys.modules["PIL.Image"].preinit()  # the formats that it looks at before it writes a picture
        # With its first element Streamlit asks who called it; inspect then looks at every module there is, and remembers them.
        inspect.stack()
    finally:
        gc.freeze()
        gc.enable()
