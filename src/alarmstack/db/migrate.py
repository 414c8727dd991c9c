"""Bring a database up to date, or back. The migrations are part of the package; the service runs them at its start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from alarmstack.db.database import plain_engine
from alarmstack.errors import ServiceError


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to the newest revision. Raises ServiceError when it cannot be reached or brought there."""
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to a revision; `base` removes every table."""
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
        raise ServiceError(f"the database {engine.url.render_as_string(hide_password=True)} cannot be used: {reason}") from error
    finally:
        engine.dispose()


__all__ = ["config_on", "downgrade", "migrate"]
