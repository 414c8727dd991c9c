"""Tables, typed. Instants are stored as UTC and come back aware; bodies are stored as the JSON that travelled.

Every table has one writer, named in its docstring: nothing else inserts or updates there. Lengths are those the wire allows.
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
    """An aware datetime, kept as UTC: with its zone on Postgres, without one on SQLite, which knows none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is stored. A naive time is a bug of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no offset: instants in the database are UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is read."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, Body: JSON, list[Body]: JSON}  # noqa: RUF012 - SQLAlchemy's own way


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
    """One refresh token of a login; only its hash is kept. All tokens of one login are a `family`. Writer: `sessions`."""

    __tablename__ = "refresh_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    family: Mapped[str] = mapped_column(String(36), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    begun_at: Mapped[datetime] = mapped_column(
        doc="When somebody logged in with a password: the same in the whole family."
    )
    expires_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class Invitation(Table):
    """Leave to register once, with a role; only the token's hash is kept. Writer: `accounts`."""

    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class HistoryEntry(Table):
    """A result that somebody asked for, with what was asked. Deleting it marks it. Writer: `entries`."""

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
    """A closed interval of the plant as the feed told it. One row a start. Writer: the monitor, by `plant_history`."""

    __tablename__ = "plant_intervals"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    row: Mapped[Body]
    stored_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(
        default=1, server_default="1", doc="Grows with each correction."
    )


class Quarantined(Table):
    """A row of the feed that was not valid, and why; `times`: how often it came. Writer: the monitor, by `quarantine`."""

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
    """What the models said of an interval when it was assessed. Writer: the monitor, by `plant_history`.

    `said` holds what differs from interval to interval (scores, rules met, scores of challengers); what stays the same for
    many intervals is kept once, in `plant_versions`. Trends and warnings need no more, so that a long past stays small.
    """

    __tablename__ = "plant_assessments"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    said: Mapped[Body]
    versions_id: Mapped[int] = mapped_column(ForeignKey("plant_versions.id"))
    in_alarm: Mapped[bool]
    stored_at: Mapped[datetime]


class LimitEpisode(Table):
    """A limit alarm from its beginning to its end, as the screen showed it. Writer: the monitor, by `limit_alarms`."""

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
    """How far each limit's evaluation has come, so that a restart resumes there. Writer: the monitor, by `limit_alarms`."""

    __tablename__ = "limit_states"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    rule: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[Body]


class PlantVersions(Table):
    """Versions and thresholds of the models behind assessments, once for all that share them.

    `digest` is the SHA-256 of `versions`. Writer: the monitor, by `plant_history`.
    """

    __tablename__ = "plant_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    versions: Mapped[Body]


class PlantBody(Table):
    """The whole of an assessment, kept for ALARMSTACK_KEEP_ASSESSMENTS_DAYS. Writer: the monitor, by `plant_history`."""

    __tablename__ = "plant_bodies"
    plant: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    body: Mapped[Body]


class JournalLine(Table):
    """What somebody did. Never changed, never deleted: triggers of the database refuse it. Writer: `journal`."""

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
