"""The first tables: accounts, sessions, invitations, entries, past intervals, the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from alarmstack.storage.database.tables import Instant

revision = "0001"
down_revision = None

REFUSAL = "the journal is append-only"


def upgrade() -> None:
    """Create the tables, and the triggers that protect the journal against changes."""
    _accounts()
    _sessions()
    _entries()
    _plant()
    _journal()


def _accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(300), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.UniqueConstraint("login", name="uq_users_login"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("used_at", Instant),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
    )


def _sessions() -> None:
    op.create_table(
        "refresh_sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("family", sa.String(36), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("rotated_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.UniqueConstraint("token_hash", name="uq_refresh_sessions_token_hash"),
    )
    op.create_index("ix_refresh_sessions_user_id", "refresh_sessions", ["user_id"])
    op.create_index("ix_refresh_sessions_family", "refresh_sessions", ["family"])


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("plant_time", Instant),
        sa.Column("horizon_hours", sa.Integer),
        sa.Column("score", sa.Double),
        sa.Column("alarm", sa.Integer),
        sa.Column("model", sa.String(200)),
        sa.Column("model_version", sa.String(64)),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("response", sa.JSON, nullable=False),
        sa.Column("deleted_at", Instant),
    )
    op.create_index("ix_entries_user_id_created_at", "entries", ["user_id", "created_at"])


def _plant() -> None:
    op.create_table(
        "plant_intervals",
        sa.Column("plant", sa.String(100), primary_key=True),
        sa.Column("start", Instant, primary_key=True),
        sa.Column("row", sa.JSON, nullable=False),
        sa.Column("stored_at", Instant, nullable=False),
    )
    op.create_table(
        "plant_assessments",
        sa.Column("plant", sa.String(100), primary_key=True),
        sa.Column("start", Instant, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("in_alarm", sa.Boolean, nullable=False),
        sa.Column("stored_at", Instant, nullable=False),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plant_time", Instant),
        sa.Column("server_time", Instant, nullable=False),
        sa.Column("username", sa.String(64)),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_index("ix_journal_server_time", "journal", ["server_time"])
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_no_{event.lower()} BEFORE {event} ON journal BEGIN SELECT "
                f"RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION journal_stays() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$"
    )
    op.execute(
        "CREATE TRIGGER journal_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
        "FOR EACH STATEMENT EXECUTE FUNCTION journal_stays()"
    )


def downgrade() -> None:
    """Remove everything, youngest first."""
    for table in (
        "journal",
        "plant_assessments",
        "plant_intervals",
        "entries",
        "refresh_sessions",
        "invitations",
        "users",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_stays()")
