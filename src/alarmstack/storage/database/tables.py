"""Typed tables. Instants are stored as UTC and read with their zone; bodies are stored as JSON.

Every table has one writer, which its docstring names: no other module inserts or updates there.
Lengths are those that the API allows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Body = dict[str, Any]


class Instant(TypeDecorator[datetime]):
    """A datetime with zone, stored as UTC: on Postgres with a zone, on SQLite without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored value. A time without zone is a bug of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no offset: instants in the database are UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The value that is read."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables. Constraint names are fixed so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy requires it
        datetime: Instant,
        Body: JSON,
        list[Body]: JSON,
    }


class User(Table):
    """An account. Writer: `accounts`."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    login: Mapped[str] = mapped_column(
        String(64), unique=True, doc="The name in lower case: Anna and anna are one account."
    )
    password_hash: Mapped[str] = mapped_column(String(300))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)


class RefreshSession(Table):
    """One refresh token of a login, of which only the hash is stored. Writer: `sessions`.

    All tokens of one login are a `family`.
    """

    __tablename__ = "refresh_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    family: Mapped[str] = mapped_column(String(36), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    begun_at: Mapped[datetime] = mapped_column(
        doc="When the user logged in with a password: the same in the whole family."
    )
    expires_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class Invitation(Table):
    """An invitation to register once; only its token's hash is stored. Writer: `accounts`."""

    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class HistoryEntry(Table):
    """A result that a user requested, with the request. Deletion marks it. Writer: `entries`."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("ix_entries_user_id_created_at", "user_id", "created_at"),
        Index("ix_entries_user_id_id", "user_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    plant_time: Mapped[datetime | None]
    horizon: Mapped[str | None] = mapped_column(
        String(32), default=None, doc="A duration; None also in entries of earlier releases."
    )
    horizon_hours: Mapped[int | None] = mapped_column(doc="None where the hours are not whole.")
    score: Mapped[float | None]
    alarm: Mapped[int | None]
    model: Mapped[str | None] = mapped_column(String(200))
    model_version: Mapped[str | None] = mapped_column(String(64))
    request: Mapped[Body]
    response: Mapped[Body]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class PlantInterval(Table):
    """A closed interval from the feed, one row for each start. Writer: `plant_history`."""

    __tablename__ = "plant_intervals"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    row: Mapped[Body]
    stored_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(
        default=1, server_default="1", doc="Increases with each correction."
    )


class Quarantined(Table):
    """An invalid row of the feed with the reason. Writer: `quarantine` (monitor).

    `times`: how often it arrived.
    """

    __tablename__ = "plant_quarantine"
    __table_args__ = (UniqueConstraint("plant", "digest"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    plant: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int]


class PlantAssessed(Table):
    """The model outputs of an assessed interval. Writer: `plant_history` (monitor).

    `outputs` has the values of this interval (scores, exceeded limits, scores of challengers).
    Values that many intervals share are stored once, in `plant_versions`. Trends and warnings need
    no more, so that a long past stays small.
    """

    __tablename__ = "plant_assessments"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    outputs: Mapped[Body] = mapped_column("said")
    versions_id: Mapped[int] = mapped_column(ForeignKey("plant_versions.id"))
    in_alarm: Mapped[bool]
    stored_at: Mapped[datetime]


class LimitEpisode(Table):
    """A limit alarm from beginning to end, as on the screen. Writer: `limit_alarms` (monitor)."""

    __tablename__ = "limit_alarms"
    __table_args__ = (
        UniqueConstraint("plant", "rule", "begin", name="uq_limit_alarms_plant_rule_begin"),
        Index("ix_limit_alarms_plant_begin", "plant", "begin"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    plant: Mapped[str] = mapped_column(String(100))
    rule: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(200))
    tag: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(Text)
    limit: Mapped[float]
    unit: Mapped[str] = mapped_column(String(32))
    begin: Mapped[datetime]
    end: Mapped[datetime | None] = mapped_column(default=None)
    peak: Mapped[float | None]
    approximate: Mapped[bool]


class LimitProgress(Table):
    """The state of each limit's evaluation, for a restart. Writer: `limit_alarms` (monitor)."""

    __tablename__ = "limit_states"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    rule: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[Body]


class PlantVersions(Table):
    """Model versions and thresholds, stored once for all assessments that share them.

    `digest` is the SHA-256 of `versions`. Writer: `plant_history` (monitor).
    """

    __tablename__ = "plant_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    versions: Mapped[Body]


class PlantBody(Table):
    """A complete assessment, kept for ALARMSTACK_KEEP_ASSESSMENTS_DAYS. Writer: `plant_history`."""

    __tablename__ = "plant_bodies"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    body: Mapped[Body]


class JournalLine(Table):
    """An action of a user. Writer: `journal`.

    Triggers of the database refuse to change or delete a line.
    """

    __tablename__ = "journal"
    id: Mapped[int] = mapped_column(primary_key=True)
    plant_time: Mapped[datetime | None]
    server_time: Mapped[datetime] = mapped_column(index=True)
    user: Mapped[str | None] = mapped_column("username", String(64))
    action: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(Text)
    value: Mapped[Body]


__all__ = [
    "Body",
    "HistoryEntry",
    "Instant",
    "Invitation",
    "JournalLine",
    "LimitEpisode",
    "LimitProgress",
    "PlantAssessed",
    "PlantBody",
    "PlantInterval",
    "PlantVersions",
    "Quarantined",
    "RefreshSession",
    "Table",
    "User",
]
