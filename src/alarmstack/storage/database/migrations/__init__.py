"""Alembic migrations, packaged so that a service can run them wherever it is installed."""
