"""`/api/v1/auth`: the account routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm

from inference_core.auth.dependencies import Accounts, CurrentUser, Logins, Registrations
from inference_core.auth.errors import (
    AccountExistsError,
    InvalidMailedTokenError,
    InvitationRequiredError,
    RegistrationClosedError,
    SessionStoreUnavailableError,
    WrongPasswordError,
)
from inference_core.auth.passwords.policy import CommonPasswordError
from inference_core.auth.schemas import (
    Done,
    EmailRequest,
    EmailVerification,
    Login,
    PasswordChange,
    PasswordReset,
    Profile,
    ProfileUpdate,
    Registration,
    Tokens,
)
from inference_core.auth.tokens.sessions import InvalidRefreshTokenError
from inference_core.auth.tokens.transport import GivenRefreshToken, TokenDelivery
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import InvalidCredentialsError, NotAuthenticatedError, ThrottledError
from inference_core.core.paths import AUTH_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.queue.sender import BrokerUnavailableError

router = APIRouter(
    prefix=AUTH_PREFIX,
    tags=["accounts"],
    responses=responses_for(DatabaseUnavailableError, SessionStoreUnavailableError),
)


# Routes are matched in this order, so the most frequent route comes first.


@router.get("/me", responses=responses_for(NotAuthenticatedError))
async def me(user: CurrentUser) -> Profile:
    """Return the profile of the caller."""
    return Profile.model_validate(user.account)


@router.post(
    "/register",
    status_code=HTTPStatus.CREATED,
    response_model=Profile,
    responses={
        **responses_for(
            CommonPasswordError, RegistrationClosedError, InvitationRequiredError, AccountExistsError, ThrottledError
        ),
        202: {"model": Done, "description": "With `HIDE_EXISTING_ACCOUNTS`: the result is sent by mail."},
    },
)
async def register(registration: Registration, registrations: Registrations) -> Profile | JSONResponse:
    """Create an account. `REGISTRATION=invite` needs an invitation, which also confirms the email."""
    user = await registrations.register(registration)
    if user is None:
        done = Done(message="Check your mail to continue. If you receive no mail, try another user name.")
        return JSONResponse(done.model_dump(mode="json"), HTTPStatus.ACCEPTED)
    return Profile.model_validate(user)


@router.post("/login", responses=responses_for(InvalidCredentialsError, ThrottledError))
async def log_in(login: Login, logins: Logins, deliver: TokenDelivery) -> Tokens:
    """Start a session with a user name or email, and a password."""
    return deliver(await logins.log_in(login.username, login.password))


@router.post("/token", responses=responses_for(InvalidCredentialsError, ThrottledError))
async def log_in_with_form(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], logins: Logins, deliver: TokenDelivery
) -> Tokens:
    """Start a session with the OAuth2 password form, for the Authorize button of the documentation."""
    return deliver(await logins.log_in(form.username, form.password))


@router.put(
    "/me", responses=responses_for(NotAuthenticatedError, WrongPasswordError, AccountExistsError, ThrottledError)
)
async def update_me(changes: ProfileUpdate, user: CurrentUser, accounts: Accounts) -> Profile:
    """Change the profile.

    A new email needs the current password. With `HIDE_EXISTING_ACCOUNTS`, a new email becomes valid when its owner
    opens the mailed link.
    """
    return Profile.model_validate(await accounts.update_profile(user.account, changes))


@router.post(
    "/change-password",
    responses=responses_for(NotAuthenticatedError, WrongPasswordError, CommonPasswordError, ThrottledError),
)
async def change_password(change: PasswordChange, user: CurrentUser, accounts: Accounts) -> Done:
    """Change the password. All other sessions of the caller end, and API keys unless `keep_api_keys` is true."""
    await accounts.change_password(user.account, change, user.session_id)
    ended = "Other sessions" if change.keep_api_keys else "Other sessions and all API keys"
    return Done(message=f"The password has been changed. {ended} have been ended.")


@router.post("/forgot-password", responses=responses_for(BrokerUnavailableError, ThrottledError))
async def forgot_password(request: EmailRequest, accounts: Accounts) -> Done:
    """Request a mail with a reset link. The response does not depend on whether the account exists."""
    await accounts.ask_for_reset(request.email)
    return Done(message="If an account has this email, a link to reset its password has been sent.")


@router.post("/reset-password", responses=responses_for(InvalidMailedTokenError, CommonPasswordError, ThrottledError))
async def reset_password(reset: PasswordReset, accounts: Accounts) -> Done:
    """Set a new password with the mailed token. All sessions and API keys end."""
    await accounts.reset_password(reset)
    return Done(message="The password has been changed. Log in with the new one.")


@router.post(
    "/request-verification",
    responses=responses_for(NotAuthenticatedError, BrokerUnavailableError, ThrottledError),
)
async def request_verification(user: CurrentUser, accounts: Accounts) -> Done:
    """Request a mail with a link that confirms the caller's email."""
    await accounts.ask_for_verification(user.account)
    return Done(message="A link to confirm your email has been sent, unless the email is already confirmed.")


@router.post("/verify-email", responses=responses_for(InvalidMailedTokenError, ThrottledError))
async def verify_email(verification: EmailVerification, accounts: Accounts) -> Done:
    """Confirm an email with the mailed token."""
    await accounts.verify_email(verification.token)
    return Done(message="The email is confirmed.")


@router.post("/refresh", responses=responses_for(InvalidRefreshTokenError))
async def refresh(token: GivenRefreshToken, logins: Logins, deliver: TokenDelivery) -> Tokens:
    """Exchange the refresh token for new tokens."""
    return deliver(await logins.refresh(token))


@router.post("/logout")
async def log_out(token: GivenRefreshToken, logins: Logins, deliver: TokenDelivery) -> Done:
    """End the session of a refresh token. An invalid token is not an error."""
    await logins.log_out(token)
    deliver.forget()
    return Done(message="Logged out.")
