"""The errors of migrations, each as one line for the operator."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from pathlib import Path

from sqlalchemy.engine import URL

from inference_core.core.db.postgresql import LOST_STATEMENT_SQLSTATES, UNDECLARED_POOLER
from inference_core.core.exceptions import DependencyUnavailableError, OperatorError

# Servers that commit every change of a table immediately.
COMMIT_BY_THEMSELVES = {"mysql", "mariadb"}


class MigrationError(OperatorError):
    """Raised if the schema is not the newest or cannot be updated.

    The text is one line with the reason and a solution.
    """


class UnsafeMigrationError(Exception):
    """Raised if a migration would lose rows or break references. The text is one line with a solution."""


def describe(error: Exception, url: URL, folders: Collection[Path], action: str = "migrate") -> str:
    """Return one line for the error that stopped `action`. `folders` contain the revisions."""
    cause = error.__cause__ if isinstance(error, DependencyUnavailableError) and error.__cause__ else error
    said = getattr(cause, "orig", None) or cause
    reason = (str(said).strip() or "no details").split("\n", 1)[0]
    if isinstance(said.__cause__, OSError):  # the cause of aiomysql's "can't connect"
        reason += f" ({said.__cause__})"
    rest = "nothing was changed"
    if url.get_backend_name() in COMMIT_BY_THEMSELVES:
        rest = "this server commits each change of a table immediately, so parts of the migration may be applied"
    if isinstance(error, UnsafeMigrationError):
        return f"database: {reason}; {rest}"
    frames = traceback.extract_tb(error.__traceback__)
    if where := [frame for frame in frames if Path(frame.filename).parent in folders]:
        place = f"{Path(where[-1].filename).name}, line {where[-1].lineno}"
        return f"database: the migration stopped at {place}: {type(cause).__name__}: {reason}; {rest}"
    advice = "check that DATABASE_URL is correct and its server is running"
    if getattr(said, "sqlstate", None) in LOST_STATEMENT_SQLSTATES:
        advice = UNDECLARED_POOLER
    shown = url.set(query={}).render_as_string(hide_password=True)
    return f"database: cannot {action} {shown}: {type(cause).__name__}: {reason}; {advice}"
