"""The first superuser, whom the application creates at its start if `FIRST_SUPERUSER_…` is set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import ValidationError

from inference_core.auth.admin.superusers import add_superuser
from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError
from inference_core.auth.passwords.hashing import Passwords
from inference_core.auth.passwords.policy import CommonPasswordError, check_new_password
from inference_core.auth.repository import AccountReads
from inference_core.auth.schemas import Registration
from inference_core.auth.settings import AuthSettings
from inference_core.core.background import run_until_cancelled
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings, SettingsError

log = get_logger(__name__)

RETRY_EVERY_S = 5.0


def check(settings: Settings) -> None:
    """Check the first superuser in the settings, if there is one.

    Raises:
        SettingsError: A value is not valid. The text does not contain it.
    """
    read_first_superuser(settings.of(AuthSettings))


def read_first_superuser(settings: AuthSettings) -> Registration | None:
    """Return the account of the first superuser. None if it is not set; either all values are set or none.

    Raises:
        SettingsError: As for `check`.
    """
    values = {
        "username": settings.first_superuser_username,
        "email": settings.first_superuser_email,
        "password": settings.first_superuser_password.get_secret_value(),
    }
    if not any(values.values()):
        return None
    try:
        account = Registration.model_validate(values)
        check_new_password(account.password)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsError("\n".join(_line(str(detail["loc"][0]), detail["msg"]) for detail in details)) from None
    except CommonPasswordError as error:
        raise SettingsError(_line("password", error.detail)) from None
    return account


@asynccontextmanager
async def creating_first_superuser(
    settings: AuthSettings, passwords: Passwords, database: Database
) -> AsyncIterator[None]:
    """Create the first superuser. While the database does not respond, try again in the background."""
    if await create_first_superuser(settings, passwords, database):
        yield
        return
    log.warning("first_superuser_not_created", reason="the database does not respond", retry_every_s=RETRY_EVERY_S)
    is_done = False

    async def try_again() -> None:
        nonlocal is_done
        is_done = is_done or await create_first_superuser(settings, passwords, database)

    async with run_until_cancelled(try_again, every_s=RETRY_EVERY_S, name="first-superuser"):
        yield


async def create_first_superuser(settings: AuthSettings, passwords: Passwords, database: Database) -> bool:
    """Create the first superuser unless an account has its user name or email. An existing account is not changed.

    Return False if the database does not respond.
    """
    account = read_first_superuser(settings)
    if account is None:
        return True
    reads = AccountReads(database)
    try:
        found = [await reads.by_login(account.username), await reads.by_login(account.email)]
        existing = [stored for stored in found if stored is not None]
        if not existing:
            user_id = await add_superuser(database, passwords, account)
            audit("superuser_created", None, user_id)
        elif not all(stored.is_superuser for stored in existing):
            log.warning("first_superuser_not_created", reason="its user name or email has an ordinary account")
    except AccountExistsError:
        log.info("first_superuser_exists", reason="another process has created it")
    except DatabaseUnavailableError:
        return False
    return True


def _line(field: str, problem: str) -> str:
    text = problem.removeprefix("Value error, ").rstrip(".")
    return f"settings: FIRST_SUPERUSER_{field.upper()}: {text[0].lower()}{text[1:]} (environment or .env)"
