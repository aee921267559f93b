"""The building blocks of run.json: a strict, frozen base model and the types of values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError

from loadgate.recorder.request import without_surrogates

LARGEST = 2**64 - 1
"""The largest whole number in a document. It fits into an unsigned 64-bit column."""


class Part(BaseModel):
    """A part of run.json. Unknown keys are ignored, because newer versions can add keys."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
    )


class _One:
    """Validate a union as one type, so that an error does not list all members. The schema lists the given types."""

    def __init__(self, what: str, *types: str) -> None:
        self._message = f"Input should be {what}"
        self._types = types

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return {
            **schema,
            "custom_error_type": "union",
            "custom_error_message": self._message,
        }

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": self._types[0] if len(self._types) == 1 else list(self._types)}


def _clean(text: object) -> object:
    return without_surrogates(text) if isinstance(text, str) else text


def _time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise PydanticCustomError("time", "Input should be a time in ISO 8601") from error
    return text


Text = Annotated[str, BeforeValidator(_clean)]
"""Text from outside. Lone surrogates, which cannot be encoded, are replaced."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
"""A count."""

Number = Annotated[Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | float, _One("a number", "number")]
"""A number as the suite gave it, whole or fractional."""

Positive = Annotated[float, Field(ge=0)]
"""A measured number that cannot be negative."""

Length = Annotated[str | int | float, _One("a text or a number", "string", "number")]
"""A duration as a profile gives it: a text such as `30s`, or a number of seconds."""

Time = Annotated[str, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in UTC, as in 2026-05-01T12:00:00.000Z."""


def epoch_s(time: str) -> float:
    """Return the epoch seconds of a `Time`."""
    return datetime.fromisoformat(time).timestamp()


def iso_time(epoch_s: float) -> str:
    """Return a `Time`: UTC with milliseconds, as in 2026-05-01T12:00:00.000Z."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
