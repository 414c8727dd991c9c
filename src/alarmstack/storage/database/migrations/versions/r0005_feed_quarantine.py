"""Quarantined rows of the feed, and the revision of each interval's row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from alarmstack.storage.database.tables import Instant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a table of invalid rows, and a count of the corrections of a row."""
    op.add_column(
        "plant_intervals", sa.Column("revision", sa.Integer, nullable=False, server_default="1")
    )
    op.create_table(
        "plant_quarantine",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plant", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.UniqueConstraint("plant", "digest", name="uq_plant_quarantine_plant_digest"),
    )


def downgrade() -> None:
    """Remove the table and the count."""
    op.drop_table("plant_quarantine")
    op.drop_column("plant_intervals", "revision")
