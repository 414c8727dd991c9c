"""History entries have their horizon as a duration: `horizon_hours` cannot hold 10 minutes."""

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
