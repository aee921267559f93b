"""The request and response bodies of the API key routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference_core.auth.models import KEY_NAME_LENGTH
from inference_core.auth.roles.schemas import PermissionName
from inference_core.auth.schemas import Printable
from inference_core.core.numbers import JSON_NUMBER

MOST_SCOPES = 50
LONGEST_LIFETIME_DAYS = 3650

KeyName = Annotated[str, StringConstraints(min_length=1, max_length=KEY_NAME_LENGTH), *Printable]


class NewApiKey(BaseModel):
    """A new key. Its scopes are permissions of the caller. Without `expires_in_days`, it does not expire."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "nightly report", "scopes": ["llm:use"], "expires_in_days": 90}]}
    )

    name: KeyName = Field(description="A name for people.")
    scopes: Annotated[list[PermissionName], Field(min_length=1, max_length=MOST_SCOPES)] = Field(
        description="The permissions of the key. The caller must have them."
    )
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_LIFETIME_DAYS), JSON_NUMBER] | None = Field(
        description="Days until the key expires; null if it does not."
    )


class ApiKeyView(BaseModel):
    """An API key of the caller. `prefix` is its public beginning. `last_used_at` is accurate to about a minute."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str = Field(description="A name for people.")
    prefix: str = Field(description="The public beginning of the key.")
    scopes: list[str] = Field(description="The permissions of the key.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="The time of the last use (UTC), accurate to about a minute.")


class CreatedApiKey(ApiKeyView):
    """A new API key. This is the only response that contains the key."""

    key: str = Field(repr=False, description="The key, for the header `X-API-Key` or as a bearer token.")
