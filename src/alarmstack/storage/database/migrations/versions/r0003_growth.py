"""Complete assessments apart from their scores, and versions and thresholds once for all intervals.

A long past then stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from alarmstack.storage.database.outputs import digest, join, split
from alarmstack.storage.database.tables import Instant

revision = "0003"
down_revision = "0002"


def _table(name: str, *columns: sa.ColumnClause[Any]) -> sa.TableClause:
    """A table whose rows are identified by plant and start."""
    return sa.table(name, sa.column("plant", sa.String), sa.column("start", Instant), *columns)


ASSESSED = _table(
    "plant_assessments",
    sa.column("said", sa.JSON),
    sa.column("versions_id"),
    sa.column("body", sa.JSON),
)
BODIES = _table("plant_bodies", sa.column("body", sa.JSON))
VERSIONS = sa.table(
    "plant_versions", sa.column("id"), sa.column("digest"), sa.column("versions", sa.JSON)
)


def upgrade() -> None:
    """Make the new tables and convert what is stored."""
    op.create_table(
        "plant_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.UniqueConstraint("digest", name="uq_plant_versions_digest"),
    )
    op.create_table(
        "plant_bodies",
        sa.Column("plant", sa.String(100), primary_key=True),
        sa.Column("start", Instant, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.execute(
        "INSERT INTO plant_bodies (plant, start, body) SELECT plant, start, body FROM "
        "plant_assessments"
    )
    with op.batch_alter_table("plant_assessments") as table:
        table.add_column(sa.Column("versions_id", sa.Integer))
        table.drop_column("body")
    for plant, start, said in _assessments():
        own, shared = split(said)
        _update(plant, start, said=own, versions_id=_number(shared))
    with op.batch_alter_table("plant_assessments") as table:
        table.alter_column("versions_id", existing_type=sa.Integer, nullable=False)
        table.create_foreign_key(
            "fk_plant_assessments_versions_id", "plant_versions", ["versions_id"], ["id"]
        )


def downgrade() -> None:
    """Move everything back to one table. Assessments without a stored body become empty."""
    with op.batch_alter_table("plant_assessments") as table:
        table.add_column(sa.Column("body", sa.JSON, nullable=False, server_default="{}"))
        table.drop_constraint("fk_plant_assessments_versions_id", type_="foreignkey")
    known = dict(
        op.get_bind().execute(sa.select(VERSIONS.c.id, VERSIONS.c.versions)).tuples().all()
    )
    numbers = {
        (plant, start): number
        for plant, start, number in op.get_bind().execute(
            sa.select(ASSESSED.c.plant, ASSESSED.c.start, ASSESSED.c.versions_id)
        )
    }
    for plant, start, own in _assessments():
        _update(plant, start, said=join(own, known[numbers[plant, start]]))
    whole = sa.select(BODIES.c.body).where(
        BODIES.c.plant == ASSESSED.c.plant, BODIES.c.start == ASSESSED.c.start
    )
    op.execute(sa.update(ASSESSED).values(body=whole.scalar_subquery()).where(whole.exists()))
    with op.batch_alter_table("plant_assessments") as table:
        table.alter_column("body", existing_type=sa.JSON, server_default=None)
        table.drop_column("versions_id")
    op.drop_table("plant_bodies")
    op.drop_table("plant_versions")


def _assessments() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Key and scores of every assessment, one at a time."""
    keys = op.get_bind().execute(sa.select(ASSESSED.c.plant, ASSESSED.c.start)).all()
    for plant, start in keys:
        yield (
            plant,
            start,
            op.get_bind()
            .execute(sa.select(ASSESSED.c.said).where(*_is(plant, start)))
            .scalar_one(),
        )


def _update(plant: str, start: Any, **values: Any) -> None:
    op.get_bind().execute(sa.update(ASSESSED).where(*_is(plant, start)).values(**values))


def _is(plant: str, start: Any) -> tuple[Any, Any]:
    return ASSESSED.c.plant == plant, ASSESSED.c.start == start


def _number(shared: dict[str, Any]) -> int:
    """The number that thresholds and versions are kept under."""
    asked = sa.select(VERSIONS.c.id).where(VERSIONS.c.digest == digest(shared))
    found = op.get_bind().execute(asked).scalar_one_or_none()
    if found is None:
        op.get_bind().execute(sa.insert(VERSIONS).values(digest=digest(shared), versions=shared))
        found = op.get_bind().execute(asked).scalar_one()
    return int(found)
