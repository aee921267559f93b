"""Stop a migration that deletes undeclared rows or leaves references to missing rows.

A revision script declares the tables whose rows it deletes in `upgrade_deletes_from` and `downgrade_deletes_from`, two
tuples of names. A dropped table counts as deleted rows. All other tables must keep their rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from sqlalchemy import event, func, inspect, select, table, text
from sqlalchemy.engine import Connection

from inference_core.core.db.migrations.errors import UnsafeMigrationError

# Only statements with these words can delete rows. Alembic's batch mode drops the table that it has copied.
MAY_DELETE = re.compile(r"\b(delete|drop|truncate|replace|merge)\b", re.IGNORECASE)
ALEMBIC_TABLE = "alembic_version"
ALEMBIC_COPY = "_alembic_tmp_"


class MigrationGuard:
    """The check of each step of a run: it counts rows before the first statement that can delete rows, and at the end.

    SQLite does not enforce foreign keys during a migration, so they are checked here.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before: Mapping[str, int] | None = None
        self._orphans = count_orphans(connection)
        self._missing = missing_parents(connection)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Observe the statements on the connection."""
        event.listen(self._connection, "before_cursor_execute", self._count_once)
        try:
            yield
        finally:
            event.remove(self._connection, "before_cursor_execute", self._count_once)

    def check(self, ctx: object, step: MigrationInfo, heads: object, run_args: object) -> None:  # noqa: ARG002
        """Check the step that has just run. Alembic calls this within the transaction of the step.

        Raises:
            UnsafeMigrationError: The step has lost undeclared rows, or has broken references.
        """
        script = cast("Script", step.up_revision)  # the revision itself, in either direction
        self._check_rows(script, "upgrade_deletes_from" if step.is_upgrade else "downgrade_deletes_from")
        self._check_references(script)

    def _check_rows(self, script: Script, variable: str) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        declared = set(getattr(script.module, variable, ()))
        lost = lost_rows(before, count_rows(self._connection))
        if not set(lost) - declared:
            return
        counts = ", ".join(
            f"{name} had {before[name]} rows and has {left}" for name, left in lost.items() if name not in declared
        )
        names = "".join(f'"{name}", ' for name in sorted(declared | set(lost))).rstrip()
        raise UnsafeMigrationError(
            f"migration {Path(script.path).name} deletes rows that it does not declare: {counts}; "
            f"if this is intended, add to it: {variable} = ({names})"
        )

    def _check_references(self, script: Script) -> None:
        orphans = count_orphans(self._connection)
        if broken := orphans - self._orphans:
            pairs = ", ".join(f"{count} of {child} to {parent}" for (child, parent), count in sorted(broken.items()))
            raise UnsafeMigrationError(
                f"migration {Path(script.path).name} leaves references to rows that do not exist: {pairs}; "
                "delete or change the referring rows in it as well"
            )
        self._orphans = orphans
        if missing := missing_parents(self._connection) - self._missing:
            pairs = ", ".join(f"{child} to {parent}" for child, parent in sorted(missing))
            raise UnsafeMigrationError(
                f"migration {Path(script.path).name} leaves references to tables that do not exist: {pairs}; "
                "drop or change the referring tables first"
            )

    def _count_once(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if self._before is None and MAY_DELETE.search(statement):
            self._before = count_rows(connection)


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table except Alembic's own."""
    names = [
        name
        for name in inspect(connection).get_table_names()
        if name != ALEMBIC_TABLE and not name.startswith(ALEMBIC_COPY)
    ]
    return {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}


def lost_rows(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return the tables with fewer rows than before, and their rows. A renamed table is identified by its rows."""
    made = [rows for name, rows in after.items() if name not in before]
    lost = {}
    for name, rows in before.items():
        renamed = name not in after and rows in made
        if after.get(name, 0) < rows and not renamed:
            lost[name] = after.get(name, 0)
    return lost


def count_orphans(connection: Connection) -> Counter[tuple[str, str]]:
    """Return the number of rows that refer to missing rows of another table. Only SQLite allows them."""
    if connection.dialect.name != "sqlite":
        return Counter()
    return Counter((row.table, row.parent) for row in connection.execute(text("PRAGMA foreign_key_check")))


def missing_parents(connection: Connection) -> set[tuple[str, str]]:
    """Return the tables that refer to a table that does not exist, and its name. Only SQLite allows them."""
    if connection.dialect.name != "sqlite":
        return set()
    inspector = inspect(connection)
    names = inspector.get_table_names()
    keys = {(name, key["referred_table"]) for name in names for key in inspector.get_foreign_keys(name)}
    return {(name, parent) for name, parent in keys if parent not in names}
