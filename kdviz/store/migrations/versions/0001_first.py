"""The first tables: runs, points, checkpoints, outcomes, questions, facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
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
    )
    op.create_table(
        "points",
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
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("student", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("weights", sa.LargeBinary, nullable=False),
        sa.Column("test_logits", sa.LargeBinary, nullable=False),
        sa.Column("correct", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "questions",
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
    op.create_table(
        "facts",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
