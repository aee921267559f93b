"""The errors of API keys."""

from __future__ import annotations

from inference_core.core.exceptions import InvalidInputError, NotFoundError


class ApiKeyNotFoundError(NotFoundError):
    """Raised if the caller has no such key."""

    code = "api_key_not_found"
    detail = "There is no such API key."


class TooManyApiKeysError(InvalidInputError):
    """Raised if the account has `API_KEYS_PER_USER` keys."""

    code = "too_many_api_keys"
    detail = "The maximum number of API keys is reached. Delete a key first."
