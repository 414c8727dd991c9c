"""The database of accounts, sessions, history, past intervals and the journal: SQLite or Postgres.

`tables` defines the tables, and the docstring of each table names its one writer. `migrations/`
updates a database of any version. The other modules are queries, each a few functions that take a
session.
"""

from alarmstack.storage.database.engine import Database
from alarmstack.storage.database.migrate import downgrade, migrate

__all__ = ["Database", "downgrade", "migrate"]
