"""Update or check the schema of the database at the start. Alembic is imported only if it is needed."""

from __future__ import annotations

import asyncio

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from inference_core.core.db.engine import Database
from inference_core.core.db.migration_errors import MigrationError, describe
from inference_core.core.db.schema import SCRIPTS, current_revision, head_revision
from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings

log = get_logger(__name__)


async def ensure_schema(settings: Settings, database: Database) -> None:
    """Check that the schema is the newest. Development and testing migrate; production refuses to start.

    Raises:
        MigrationError: A migration is needed in production, or it fails.
    """
    try:
        current = await current_revision(database)
    except DependencyUnavailableError:
        if not settings.is_production:
            await _migrate(settings)  # fails again, and says how
            return
        log.warning("schema_not_checked", reason="the database does not respond")
        return
    except SQLAlchemyError as error:
        raise MigrationError(describe(error, make_url(settings.database_url), SCRIPTS)) from error
    head = head_revision()
    if current == head:
        return
    if settings.is_production:
        at = f"at revision {current}" if current else "empty"
        raise MigrationError(f"database: the schema is {at}, this version needs {head}; run: inference-core migrate")
    await _migrate(settings)


async def _migrate(settings: Settings) -> None:
    from inference_core.core.db.migrate import upgrade  # noqa: PLC0415 - imports Alembic

    await asyncio.to_thread(upgrade, settings)
