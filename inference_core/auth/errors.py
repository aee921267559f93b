"""The errors of accounts, in addition to the general errors of the service."""

from __future__ import annotations

from collections.abc import Iterable

from inference_core.core.exceptions import (
    ConflictError,
    DependencyUnavailableError,
    InvalidInputError,
    NotPermittedError,
)


class AccountExistsError(ConflictError):
    """Raised if the user name or the email already belongs to an account."""

    code = "account_exists"
    detail = "An account with this user name or email already exists."


class WrongPasswordError(InvalidInputError):
    """Raised if the current password is wrong or missing."""

    code = "wrong_password"
    detail = "The current password is not correct."


class InvalidMailedTokenError(InvalidInputError):
    """Raised if a mailed token is unknown, used, replaced or expired."""

    code = "invalid_token"
    detail = "The link is no longer valid. Request a new one."


class RegistrationClosedError(NotPermittedError):
    """Raised if only superusers create accounts."""

    code = "registration_closed"
    detail = "Registration is closed. Ask an administrator for an account."


class InvitationRequiredError(NotPermittedError):
    """Raised if the invitation of a registration is missing, wrong, used, withdrawn, expired or of another email."""

    code = "invitation_required"
    detail = "Registration needs a valid invitation of this email. Ask an administrator for an invitation."


class InvitationsOffError(ConflictError):
    """Raised if the service does not use invitations."""

    code = "invitations_off"
    detail = "Invitations are not in use. Set REGISTRATION=invite."


class InvitationExistsError(ConflictError):
    """Raised if the email has an open invitation."""

    code = "invitation_exists"
    detail = "This email has an open invitation. To send another one, withdraw it first."


class TooManyInvitationsError(ConflictError):
    """Raised if `INVITATIONS_OPEN_MAX` invitations are open."""

    code = "too_many_invitations"
    detail = "Too many invitations are open. Withdraw some, or wait until they are used or expire."


class AmbiguousCredentialsError(InvalidInputError):
    """Raised for a request with several credentials, because a proxy and the service could use different ones."""

    code = "ambiguous_credentials"
    detail = "The request has more than one credential. Send either one bearer token or one X-API-Key header."


class ApiKeyNotAcceptedError(NotPermittedError):
    """Raised if an API key is sent to a route that accepts only access tokens."""

    code = "api_key_not_accepted"
    detail = "This route does not accept API keys. Log in and use an access token."


class UnknownPermissionError(InvalidInputError):
    """Raised if a role or a key is to get a permission that no feature declares."""

    code = "unknown_permission"
    detail = "There is no such permission."

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"There is no such permission: {', '.join(sorted(names))}.")


class SessionStoreUnavailableError(DependencyUnavailableError):
    """Raised if Redis, which stores the sessions, does not respond in time."""

    code = "session_store_unavailable"
    detail = "The session store is not available. Try again shortly."
