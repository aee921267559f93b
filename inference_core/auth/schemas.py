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
PASSWORD_RULES = f"{MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters; common passwords are refused."


class Registration(BaseModel):
    """A new account."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "ada",
                    "email": "ada@example.com",
                    "password": "correct horse battery",
                    "first_name": "Ada",
                }
            ]
        }
    )

    username: Username = Field(description="3 to 50 letters and digits; stored in lower case.")
    email: Email = Field(description="The email address of the owner.")
    password: NewPassword = Field(description=PASSWORD_RULES)
    first_name: PersonName | None = Field(default=None, description="The first name.")
    last_name: PersonName | None = Field(default=None, description="The last name.")
    invitation: GivenToken | None = Field(
        default=None, description="The token of the mailed invitation, with `REGISTRATION=invite`."
    )


class Profile(BaseModel):
    """An account, as shown to its owner."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    username: str = Field(description="The user name, in lower case.")
    email: str = Field(description="The email address.")
    first_name: str | None = Field(description="The first name.")
    last_name: str | None = Field(description="The last name.")
    is_active: bool = Field(description="Whether the account can log in.")
    is_verified: bool = Field(description="Whether the owner has confirmed the email.")
    created_at: datetime
    updated_at: datetime


class Login(BaseModel):
    """Login data. `username` is the user name or the email, in any case."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: GivenText = Field(description="The user name or the email.")
    password: GivenPassword = Field(description="The password.")


class Tokens(BaseModel):
    """The tokens of a session.

    The access token is valid for `expires_in` seconds; the refresh token is null if it is in a cookie.
    """

    access_token: str = Field(description="The token for the header `Authorization: Bearer`.")
    refresh_token: str | None = Field(description="The token for a new access token; null if it is in a cookie.")
    token_type: Literal["bearer"] = Field(default="bearer", description="The scheme of the access token.")  # a scheme
    expires_in: int = Field(description="Seconds until the access token expires.")


class RefreshRequest(BaseModel):
    """A refresh token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": "the refresh token of a login"}]})

    refresh_token: GivenToken = Field(description="The refresh token of the last login or refresh. It works once.")


class ProfileUpdate(BaseModel):
    """The fields to change. A new email needs the current password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"first_name": "Ada", "last_name": "Lovelace"}]})

    first_name: PersonName | None = Field(default=None, description="The new first name.")
    last_name: PersonName | None = Field(default=None, description="The new last name.")
    email: Email | None = Field(default=None, description="The new email. It needs the current password.")
    current_password: GivenPassword | None = Field(default=None, description="The current password.")


class PasswordChange(BaseModel):
    """The current and the new password. API keys are revoked unless `keep_api_keys` is true."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current_password": "correct horse battery", "new_password": "another horse battery"}]
        }
    )

    current_password: GivenPassword = Field(description="The current password.")
    new_password: NewPassword = Field(description=PASSWORD_RULES)
    keep_api_keys: bool = Field(default=False, description="Whether the API keys stay valid.")


class EmailRequest(BaseModel):
    """An email address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com"}]})

    email: Email = Field(description="The email address of the account.")


class PasswordReset(BaseModel):
    """The mailed token and the new password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "the token of the mail", "new_password": "another horse battery"}]}
    )

    token: GivenToken = Field(description="The token of the mail.")
    new_password: NewPassword = Field(description=PASSWORD_RULES)


class EmailVerification(BaseModel):
    """The mailed token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "the token of the mail"}]})

    token: GivenToken = Field(description="The token of the mail.")


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
    last_used_at: datetime = Field(description="The time of the last refresh (UTC).")
    expires_at: datetime
    address: str = Field(description="The address of the client at the last use.")
    user_agent: str = Field(description="The program of the client at the last use.")
    current: bool = Field(default=False, description="Whether it is the session of this request.")


class SessionsEnded(Done):
    """The number of ended sessions."""

    ended: int = Field(description="The number of ended sessions.")


class AdminProfile(Profile):
    """An account, as shown to a superuser."""

    is_superuser: bool = Field(description="Whether the account has all permissions.")


class AccountPage(BaseModel):
    """A page of accounts in the order of their creation: at most `limit` of `total`, from `offset` on."""

    items: list[AdminProfile]
    total: int
    offset: int
    limit: int


class AccountState(BaseModel):
    """The fields that a superuser can set."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_active": False}]})

    is_active: bool = Field(description="Whether the account can log in. If false, its sessions end.")


class NewAccount(BaseModel):
    """An account that a superuser creates. Without a password, its owner gets a mail to choose one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "ada", "email": "ada@example.com"}]})

    username: Username = Field(description="3 to 50 letters and digits; stored in lower case.")
    email: Email = Field(description="The email address of the owner.")
    password: NewPassword | None = Field(default=None, description="Without it, the owner gets a mail to choose one.")
    first_name: PersonName | None = Field(default=None, description="The first name.")
    last_name: PersonName | None = Field(default=None, description="The last name.")


class NewInvitation(BaseModel):
    """An invitation to register with this email."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com", "expires_in_hours": 72}]})

    email: Email = Field(description="The email address that may register.")
    expires_in_hours: Annotated[int, Field(ge=1, le=720), JSON_NUMBER] = Field(
        default=72, description="Hours until the invitation expires."
    )


class OpenInvitation(BaseModel):
    """An open invitation. `invited_by` is null if the account of the superuser was deleted."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str = Field(description="The email address that may register.")
    invited_by: UUID | None = Field(description="The id of the superuser; null if the account was deleted.")
    created_at: datetime
    expires_at: datetime


class InvitationPage(BaseModel):
    """A page of open invitations in the order of their creation: at most `limit` of `total`, from `offset` on."""

    items: list[OpenInvitation]
    total: int
    offset: int
    limit: int
