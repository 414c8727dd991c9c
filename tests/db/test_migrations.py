"""Migrations, up and down, on every database; and what the database itself refuses."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, inspect, text, update
from sqlalchemy.exc import DBAPIError

from alarmstack.db import downgrade, journal, migrate
from alarmstack.db.database import driven, plain_engine
from alarmstack.db.tables import JournalLine, Table
from alarmstack.errors import ServiceError
from tests.upstreams import BEGIN
from tests.world import opened


def tables(url: str) -> set[str]:
    engine = plain_engine(url)
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return found


def test_up_again_down_and_up(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    assert tables(database_url) == set(Table.metadata.tables)
    downgrade(database_url)
    assert tables(database_url) == set()
    migrate(database_url)
    assert tables(database_url) == set(Table.metadata.tables)


def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    migrate(database_url)
    engine = plain_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


@pytest.mark.anyio
@pytest.mark.parametrize("change", [update(JournalLine).values(action="nothing"), delete(JournalLine)], ids=["update", "delete"])
async def test_the_journal_is_append_only(database_url: str, change: object) -> None:
    migrate(database_url)
    async with opened(database_url) as database:
        async with database.begin() as session:
            await journal.write(session, BEGIN, "login", "anna", {"address": "::1"}, reason="why", plant_time=BEGIN)
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.begin() as session:
                await session.execute(change)  # type: ignore[call-overload]
        async with database.begin() as session:
            line = (await journal.read(session))[0]
            assert (line.action, line.user, line.server_time, line.reason) == ("login", "anna", BEGIN, "why")


@pytest.mark.anyio
async def test_sqlite_is_set_up_for_many_readers(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/a.db"
    migrate(url)
    async with opened(url) as database, database.begin() as session:
        assert [
            (await session.execute(text(f"PRAGMA {what}"))).scalar() for what in ("journal_mode", "foreign_keys", "busy_timeout")
        ] == [
            "wal",
            1,
            10_000,
        ]


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", ""])
def test_an_unknown_kind_of_database_is_refused_with_what_there_is(url: str) -> None:
    with pytest.raises(ServiceError, match="sqlite:///FILE or postgresql"):
        driven(url, service=True)


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(ServiceError) as caught:
        migrate("postgresql://user:hush@127.0.0.1:9/none")
    assert "127.0.0.1:9" in str(caught.value) and "hush" not in str(caught.value)
