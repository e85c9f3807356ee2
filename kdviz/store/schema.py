"""The store's tables, and the migrations that bring an older store up to them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import sqlalchemy as sa

from kdviz.errors import UserError
from kdviz.i18n import N_

HEAD = "0002_handling"
MIGRATIONS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()
Blob = sa.LargeBinary

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("lease_until", sa.Float),
    sa.Column("stop_requested", sa.Boolean, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.Text),
    sa.Column("settings", sa.Text),
    sa.Column("pause_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("pace", sa.Float, nullable=False, server_default="1"),
    sa.Column("forgiven", sa.Integer, nullable=False, server_default="0"),  # attempts that are not counted as failures
)

points = sa.Table(
    "points",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.String(32), nullable=False),
    sa.Column("student", sa.Integer, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Float, nullable=False),
    sa.Column("accuracy", sa.Float, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sa.Column("agreement", sa.Float),
    sa.Column("kl", sa.Float),
    sa.Column("loss_soft", sa.Float),
    sa.Column("loss_hard", sa.Float),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("written", sa.Float, nullable=False),
    sa.UniqueConstraint("run_id", "student", "step", name="one_point_of_each"),
    sqlite_autoincrement=True,
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("run_id", sa.String(32), primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("content", Blob, nullable=False),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("run_id", sa.String(32), primary_key=True),
    sa.Column("student", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("weights", Blob, nullable=False),
    sa.Column("test_logits", Blob, nullable=False),
    sa.Column("correct", Blob, nullable=False),
)

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("lease_until", sa.Float),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("progress", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("error", sa.Text),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def upgrade(engine: sa.Engine) -> None:
    """Bring a store to HEAD; at HEAD already, that costs one query and does not import Alembic."""
    database = engine.url.database
    on_file = engine.dialect.name == "sqlite" and database not in (None, "", ":memory:")
    if on_file:
        Path(str(database)).parent.mkdir(parents=True, exist_ok=True)
    if _version(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from filelock import FileLock

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    # Two processes that open a new SQLite file at once must not both make the tables.
    with FileLock(f"{database}.migrating") if on_file else contextlib.nullcontext():
        version = _version(engine)
        if version is not None and version not in known:
            raise UserError(
                N_(
                    "the store was written by a newer kdviz (its schema is {version}): "
                    "update kdviz, or set KDVIZ_STORE to another"
                ),
                version=version,
            )
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.execute(sa.text("select version_num from alembic_version")).scalar_one_or_none()
        return version
