"""Run migrations for Alembic, on the given connection or, with Alembic's own command, on `DATABASE_URL`."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

from inference_core.core.db.base import Base
from inference_core.core.db.migrate import on_migration_connection
from inference_core.core.db.migration_guard import MigrationGuard
from inference_core.core.db.models import __all__ as _models  # noqa: F401  # fills the metadata
from inference_core.core.settings import load_settings


def run(connection: Connection) -> None:
    """Run the migrations on one connection."""
    guard = MigrationGuard(connection)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        on_version_apply=guard.check,
    )
    with guard.watching(), context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(on_migration_connection(load_settings(), run))
