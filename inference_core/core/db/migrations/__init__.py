"""The migrations of the database for Alembic: one file in `versions` per step."""
