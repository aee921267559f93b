"""The revisions of the features and of a database, read without Alembic, whose import is slow.

Each feature with tables has its own history: a folder of revision scripts, each of which follows the one before it. A
revision is named `<feature>_<number>`. A revision that is not known therefore belongs to a newer version of a feature,
or to a feature that the service does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Select, column, inspect, select, table
from sqlalchemy.engine import Connection

from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.feature import Feature, Service, folder_of

VERSION_TABLE = "alembic_version"
# The two variables of a revision script that define its position.
PLACE = re.compile(r"^(down_)?revision\b[^=\n]*=(.*)$", re.MULTILINE)
NAME = re.compile(r"[\"']([^\"']+)[\"']")


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one feature.

    Attributes:
        folder: Contains the scripts.
        revisions: All of them, the newest last.
    """

    feature: Feature
    folder: Path
    revisions: tuple[str, ...]

    @property
    def head(self) -> str | None:
        """Return the newest revision. None if there is none yet."""
        return self.revisions[-1] if self.revisions else None

    def current_of(self, stored: Iterable[str]) -> str | None:
        """Return the revision of this history in a database. None if it has none."""
        return next((name for name in stored if name in self.revisions), None)

    def newer_of(self, stored: Iterable[str]) -> str | None:
        """Return the revision in a database that a newer version of the feature has made. None if there is none."""
        own = re.compile(rf"{self.feature.name}_\d+")
        return next((name for name in stored if own.fullmatch(name) and name not in self.revisions), None)


def histories(service: Service) -> list[History]:
    """Return the histories of the features with tables, in the order in which they are migrated.

    Raises:
        MigrationError: The revisions of a feature do not follow each other.
    """
    found = []
    for feature in service.start_order:
        if feature.migrations:
            folder = folder_of(feature.load("migrations"))
            found.append(History(feature, folder, _revisions_in(folder)))
    return found


@cache
def _revisions_in(folder: Path) -> tuple[str, ...]:
    follows: dict[str, str | None] = {}
    for script in sorted(folder.glob("*.py")):
        places = dict(PLACE.findall(script.read_text(encoding="utf-8")))
        if "" in places:
            (name,) = NAME.findall(places[""])
            follows[name] = next(iter(NAME.findall(places.get("down_", ""))), None)
    ordered: list[str] = []
    before: str | None = None
    while after := [name for name, earlier in follows.items() if earlier == before]:
        if len(after) > 1:
            raise MigrationError(
                f"database: {folder}: {' and '.join(sorted(after))} follow the same revision; set down_revision"
            )
        before = after[0]
        ordered.append(before)
    if len(ordered) != len(follows):
        lost = ", ".join(sorted(set(follows) - set(ordered)))
        raise MigrationError(f"database: {folder}: the revision before {lost} is missing; set down_revision")
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


async def revisions_of(service: Service, database: Database) -> tuple[str, ...]:
    """Return the revisions in a database, by their present names.

    Raises:
        DependencyUnavailableError: The database does not respond.
    """
    async with database.read() as session:
        connection = await session.connection()
        return renamed(service, await connection.run_sync(stored_revisions))
