"""What can go wrong with accounts, beyond the service's general errors."""

from __future__ import annotations

from inference_core.exceptions import ConflictError, InvalidInputError


class AccountExistsError(ConflictError):
    """The user name or the email belongs to an account already."""

    code = "account_exists"
    detail = "An account with this user name or email exists already."


class WrongPasswordError(InvalidInputError):
    """The current password is wrong or missing."""

    code = "wrong_password"
    detail = "The current password is not correct."


class InvalidMailedTokenError(InvalidInputError):
    """A mailed token is unknown, used, replaced by a newer one, or expired."""

    code = "invalid_token"
    detail = "The link is not valid any more. Ask for a new one."
