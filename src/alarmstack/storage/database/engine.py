"""A database by its URL: `sqlite:///file.db` or `postgresql://user@host/name`, and its sessions."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from alarmstack.core.errors import ServiceError

BUSY_SECONDS = 10.0
"""How long a writer waits for another writer on SQLite (ALARMSTACK_DATABASE_BUSY_SECONDS)."""
CONNECT_SECONDS = 5
"""How long a Postgres server may take to accept a connection before it counts as unavailable."""
WAL_BYTES = 16 * 1024 * 1024
"""Largest size of SQLite's write-ahead log after its content was moved into the file."""
RELEASED_PAGES = 2000
"""Free pages that are released at a time: 8 MB, which takes a few milliseconds."""
DRIVERS = {
    "sqlite": ("sqlite+pysqlite", "sqlite+aiosqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
}
"""Kind of database → driver for migrations, driver for the service."""


class Database:
    """A pool of connections. `async with database.begin() as session` is one transaction."""

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        parsed = driven(url, service=True)
        self._sqlite = parsed.get_backend_name() == "sqlite"
        waiting = _waiting(parsed, busy_seconds)
        self.engine = create_async_engine(
            parsed, pool_pre_ping=not self._sqlite, json_serializer=_compact, **waiting
        )
        if self._sqlite:
            event.listen(self.engine.sync_engine, "connect", partial(_prepare, busy_seconds))
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    def begin(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction, committed at the end of its `async with`."""
        return self._sessions.begin()

    async def release(self, *, shorten_log: bool = True) -> None:
        """Release the disk space of removed rows, and shorten SQLite's write-ahead log.

        Postgres does this by itself.
        """
        if not self._sqlite:
            return
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            # As a script: a plain `execute` runs one step of this statement and releases one page.
            await driver.executescript(f"PRAGMA incremental_vacuum({RELEASED_PAGES})")
            if shorten_log:
                await driver.executescript("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


def plain_engine(url: str) -> Engine:
    """A blocking engine, for migrations."""
    parsed = driven(url, service=False)
    engine = create_engine(parsed, **_waiting(parsed, BUSY_SECONDS))
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", partial(_prepare, BUSY_SECONDS))
    return engine


def driven(url: str, *, service: bool) -> URL:
    """The URL with the driver of this package.

    Raises ServiceError for another kind of database. The folder of an SQLite file is created.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        name = DRIVERS["postgresql" if kind == "postgres" else kind][service]
    except (ArgumentError, KeyError):
        scheme = url.partition(":")[0]
        raise ServiceError(
            f"ALARMSTACK_DATABASE_URL: {scheme!r} is not a supported database: "
            "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return parsed.set(drivername=name)


def _waiting(url: URL, busy_seconds: float) -> dict[str, Any]:
    """How long a connection waits: for another writer on SQLite, for an answer of Postgres."""
    name = "timeout" if url.get_backend_name() == "sqlite" else "connect_timeout"
    seconds = busy_seconds if name == "timeout" else CONNECT_SECONDS
    return {"connect_args": {name: seconds}}


def _prepare(busy_seconds: float, connection: Any, _record: Any) -> None:
    """Set up an SQLite connection: WAL of limited size, foreign keys, release of free pages.

    `auto_vacuum` has an effect only in a new file, before anything else is written.
    """
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={int(busy_seconds * 1000)}",
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        f"journal_size_limit={WAL_BYTES}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _compact(value: object) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"))


__all__ = ["Database", "driven", "plain_engine"]
