"""Why a database has not got the newest schema, in one line for whoever runs the service."""

from __future__ import annotations

import traceback
from pathlib import Path

from sqlalchemy.engine import URL

from inference_core.exceptions import DependencyUnavailableError, OperatorError

# Servers that commit every change of a table at once.
COMMIT_BY_THEMSELVES = {"mysql", "mariadb"}


class MigrationError(OperatorError):
    """The database cannot be brought, or is not, to the newest schema; one line says why and what to do."""


class UnsafeMigrationError(Exception):
    """A migration would lose rows or break references; one line says which, and what to do."""


def describe(error: Exception, url: URL, scripts: Path, advice: str = "") -> str:
    """One line for whatever stopped a migration; `advice` replaces what is usually wrong."""
    cause = error.__cause__ if isinstance(error, DependencyUnavailableError) and error.__cause__ else error
    said = getattr(cause, "orig", None) or cause
    reason = (str(said).strip() or "no details").split("\n", 1)[0]
    if isinstance(said.__cause__, OSError):  # why aiomysql "can't connect"
        reason += f" ({said.__cause__})"
    rest = "nothing was changed"
    if url.get_backend_name() in COMMIT_BY_THEMSELVES:
        rest = "this server commits every change of a table at once, so that some of it may have been made"
    if isinstance(error, UnsafeMigrationError):
        return f"database: {reason}; {rest}"
    frames = traceback.extract_tb(error.__traceback__)
    if where := [frame for frame in frames if Path(frame.filename).parent == scripts / "versions"]:
        place = f"{Path(where[-1].filename).name}, line {where[-1].lineno}"
        return f"database: the migration stopped at {place}: {type(cause).__name__}: {reason}; {rest}"
    if isinstance(error, SyntaxError):
        advice = "check the migrations"
    advice = advice or "check that DATABASE_URL is correct and its server is running"
    shown = url.set(query={}).render_as_string(hide_password=True)
    return f"database: cannot migrate {shown}: {type(cause).__name__}: {reason}; {advice}"
