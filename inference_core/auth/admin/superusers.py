"""The creation of superusers, by a command or at the start of the application."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import IntegrityError

from inference_core.auth.errors import AccountExistsError
from inference_core.auth.models import User
from inference_core.auth.passwords.hashing import Passwords
from inference_core.auth.passwords.policy import check_new_password
from inference_core.auth.repository import UserRepository
from inference_core.auth.schemas import Email, NewPassword, Registration, Username
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import Database
from inference_core.core.exceptions import InvalidInputError

VALUES: dict[str, TypeAdapter[str]] = {
    "username": TypeAdapter(Username),
    "email": TypeAdapter(Email),
    "password": TypeAdapter(NewPassword),
}


def check_value(name: Literal["username", "email", "password"], value: str) -> None:
    """Check one value of a new superuser.

    Raises:
        InvalidInputError: It is not valid. The text states why.
    """
    try:
        VALUES[name].validate_python(value)
    except ValidationError as error:
        (problem,) = error.errors(include_input=False)
        raise InvalidInputError(f"{name}: {problem['msg']}") from None
    if name == "password":
        check_new_password(value)


async def create_superuser(settings: AuthSettings, *, username: str, email: str, password: str) -> UUID:
    """Create an active, verified superuser in a migrated database. Return its id.

    Raises:
        InvalidInputError: A value is not valid. The text states which one and why.
        AccountExistsError: The user name or the email is taken.
        DatabaseUnavailableError: The database does not respond.
    """
    try:
        registration = Registration(username=username, email=email, password=password)
    except ValidationError as error:
        problems = (f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors(include_input=False))
        raise InvalidInputError("; ".join(problems)) from None
    check_new_password(registration.password)
    passwords = Passwords(settings)
    try:
        async with Database.open(settings) as database:
            return await add_superuser(database, passwords, registration)
    finally:
        passwords.close()


async def add_superuser(database: Database, passwords: Passwords, registration: Registration) -> UUID:
    """Create an active, verified superuser. Return its id.

    Raises:
        AccountExistsError: The user name or the email is taken.
        DatabaseUnavailableError: The database does not respond.
    """
    user = User(
        username=registration.username,
        email=registration.email,
        hashed_password=await passwords.hash(registration.password),
        is_superuser=True,
        is_verified=True,
    )
    async with database.write() as session:
        try:
            await UserRepository(session).add(user)
        except IntegrityError as error:
            raise AccountExistsError from error
    return user.id
