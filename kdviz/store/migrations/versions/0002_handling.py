"""A run can be paused and slowed down, and attempts before somebody resumed it are not counted as failures."""

import sqlalchemy as sa
from alembic import op

revision = "0002_handling"
down_revision = "0001_first"


def upgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("pause_requested", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("pace", sa.Float, nullable=False, server_default="1"))
        table.add_column(sa.Column("forgiven", sa.Integer, nullable=False, server_default="0"))
