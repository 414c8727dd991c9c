"""History entries store the horizon as a duration, because whole hours cannot express 10 min."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column. It stays empty in entries that exist: their hours are whole."""
    op.add_column("entries", sa.Column("horizon", sa.String(32)))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("entries", "horizon")
