"""Limit alarms: every episode, and the state for a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from alarmstack.storage.database.tables import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "limit_alarms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plant", sa.String(100), nullable=False),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("tag", sa.String(200), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("limit", sa.Double, nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("begin", Instant, nullable=False),
        sa.Column("end", Instant),
        sa.Column("peak", sa.Double),
        sa.Column("approximate", sa.Boolean, nullable=False),
        sa.UniqueConstraint("plant", "rule", "begin", name="uq_limit_alarms_plant_rule_begin"),
    )
    op.create_index("ix_limit_alarms_plant_begin", "limit_alarms", ["plant", "begin"])
    op.create_table(
        "limit_states",
        sa.Column("plant", sa.String(100), primary_key=True),
        sa.Column("rule", sa.String(200), primary_key=True),
        sa.Column("state", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("limit_states")
    op.drop_table("limit_alarms")
