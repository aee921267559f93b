"""The database's history, run by alembic; one file in `versions` for each step."""
