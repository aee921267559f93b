"""Render changes of tables as the code of a revision script that runs on every kind of database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render_op_text
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql.elements import ClauseElement, False_, True_
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from inference_core.core.db.base import UtcDateTime

# Both names of one server have the same type.
BOTH_VARIANTS = re.compile(r"\.with_variant\((?P<type>.+?), 'mariadb'\)\.with_variant\((?P=type), 'mysql'\)")
# A type in the arguments of a dialect's type: the Text of JSONB(astext_type=Text()).
INNER_TYPE = re.compile(r"(?<=[(=\s])(?=[A-Z]\w*\()")
EXACT = "utf8mb4_bin"
QUOTED_DEFAULT = re.compile(r"^\(?'(.*)'(::[\w ]+)?\)?$")
NOW = "now"
SAME_DEFAULTS = {
    "false": "0",
    "true": "1",
    **dict.fromkeys(("now()", "current_timestamp()", "current_timestamp"), NOW),
}

Change = ops.MigrateOperation


@dataclass(frozen=True, slots=True)
class Code:
    """The parts of a revision script that depend on the changes.

    Attributes:
        dropped_by_downgrade: The names of tables.
        notes: What the author has to decide, one line each.
    """

    imports: tuple[str, ...]
    upgrade: str
    downgrade: str
    dropped_by_downgrade: tuple[str, ...]
    notes: tuple[str, ...]


def render(context: MigrationContext, upgrade: Sequence[Change], metadata: sa.MetaData) -> Code:
    """Return the code for changes of tables, as Alembic has found them in the database of `context`."""
    for change in _flat(upgrade):
        _take_state_of_model(change, metadata)
    downgrade = ops.UpgradeOps(upgrade).reverse().ops
    for change in _flat(downgrade):
        _make_portable(change)
    autogenerate = AutogenContext(
        context,
        metadata,
        {
            "sqlalchemy_module_prefix": "sa.",
            "alembic_module_prefix": "op.",
            "user_module_prefix": None,
            # Only SQLite copies the table. On the others, a batch is a list of ordinary statements.
            "render_as_batch": True,
            "render_item": _render_item,
        },
    )
    return Code(
        upgrade=_body(upgrade, autogenerate),
        downgrade=_body(downgrade, autogenerate),
        imports=tuple(sorted(autogenerate.imports)),
        dropped_by_downgrade=_dropped(downgrade),
        notes=tuple(_notes(upgrade)),
    )


def _body(changes: Sequence[Change], autogenerate: AutogenContext) -> str:
    texts = [_text(change, autogenerate) for change in _in_order(changes)]
    # PostgreSQL creates the type of an enum together with a table, but not with a column, and drops it with neither.
    added = [change.column.type for change in _flat(changes) if isinstance(change, ops.AddColumnOp)]
    texts[:0] = [f"sa.{enum!r}.create(op.get_bind(), checkfirst=True)" for enum in _enums(added)]
    texts += [f"sa.Enum(name={enum.name!r}).drop(op.get_bind())" for enum in _enums(_removed_types(changes))]
    return BOTH_VARIANTS.sub(r".with_variant(\g<type>, 'mysql', 'mariadb')", "\n".join(texts)) or "pass"


def _text(change: Change, autogenerate: AutogenContext) -> str:
    text = render_op_text(autogenerate, change)
    if not isinstance(change, ops.ModifyTableOps):
        return text
    batch, _, statements = text.partition("\n")
    return f"{batch.replace(', schema=None', '')}\n{indent(statements.rstrip(), '    ')}"


def _removed_types(changes: Sequence[Change]) -> Iterator[TypeEngine[Any]]:
    for change in _flat(changes):
        if isinstance(change, ops.DropTableOp):
            yield from (column.type for column in change.to_table().columns)
        elif isinstance(change, ops.DropColumnOp):
            yield change.to_column().type


def _enums(types: Iterable[TypeEngine[Any]]) -> list[sa.Enum]:
    found = {kind.name: kind for kind in types if isinstance(kind, sa.Enum) and kind.native_enum and kind.name}
    return list(found.values())


def _dropped(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(change.table_name for change in changes if isinstance(change, ops.DropTableOp))


def _notes(changes: Iterable[Change]) -> Iterator[str]:
    for change in _flat(changes):
        if isinstance(change, ops.DropTableOp):
            yield (
                f"drops the table {change.table_name}; if it has a new name, use op.rename_table instead; if its rows "
                "are no longer needed, add it to upgrade_deletes_from"
            )
        elif isinstance(change, ops.DropColumnOp):
            yield (
                f"drops the column {change.table_name}.{change.column_name} with its values; if it has a new name, "
                "use alter_column with new_column_name instead"
            )
        elif isinstance(change, ops.AddColumnOp) and not change.column.nullable and not change.column.server_default:
            yield (
                f"adds {change.table_name}.{change.column.name}, which needs a server_default if the table has rows, "
                "because it is NOT NULL"
            )


def _in_order(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield the indexes of new tables without a batch, and no changes of tables that are dropped.

    MySQL would refuse to drop an index that a foreign key needs.
    """
    created = {change.table_name for change in changes if isinstance(change, ops.CreateTableOp)}
    dropped = _dropped(changes)
    for change in changes:
        if not isinstance(change, ops.ModifyTableOps):
            yield change
        elif change.table_name in created:
            yield from change.ops
        elif change.table_name not in dropped:
            yield change


def _flat(changes: Iterable[Change]) -> Iterator[Change]:
    for change in changes:
        if isinstance(change, ops.ModifyTableOps):
            yield from change.ops
        else:
            yield change


def _take_state_of_model(change: Change, metadata: sa.MetaData) -> None:
    """Replace the type and the default that the database has by those of the model, if they do not change."""
    if isinstance(change, ops.AlterColumnOp):
        column = metadata.tables[change.table_name].columns[change.column_name]
        if change.modify_type is None:
            change.existing_type = column.type
        if change.modify_server_default is False:
            change.existing_server_default = column.server_default
        elif isinstance(change.existing_server_default, sa.DefaultClause):
            change.existing_server_default = _portable_default(change.existing_server_default, column.type)


def _make_portable(change: Change) -> None:
    """Replace types and defaults that only the database at hand has. They are those before the change."""
    if isinstance(change, ops.AlterColumnOp) and change.modify_type is not None:
        change.modify_type = portable(change.modify_type)
    columns = [change.column] if isinstance(change, ops.AddColumnOp) else []
    if isinstance(change, ops.CreateTableOp):
        columns = [column for column in change.columns if isinstance(column, sa.Column)]
    for column in columns:
        column.type = portable(column.type)
        if isinstance(column.server_default, sa.DefaultClause):
            column.server_default = _portable_default(column.server_default, column.type)


def _portable_default(default: sa.DefaultClause, kind: TypeEngine[Any]) -> sa.DefaultClause:
    text = str(default.arg)
    plain = plain_default(text)
    if plain == NOW:
        return sa.DefaultClause(sa.func.now())
    if isinstance(kind, sa.Boolean) and plain in {"0", "1"}:
        return sa.DefaultClause(sa.true() if plain == "1" else sa.false())
    return default if plain == text else sa.DefaultClause(plain)


def plain_default(text: str) -> str:
    """Return a default as PostgreSQL, MySQL or SQLite store it, without quotes and casts, in the same words for all."""
    plain = QUOTED_DEFAULT.sub(r"\1", text).replace("''", "'")
    return SAME_DEFAULTS.get(plain.lower(), plain)


def portable(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type for every kind of database that a column of this type in one database most likely had."""
    if isinstance(kind, mysql.TINYINT) and kind.display_width == 1:
        return sa.Boolean()
    if isinstance(kind, (sa.Enum, sa.Uuid, sa.ARRAY)):
        return kind
    generic = kind.as_generic(allow_nulltype=True)
    if isinstance(generic, sa.DateTime):
        return UtcDateTime()
    if isinstance(generic, sa.String):
        return _portable_text(kind, generic)
    if isinstance(generic, sa.Float):
        return type(generic)()  # MySQL refuses a precision without a scale
    return generic


def _portable_text(kind: TypeEngine[Any], generic: sa.String) -> TypeEngine[Any]:
    if isinstance(kind, (mysql.MEDIUMTEXT, mysql.LONGTEXT)):
        return sa.Text().with_variant(type(kind)(), "mysql", "mariadb")
    if not generic.length:
        return sa.Text()
    if generic.collation == EXACT:
        exact = mysql.VARCHAR(generic.length, collation=EXACT)
        return sa.String(generic.length).with_variant(exact, "mysql", "mariadb")
    return sa.String(generic.length)


def _render_item(kind: str, item: object, autogenerate: AutogenContext) -> str | bool:
    """Render what Alembic renders for the database at hand only. False leaves the item to Alembic."""
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return _render_default(item.arg)
    if kind == "type" and isinstance(item, (postgresql.JSON, postgresql.ARRAY)):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return f"postgresql.{INNER_TYPE.sub('sa.', repr(item))}"
    if kind == "type" and not type(item).__module__.startswith("sqlalchemy."):
        own = type(item)
        autogenerate.imports.add(f"from {own.__module__} import {own.__qualname__.partition('.')[0]}")
        return f"{own.__qualname__}()" if own is UtcDateTime else INNER_TYPE.sub("sa.", repr(item))
    return False


def _render_default(value: str | ClauseElement) -> str | bool:
    if isinstance(value, (True_, False_)):
        return "sa.true()" if isinstance(value, True_) else "sa.false()"
    if isinstance(value, FunctionElement) and not value.clauses.clauses:
        return f"sa.func.{value.name}()"
    return False
