"""An index for pages of a user's history; without it each page reads all entries of the account."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_entries_user_id_id", "entries", ["user_id", "id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_entries_user_id_id", "entries")
