"""Migrations up and down on every database, and the constraints of the database."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from alarmstack.core.errors import ServiceError
from alarmstack.storage.database import downgrade, journal, migrate, plant_history
from alarmstack.storage.database.engine import driven, plain_engine
from alarmstack.storage.database.migrate import INCREMENTAL
from alarmstack.storage.database.tables import JournalLine, PlantVersions, Table
from tests.upstreams import BEGIN, HOUR
from tests.world import opened


def tables(url: str) -> set[str]:
    engine = plain_engine(url)
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return names


def test_up_again_down_and_up(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    assert tables(database_url) == set(Table.metadata.tables)
    downgrade(database_url)
    assert tables(database_url) == set()
    migrate(database_url)
    assert tables(database_url) == set(Table.metadata.tables)


def test_the_migrations_create_the_defined_tables(database_url: str) -> None:
    migrate(database_url)
    engine = plain_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [update(JournalLine).values(action="nothing"), delete(JournalLine)],
    ids=["update", "delete"],
)
async def test_the_journal_is_append_only(database_url: str, change: object) -> None:
    migrate(database_url)
    async with opened(database_url) as database:
        async with database.begin() as session:
            await journal.write(
                session, BEGIN, "login", "anna", {"address": "::1"}, reason="why", plant_time=BEGIN
            )
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.begin() as session:
                await session.execute(change)  # type: ignore[call-overload]
        async with database.begin() as session:
            line = (await journal.read(session))[0]
            assert (line.action, line.user, line.server_time, line.reason) == (
                "login",
                "anna",
                BEGIN,
                "why",
            )


@pytest.mark.anyio
async def test_sqlite_is_set_up_for_many_readers(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/a.db"
    migrate(url)
    async with opened(url) as database, database.begin() as session:
        assert [
            (await session.execute(text(f"PRAGMA {what}"))).scalar()
            for what in ("journal_mode", "foreign_keys", "busy_timeout")
        ] == [
            "wal",
            1,
            10_000,
        ]


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", ""])
def test_an_unknown_kind_of_database_is_refused_with_the_supported_ones(url: str) -> None:
    with pytest.raises(ServiceError, match="sqlite:///FILE or postgresql"):
        driven(url, service=True)


def test_an_unavailable_database_is_named_without_its_password() -> None:
    with pytest.raises(ServiceError) as caught:
        migrate("postgresql://user:hush@127.0.0.1:9/none")
    assert "127.0.0.1:9" in str(caught.value) and "hush" not in str(caught.value)


@pytest.mark.anyio
async def test_a_past_of_the_first_version_is_converted_and_can_go_back(database_url: str) -> None:
    spoken = {"forecast_1h": [0.2, 0.1, "3"]}
    forecasts = [{"column": "forecast_1h", "horizon_hours": 1, "score": 0.2, "threshold": 0.1}]
    # Earlier releases stored no duration: these outputs stay as they are.
    said = {
        "scores": {"forecast_1h": 0.2, "regime": None},
        "spoken": spoken,
        "shadows": {},
        "forecasts": forecasts,
    }
    migrate(database_url, "0001")
    engine = plain_engine(database_url)
    values = {"plant": "p", "body": '{"whole": 1}', "said": json.dumps(said), "alarm": True}
    with engine.begin() as connection:
        for hour in range(3):
            start = (
                (BEGIN + hour * HOUR)
                .replace(tzinfo=None if "sqlite" in database_url else UTC)
                .isoformat(" ", "microseconds")
            )
            connection.execute(
                text("INSERT INTO plant_intervals VALUES (:plant, :start, '{}', :start)"),
                values | {"start": start},
            )
            assessed = text(
                "INSERT INTO plant_assessments "
                "VALUES (:plant, :start, :body, :said, :alarm, :start)"
            )
            connection.execute(assessed, values | {"start": start})
    migrate(database_url)
    async with opened(database_url) as database, database.begin() as session:
        past = await plant_history.past(session, "p", None, None, 10)
        assert [json.loads(json.dumps(interval.outputs)) for interval in past] == [
            said | {"rules": []}
        ] * 3
        assert await plant_history.bodies(session, "p", [BEGIN]) == {BEGIN: {"whole": 1}}
        assert await session.scalar(select(func.count()).select_from(PlantVersions)) == 1
        await plant_history.forget_bodies(session, "p", BEGIN + HOUR, 10)
    downgrade(database_url, "0001")
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT body, said FROM plant_assessments ORDER BY start")
        ).all()
    engine.dispose()
    whole = [value if isinstance(value, dict) else json.loads(value) for value, _ in rows]
    assert whole == [{}, {"whole": 1}, {"whole": 1}]
    outputs = rows[0][1] if isinstance(rows[0][1], dict) else json.loads(rows[0][1])
    assert outputs["spoken"] == spoken and outputs["forecasts"] == forecasts


def test_an_sqlite_file_of_the_first_version_is_rewritten_so_that_it_can_shrink(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE before (x)")
        old.commit()
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as now:
        assert now.execute("PRAGMA auto_vacuum").fetchone() == (INCREMENTAL,)
