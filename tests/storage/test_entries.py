"""A page of a long history takes as long as a page of a short one."""

from pathlib import Path

from sqlalchemy import text

from alarmstack.storage.database import migrate
from alarmstack.storage.database.engine import plain_engine

PAGE = """
SELECT id FROM entries
WHERE user_id = 1 AND deleted_at IS NULL AND id < 900
ORDER BY id DESC LIMIT 50
"""


def test_a_page_is_read_from_an_index_without_sorting_all_entries(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/alarmstack.db"
    migrate(url)
    engine = plain_engine(url)
    with engine.connect() as connection:
        plan = " ".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {PAGE}")))
    engine.dispose()
    assert "ix_entries_user_id_id" in plan and "ORDER BY" not in plan
