"""Numbers in request bodies as JSON defines them."""

from __future__ import annotations

from pydantic import BeforeValidator


def _is_number(value: object) -> object:
    if isinstance(value, bool | str | bytes):
        raise ValueError("must be a number")  # noqa: TRY004  # Pydantic reports only ValueError
    return value


# Pydantic converts booleans and texts to numbers, which the OpenAPI document does not allow. In an annotation, this
# follows the `Field` with the range. Otherwise, the document loses the range.
JSON_NUMBER = BeforeValidator(_is_number)
