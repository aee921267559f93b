"""Update or check the schema of the database at the start. Alembic is imported only if it is needed."""

from __future__ import annotations

import asyncio

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from inference_core.core.database_url import shown_database_url
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import MigrationError, describe
from inference_core.core.db.migrations.revisions import check_stored, histories, revisions_of
from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.feature import Service
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings

log = get_logger(__name__)


async def ensure_schema(service: Service, settings: Settings, database: Database) -> None:
    """Check that the schema of each feature is the newest. Production refuses an older one; elsewhere, it is migrated.

    A schema that a newer version of a feature has made is only reported.

    Raises:
        MigrationError: A migration is needed in production, or it fails.
    """
    try:
        stored = await revisions_of(service, database)
    except DependencyUnavailableError:
        if not settings.is_production:
            await _migrate(service, settings)  # fails with the reason
            return
        log.warning("schema_not_checked", reason="the database does not respond")
        return
    except SQLAlchemyError as error:
        raise MigrationError(describe(error, make_url(settings.database_url), ())) from error
    check_stored(service, stored)
    known = histories(service)
    for history in known:
        if newer := history.newer_of(stored):
            log.warning("schema_is_newer", feature=history.feature.name, revision=newer, known=history.head)
    behind = [one for one in known if one.current_of(stored) != one.head and not one.newer_of(stored)]
    if not behind:
        return
    if settings.is_production:
        at = f"at {', '.join(stored)}" if stored else "empty"
        needed = ", ".join(str(history.head) for history in behind)
        shown = shown_database_url(settings.database_url)
        raise MigrationError(
            f"database: the schema of {shown} is {at}, this version needs {needed}; run: inference-core migrate"
        )
    await _migrate(service, settings)


async def _migrate(service: Service, settings: Settings) -> None:
    from inference_core.core.db.migrations.run import upgrade  # noqa: PLC0415 - imports Alembic

    await asyncio.to_thread(upgrade, service, settings)
