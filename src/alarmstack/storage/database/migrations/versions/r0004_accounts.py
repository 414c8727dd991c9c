"""Accounts can be disabled, and the beginning of a login is stored, which limits its lifetime."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from alarmstack.storage.database.tables import Instant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both columns. Logins that exist count from the time of their newest token."""
    op.add_column("users", sa.Column("disabled_at", Instant))
    op.add_column("refresh_sessions", sa.Column("begun_at", Instant))
    op.execute("UPDATE refresh_sessions SET begun_at = created_at")
    with op.batch_alter_table("refresh_sessions") as table:
        table.alter_column("begun_at", existing_type=Instant, nullable=False)


def downgrade() -> None:
    """Remove both columns, without a copy of `users`: SQLite would delete rows that refer to it."""
    op.drop_column("refresh_sessions", "begun_at")
    op.drop_column("users", "disabled_at")
