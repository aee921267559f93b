"""Write revision scripts: the difference between the models and a database, one script for each feature."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent

from alembic.autogenerate import produce_migrations
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection, make_url

from inference_core.core.db.base import Base
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import MigrationError, describe
from inference_core.core.db.migrations.owners import created_tables, tables_of
from inference_core.core.db.migrations.render import Code, plain_default, render
from inference_core.core.db.migrations.revisions import History, histories, renamed, stored_revisions
from inference_core.core.feature import Feature, Service
from inference_core.core.settings import Settings

MAX_MESSAGE = 100
MAX_SLUG = 40
SCRIPT = '''\
"""{message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
{imports}

revision = {revision!r}
down_revision = {follows!r}
branch_labels = {labels!r}

# The tables whose rows each direction deletes intentionally, including dropped tables. Any other loss stops it.
upgrade_deletes_from: tuple[str, ...] = ()
downgrade_deletes_from: tuple[str, ...] = {deletes!r}


def upgrade() -> None:
    """Apply the change."""
{upgrade}


def downgrade() -> None:
    """Revert the change."""
{downgrade}
'''


def write_revisions(
    service: Service, settings: Settings, message: str, feature: str = "", report: Callable[[str], None] = print
) -> list[Path]:
    """Compare the models with the database, and write a script for each feature that has changed.

    Args:
        message: What the scripts change, in one line.
        feature: Write only the script of this feature.
        report: Is called with one line for each script, and for each change that needs attention.

    Returns:
        The new files. Empty if nothing has changed.

    Raises:
        MigrationError: The database is not at the newest revisions, a feature has no folder for migrations, or the
            message is not valid.
        OSError: A file cannot be written.
    """
    title = _title(message)
    if feature and feature not in {one.name for one in service.features}:
        names = ", ".join(one.name for one in service.features)
        raise MigrationError(f"there is no feature {feature}; the features of {service.name} are {names}")
    known = histories(service)
    codes = _changes(service, settings, known)
    chosen = {name: code for name, code in codes.items() if not feature or name == feature}
    by_name = {history.feature.name: history for history in known}
    for name in chosen:
        if name not in by_name:
            raise MigrationError(_without_folder(next(one for one in service.features if one.name == name)))
    written = _write_all([_script(by_name[name], title, message, code) for name, code in chosen.items()])
    for path, code in zip(written, chosen.values(), strict=True):
        report(f"{path}: written; read it before you run: inference-core migrate")
        for note in code.notes:
            report(f"{path.name}: {note}")
    for name in sorted(codes.keys() - chosen.keys()):
        report(f"feature {name}: its tables have changed as well; run: inference-core revision --feature {name}")
    return written


def _title(message: str) -> str:
    text = " ".join(message.split()).rstrip(". ")
    if not text or not text.isprintable() or len(text) > MAX_MESSAGE:
        raise MigrationError(f"-m must be a text of 1 to {MAX_MESSAGE} characters that says what the revision changes")
    in_docstring = text.replace("\\", "/").replace('"', "'")
    return f"{in_docstring[0].upper()}{in_docstring[1:]}."


def _without_folder(feature: Feature) -> str:
    package = f"{feature.models.rpartition('.')[0] or feature.models}.migrations"
    return (
        f"feature {feature.name}: it has tables, but no folder for migrations; create the package {package}, and add "
        f'migrations="{package}" to the feature'
    )


def _changes(service: Service, settings: Settings, known: list[History]) -> Mapping[str, Code]:
    """Return the code of the features that have changed, by their names."""
    owners = {**created_tables(known), **tables_of(service)}

    def compare(connection: Connection) -> Mapping[str, Code]:
        _require_newest(service, known, stored_revisions(connection))

        def is_owned(_: object, name: str | None, kind: str, *__: object) -> bool:
            return kind != "table" or name in owners

        options = {
            "target_metadata": Base.metadata,
            "include_object": is_owned,
            "compare_type": True,
            "compare_server_default": _compare_default,
        }
        context = MigrationContext.configure(connection, opts=options)
        found = produce_migrations(context, Base.metadata).upgrade_ops
        by_feature: dict[str, list[ops.MigrateOperation]] = {}
        for change in found.ops if found is not None else ():
            owner = owners[change.table_name]  # type: ignore[attr-defined]  # every change that is found has a table
            by_feature.setdefault(owner.name, []).append(change)
        return {name: render(context, changes, Base.metadata) for name, changes in by_feature.items()}

    async def run() -> Mapping[str, Code]:
        async with Database.open(settings) as database, database.write_engine.connect() as connection:
            return await connection.run_sync(compare)

    try:
        return asyncio.run(run())
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(describe(error, make_url(settings.database_url), (), "read")) from error


def _compare_default(
    _: MigrationContext, __: object, ___: object, stored: str | None, ____: object, wanted: str | None
) -> bool | None:
    """Return False for the same value in other words. None leaves the comparison to Alembic."""
    if stored is None or wanted is None:
        return None
    return False if plain_default(stored) == plain_default(wanted) else None


def _require_newest(service: Service, known: Iterable[History], stored: Sequence[str]) -> None:
    present = renamed(service, stored)
    for history in known:
        if newer := history.newer_of(present):
            raise MigrationError(f"database: it is at {newer}, which is newer than the scripts in {history.folder}")
        if history.current_of(present) != history.head:
            at = history.current_of(present) or "base"
            raise MigrationError(
                f"database: {history.feature.name} is at {at}, and its newest revision is {history.head}; run: "
                "inference-core migrate"
            )


def _script(history: History, title: str, message: str, code: Code) -> tuple[Path, str]:
    name = history.feature.name
    number = max((int(one.rpartition("_")[2]) for one in history.revisions), default=0) + 1
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_SLUG].rstrip("_")
    text = SCRIPT.format(
        message=title,
        imports="\n".join(code.imports),
        revision=f"{name}_{number:04}",
        follows=history.head,
        labels=None if history.head else (name,),
        deletes=code.dropped_by_downgrade,
        upgrade=indent(code.upgrade, "    "),
        downgrade=indent(code.downgrade, "    "),
    )
    return history.folder / (f"r{number:04}_{slug}.py" if slug else f"r{number:04}.py"), text


def _write_all(scripts: Sequence[tuple[Path, str]]) -> list[Path]:
    """Write all files or none."""
    written: list[Path] = []
    try:
        for path, text in scripts:
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError:
        for path in written:
            path.unlink()
        raise
    if written and find_spec("ruff"):
        for command in (("check", "--fix-only", "--select", "I,F401"), ("format",)):
            subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *map(str, written)], check=False)
    return written
