"""Migration of a database to the newest version or back. The service migrates when it starts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.core.errors import ServiceError
from alarmstack.core.tasks import reason_of
from alarmstack.storage.database.engine import plain_engine

INCREMENTAL = 2
"""SQLite's number for the `auto_vacuum` that releases free pages on request."""
log = logging.getLogger(__name__)


def migrate(url: str, revision: str = "head") -> None:
    """Migrate the database at `url` to a revision. Raises ServiceError when that fails."""
    _run(url, lambda config: command.upgrade(config, revision))
    if make_url(url).get_backend_name() == "sqlite":
        _let_shrink(url)


def downgrade(url: str, revision: str = "base") -> None:
    """Migrate the database back to a revision; `base` removes every table."""
    _run(url, lambda config: command.downgrade(config, revision))


def config_on(connection: Connection) -> Config:
    """Alembic's configuration on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _run(url: str, work: Callable[[Config], None]) -> None:
    engine = plain_engine(url)
    try:
        with engine.begin() as connection:
            work(config_on(connection))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ServiceError(
            f"the database {engine.url.render_as_string(hide_password=True)} "
            f"cannot be used: {reason}"
        ) from error
    finally:
        engine.dispose()


def _let_shrink(url: str) -> None:
    """Rewrite an SQLite file of an earlier version once, so that it can release free pages."""
    engine = plain_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() != INCREMENTAL:
                connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
                connection.exec_driver_sql("VACUUM")
    except SQLAlchemyError as error:
        # The file still works. It only keeps its largest size.
        log.warning(
            "the database cannot be rewritten, its file will not shrink: %s", reason_of(error)
        )
    finally:
        engine.dispose()


__all__ = ["config_on", "downgrade", "migrate"]
