"""Bodies of the account routes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, StringConstraints

from inference_core.auth.identifiers import read_username, without_case
from inference_core.auth.models import EMAIL_LENGTH, NAME_LENGTH, USERNAME_LENGTH
from inference_core.auth.policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from inference_core.db.base import utc_now


def _printable(value: str) -> str:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ValueError("must not contain control characters")
    return value


def _if_text(read: Callable[[str], str]) -> BeforeValidator:
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


Username = Annotated[
    str,
    StringConstraints(min_length=3, max_length=USERNAME_LENGTH, pattern=r"^[A-Za-z0-9]+$"),
    _if_text(read_username),
]
Email = Annotated[EmailStr, _if_text(without_case), Field(max_length=EMAIL_LENGTH)]
Printable = (AfterValidator(_printable), Field(json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f]*$"}))
PrintableText = Annotated[str, StringConstraints(max_length=EMAIL_LENGTH), *Printable]
PersonName = Annotated[str, StringConstraints(max_length=NAME_LENGTH), *Printable]
NewPassword = Annotated[str, StringConstraints(min_length=MINIMUM_LENGTH, max_length=MAXIMUM_LENGTH)]
# What is only compared may be anything; the limit keeps a request from being work.
GivenPassword = Annotated[str, StringConstraints(max_length=1024)]
GivenText = Annotated[str, StringConstraints(max_length=1024)]
# A token that was copied comes with blanks around it.
GivenToken = Annotated[str, StringConstraints(max_length=1024, strip_whitespace=True)]


class Registration(BaseModel):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword
    first_name: PersonName | None = None
    last_name: PersonName | None = None


class Profile(BaseModel):
    """An account as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    username: str
    email: str
    first_name: str | None
    last_name: str | None
    is_active: bool
    is_verified: bool
    created_at: datetime
    updated_at: datetime


class Login(BaseModel):
    """`username` is the user name or the email, in any case."""

    username: GivenText
    password: GivenPassword


class Tokens(BaseModel):
    """An access token for `expires_in` seconds and the refresh token of its session, null if that is in a cookie."""

    access_token: str
    refresh_token: str | None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a scheme
    expires_in: int


class RefreshRequest(BaseModel):
    """A refresh token."""

    refresh_token: GivenToken


class ProfileUpdate(BaseModel):
    """What to change; what is left out stays. A new email needs the current password."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    current_password: GivenPassword | None = None


class PasswordChange(BaseModel):
    """The current and the new password."""

    current_password: GivenPassword
    new_password: NewPassword


class EmailRequest(BaseModel):
    """An email address."""

    email: Email


class PasswordReset(BaseModel):
    """The mailed token and the new password."""

    token: GivenToken
    new_password: NewPassword


class EmailVerification(BaseModel):
    """The mailed token."""

    token: GivenToken


class Done(BaseModel):
    """It is done."""

    success: Literal[True] = True
    message: str
    timestamp: datetime = Field(default_factory=utc_now)


class Session(BaseModel):
    """A live session of the caller; `current` marks the one of this request."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool = False


class SessionsEnded(Done):
    """How many sessions were ended."""

    ended: int


class AdminProfile(Profile):
    """An account as a superuser sees it."""

    is_superuser: bool


class AccountPage(BaseModel):
    """Accounts from `offset` on, at most `limit` of `total`, in the order they were made."""

    items: list[AdminProfile]
    total: int
    offset: int
    limit: int


class AccountState(BaseModel):
    """What a superuser may set."""

    is_active: bool
