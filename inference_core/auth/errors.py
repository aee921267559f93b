"""The errors of accounts, in addition to the general errors of the service."""

from __future__ import annotations

from inference_core.core.exceptions import ConflictError, InvalidInputError


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
