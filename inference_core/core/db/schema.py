"""The revision of a database and the newest revision, read without Alembic, whose import is slow."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import column, inspect, select, table
from sqlalchemy.engine import Connection

from inference_core.core.db.engine import Database
from inference_core.core.db.migration_errors import MigrationError

SCRIPTS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
# The two variables of a revision script that define its position.
PLACE = re.compile(r"^(down_)?revision\b[^=\n]*=(.*)$", re.MULTILINE)
NAME = re.compile(r"[\"']([^\"']+)[\"']")


def head_revision(scripts: Path = SCRIPTS) -> str:
    """Return the newest revision of this version of the service, which no other revision follows.

    Raises:
        MigrationError: There is not exactly one.
    """
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for script in (scripts / "versions").glob("*.py"):
        for follows, value in PLACE.findall(script.read_text(encoding="utf-8")):
            names[bool(follows)].update(NAME.findall(value))
    heads = sorted(names[False] - names[True])
    if len(heads) != 1:
        found = ", ".join(heads) or "none"
        raise MigrationError(f"database: {scripts}: one revision must be the newest, found {found}; set down_revision")
    return heads[0]


def revision_on(connection: Connection) -> str | None:
    """Return the revision of the database of a connection. None if it has no tables of the service."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalars(select(column("version_num")).select_from(table(VERSION_TABLE))).one_or_none()


async def current_revision(database: Database) -> str | None:
    """Return the revision of a database. None if it has no tables of the service.

    Raises:
        DependencyUnavailableError: The database does not respond.
    """
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(revision_on)
