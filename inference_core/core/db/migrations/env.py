"""Run migrations for Alembic. `run.py` gives it the connection and the histories."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

from inference_core.core.db.base import Base
from inference_core.core.db.migrations.guard import MigrationGuard
from inference_core.core.db.migrations.revisions import History, stored_revisions

known: list[History] = context.config.attributes["known"]
connection: Connection = context.config.attributes["connection"]
guard = MigrationGuard(connection)
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    on_version_apply=guard.check,
)


def known_heads() -> tuple[str, ...]:
    """Return the revisions of the database that this service has."""
    names = {name for history in known for name in history.revisions}
    return tuple(name for name in stored_revisions(connection) if name in names)


# Alembic refuses a database with a revision that it does not know, for example one of a feature that was left out.
context.get_context().get_current_heads = known_heads  # type: ignore[method-assign]
with guard.watching(), context.begin_transaction():
    context.run_migrations()
