"""What the environment says: where data and runs lie, and which workers to use. Every wrong value is one clear sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kdviz.errors import InvalidValue, quoted
from kdviz.i18n import N_

ASSETS = Path(__file__).resolve().parent.parent / "assets"
APP_NAME = "kdviz"


def data_folder() -> Path:
    """Return the folder of datasets, prepared arrays and cached logits: KDVIZ_DATA, or the user's cache folder."""
    given = os.environ.get("KDVIZ_DATA", "").strip()
    folder = Path(given).expanduser() if given else platformdirs.user_cache_path(APP_NAME)
    if folder.exists() and not folder.is_dir():
        raise InvalidValue(N_("KDVIZ_DATA must name a folder, got the file {file}"), file=quoted(folder))
    return folder


def state_folder() -> Path:
    """Return the folder, made if absent, of this user's runs and of the engine's lock."""
    folder = platformdirs.user_data_path(APP_NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidValue(
            N_("the folder {folder} for runs cannot be made ({reason}): set KDVIZ_STORE to a place that can be written"),
            folder=quoted(folder),
            reason=error.strerror,
        ) from None
    return folder


def store_url() -> str:
    """Return the SQLAlchemy URL of the store: KDVIZ_STORE, or a SQLite file in the user's data folder."""
    given = os.environ.get("KDVIZ_STORE", "").strip()
    if not given:
        return f"sqlite:///{state_folder() / 'kdviz.sqlite'}"
    if not given.startswith(("sqlite:///", "postgresql")):
        raise InvalidValue(
            N_(
                "KDVIZ_STORE must be a SQLAlchemy URL such as sqlite:////folder/kdviz.sqlite or "
                "postgresql+psycopg://host/name, got {given}"
            ),
            given=quoted(given),
        )
    return given


@dataclass(frozen=True)
class Workers:
    """How many runs train at once, and how many threads each has."""

    count: int
    threads: int


def workers() -> Workers:
    """Return the training workers: KDVIZ_WORKERS, or one for every two cores."""
    cores = os.cpu_count() or 1
    given = os.environ.get("KDVIZ_WORKERS", "").strip()
    if not given:
        count = max(1, cores // 2)
    elif given.isdecimal() and 1 <= int(given) <= 64:
        count = int(given)
    else:
        raise InvalidValue(N_("KDVIZ_WORKERS must be a whole number from 1 to 64, got {given}"), given=quoted(given))
    return Workers(count, max(1, cores // count))


def scheduler() -> str | None:
    """Return the address of the Dask scheduler to use (KDVIZ_SCHEDULER), or None for one of our own on this machine."""
    given = os.environ.get("KDVIZ_SCHEDULER", "").strip()
    if not given:
        return None
    if given.startswith("tls://"):
        return given
    if given.startswith("tcp://"):
        if os.environ.get("KDVIZ_INSECURE_SCHEDULER", "").strip() == "1":
            return given
        raise InvalidValue(
            N_(
                "KDVIZ_SCHEDULER {given} has no TLS, and a scheduler runs whatever code it is sent: use tls://..., "
                "or set KDVIZ_INSECURE_SCHEDULER=1 on a network where you trust everybody"
            ),
            given=quoted(given),
        )
    raise InvalidValue(N_("KDVIZ_SCHEDULER must be an address such as tls://host:8786, got {given}"), given=quoted(given))


def wait_briefly(turns: int = 20_000) -> None:
    """Have threads that wait for each other sleep soon, where torch is not loaded yet and the user has not said otherwise.

    OpenMP's threads wait busily, for milliseconds, which on a machine with other work keeps the very thread from running that
    they wait for. A step of an 800-800 student with two threads took, on two busy cores, 32 ms by default, 23 ms with 20,000
    turns of waiting and 12 ms with 5,000; on idle ones 4.2, 4.2 and 4.4.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(turns))
