"""The request and response bodies of the account routes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, StringConstraints

from inference_core.auth.accounts.identifiers import read_username, without_case
from inference_core.auth.models import EMAIL_LENGTH, NAME_LENGTH, USERNAME_LENGTH
from inference_core.auth.passwords.policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from inference_core.core.db.base import utc_now
from inference_core.core.numbers import JSON_NUMBER


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
# Values that are only compared are not validated. The limit bounds the work of a request.
GivenPassword = Annotated[str, StringConstraints(max_length=1024)]
GivenText = Annotated[str, StringConstraints(max_length=1024)]
# A copied token can have blanks around it.
GivenToken = Annotated[str, StringConstraints(max_length=1024, strip_whitespace=True)]


class Registration(BaseModel):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    invitation: GivenToken | None = Field(
        default=None, description="The token of the mailed invitation, with `REGISTRATION=invite`."
    )


class Profile(BaseModel):
    """An account, as shown to its owner."""

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
    """Login data. `username` is the user name or the email, in any case."""

    username: GivenText
    password: GivenPassword


class Tokens(BaseModel):
    """The tokens of a session.

    The access token is valid for `expires_in` seconds; the refresh token is null if it is in a cookie.
    """

    access_token: str
    refresh_token: str | None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a scheme
    expires_in: int


class RefreshRequest(BaseModel):
    """A refresh token."""

    refresh_token: GivenToken


class ProfileUpdate(BaseModel):
    """The fields to change. A new email needs the current password."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    email: Email | None = None
    current_password: GivenPassword | None = None


class PasswordChange(BaseModel):
    """The current and the new password. API keys are revoked unless `keep_api_keys` is true."""

    current_password: GivenPassword
    new_password: NewPassword
    keep_api_keys: bool = False


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
    """A message about a successful request."""

    success: Literal[True] = True
    message: str
    timestamp: datetime = Field(default_factory=utc_now)


class Session(BaseModel):
    """An active session of the caller. `current` marks the session of this request."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool = False


class SessionsEnded(Done):
    """The number of ended sessions."""

    ended: int


class AdminProfile(Profile):
    """An account, as shown to a superuser."""

    is_superuser: bool


class AccountPage(BaseModel):
    """A page of accounts in the order of their creation: at most `limit` of `total`, from `offset` on."""

    items: list[AdminProfile]
    total: int
    offset: int
    limit: int


class AccountState(BaseModel):
    """The fields that a superuser can set."""

    is_active: bool


class NewAccount(BaseModel):
    """An account that a superuser creates. Without a password, its owner gets a mail to choose one."""

    username: Username
    email: Email
    password: NewPassword | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None


class NewInvitation(BaseModel):
    """An invitation to register with this email."""

    email: Email
    expires_in_hours: Annotated[int, Field(ge=1, le=720), JSON_NUMBER] = 72


class OpenInvitation(BaseModel):
    """An open invitation. `invited_by` is null if the account of the superuser was deleted."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


class InvitationPage(BaseModel):
    """A page of open invitations in the order of their creation: at most `limit` of `total`, from `offset` on."""

    items: list[OpenInvitation]
    total: int
    offset: int
    limit: int
