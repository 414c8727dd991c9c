"""The database: accounts, sessions, history, the plant's own past, the journal. SQLite by default, Postgres by URL.

`tables` says what is kept, and each table's docstring names its one writer; `migrations/` brings a database of any age up to date;
the other modules are the questions asked of the tables, each a few functions that take a session.
"""

from alarmstack.storage.database.engine import Database
from alarmstack.storage.database.migrate import downgrade, migrate

__all__ = ["Database", "downgrade", "migrate"]
