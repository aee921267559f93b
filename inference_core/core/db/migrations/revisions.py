"""The revisions of the features and of a database, read without Alembic, whose import is slow.

Each feature with tables has its own history: a folder of revision scripts, each of which follows the one before it. A
revision is named `<feature>_<number>`. A revision that is not known therefore belongs to a newer version of a feature,
or to a feature that the service does not have.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sqlalchemy import Select, column, inspect, select, table
from sqlalchemy.engine import Connection

from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.feature import Feature, Service, folder_of

VERSION_TABLE = "alembic_version"
REVISION = re.compile(r"[a-z][a-z0-9_]*_\d+")
# Python 3.11 raises a SystemError if two threads make syntax trees at the same time.
PARSING = Lock()


@dataclass(frozen=True, slots=True)
class Script:
    """A revision script: its file, its revision, and the revisions that it follows."""

    path: Path
    revision: str
    follows: frozenset[str]


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one feature.

    Attributes:
        folder: Contains the scripts.
        scripts: All of them, the newest last.
    """

    feature: Feature
    folder: Path
    scripts: tuple[Script, ...]

    @property
    def revisions(self) -> tuple[str, ...]:
        """Return the names of all revisions, the newest last."""
        return tuple(script.revision for script in self.scripts)

    @property
    def head(self) -> str | None:
        """Return the newest revision. None if there is none yet."""
        return self.scripts[-1].revision if self.scripts else None

    def current_of(self, stored: Iterable[str]) -> str | None:
        """Return the revision of this history in a database. None if it has none."""
        return next((name for name in stored if name in self.revisions), None)

    def between(self, start: str | None, end: str | None) -> tuple[str, ...]:
        """Return the revisions after `start` up to `end`. None is the state before the first one."""
        first, last = (self.revisions.index(name) + 1 if name else 0 for name in (start, end))
        return self.revisions[first:last]

    def has_reached(self, revision: str, stored: Iterable[str]) -> bool:
        """Return whether a database is at `revision` of this history or at a later one."""
        current = self.current_of(stored)
        return current is not None and self.revisions.index(current) >= self.revisions.index(revision)

    def newer_of(self, stored: Iterable[str]) -> str | None:
        """Return the revision in a database that a newer version of the feature has made. None if there is none."""
        own = re.compile(rf"{self.feature.name}_\d+")
        return next((name for name in stored if own.fullmatch(name) and name not in self.revisions), None)


def histories(service: Service) -> list[History]:
    """Return the histories of the features with tables, in the order in which they are migrated.

    Raises:
        MigrationError: A script cannot be read, or the revisions of a feature do not follow each other.
    """
    found = []
    for feature in service.start_order:
        if feature.migrations:
            folder = folder_of(feature.load("migrations"))
            scripts = [script for path in sorted(folder.glob("*.py")) if (script := _read(path, feature))]
            found.append(History(feature, folder, _ordered(folder, scripts)))
    return found


def _read(path: Path, feature: Feature) -> Script | None:
    """Return what a file says about its place. None if it is not a revision script."""
    tree = syntax_tree(path)
    values: dict[str, object] = {}
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"revision", "down_revision", "depends_on"}:
                values[target.id] = _literal(path, target.id, getattr(statement, "value", None))
    if "revision" not in values:
        return None
    revision, follows = values["revision"], values.get("down_revision")
    if not isinstance(revision, str) or not re.fullmatch(rf"{feature.name}_\d+", revision):
        raise MigrationError(f'migrations: {path}: revision must be of the form "{feature.name}_0001"')
    if values.get("depends_on"):
        # Alembic would remove the row of the other feature from its table.
        raise MigrationError(
            f"migrations: {path}: depends_on is not supported; features are migrated in the order of their `requires`"
        )
    return Script(path, revision, _names(follows))


def syntax_tree(path: Path) -> ast.Module:
    """Return the syntax tree of a script.

    Raises:
        MigrationError: It is not valid Python.
    """
    try:
        with PARSING:
            return ast.parse(path.read_bytes(), path.name)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        raise MigrationError(f"migrations: {where}: {getattr(error, 'msg', error)}") from None


def _literal(path: Path, name: str, value: ast.expr | None) -> object:
    try:
        return ast.literal_eval(value) if value is not None else None
    except ValueError:
        raise MigrationError(f"migrations: {path}: {name} must be a constant") from None


def _names(follows: object) -> frozenset[str]:
    if isinstance(follows, (tuple, list)):
        return frozenset(str(name) for name in follows)
    return frozenset({str(follows)} if follows else ())


def _ordered(folder: Path, scripts: Iterable[Script]) -> tuple[Script, ...]:
    """Return scripts so that each follows the one before it.

    Raises:
        MigrationError: Two have the same name or follow the same one, or one is missing.
    """
    waiting: dict[str, Script] = {}
    for script in scripts:
        if other := waiting.get(script.revision):
            raise MigrationError(
                f"migrations: {folder}: {other.path.name} and {script.path.name} are both {script.revision}; "
                "rename one and set its down_revision"
            )
        waiting[script.revision] = script
    ordered: list[Script] = []
    names: set[str] = set()
    while ready := [script for script in waiting.values() if script.follows <= names]:
        if len(ready) > 1:
            files = " and ".join(script.path.name for script in ready)
            after = ordered[-1].revision if ordered else "None"
            raise MigrationError(
                f"migrations: {folder}: {files} both follow {after}; set down_revision in one of them to the other's "
                "revision"
            )
        ordered += ready
        names.add(ready[0].revision)
        del waiting[ready[0].revision]
    if waiting:
        files = ", ".join(script.path.name for script in waiting.values())
        missing = sorted(set().union(*(script.follows for script in waiting.values())) - names - waiting.keys())
        reason = f"{', '.join(missing)} is missing" if missing else "they follow each other"
        raise MigrationError(f"migrations: {folder}: {files}: {reason}; set down_revision")
    return tuple(ordered)


def stored_revisions(connection: Connection) -> tuple[str, ...]:
    """Return the revisions in a database, by the names that are stored. Empty if it has no tables of a service."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ()
    statement: Select[tuple[str]] = select(column("version_num")).select_from(table(VERSION_TABLE))
    return tuple(sorted(connection.scalars(statement)))


def renamed(service: Service, stored: Iterable[str]) -> tuple[str, ...]:
    """Return revisions by their present names."""
    names: Mapping[str, tuple[str, ...]] = {
        old: new for feature in service.features for old, new in feature.earlier_revisions.items()
    }
    return tuple(dict.fromkeys(name for old in stored for name in names.get(old, (old,))))


def check_stored(service: Service, stored: Iterable[str]) -> None:
    """Refuse a database with a revision that no feature can have made.

    Raises:
        MigrationError: There is one. The schema is then unknown.
    """
    if foreign := sorted(name for name in renamed(service, stored) if not REVISION.fullmatch(name)):
        raise MigrationError(
            f"database: it is at the revision {', '.join(foreign)}, which no feature of {service.name} has made; check "
            f"that DATABASE_URL names the database of this service, and correct the table {VERSION_TABLE}"
        )


async def revisions_of(service: Service, database: Database) -> tuple[str, ...]:
    """Return the revisions in a database, by their present names.

    Raises:
        DependencyUnavailableError: The database does not respond.
    """
    async with database.read() as session:
        connection = await session.connection()
        return renamed(service, await connection.run_sync(stored_revisions))
