"""The JSON Schema of run.json, made from the model.

The published file is written by `python -m loadgate.run.document.schema > loadgate/run/run.schema.json`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from loadgate.run.document.model import SCHEMA_VERSION, RunDocument
from loadgate.stdio import use_safe_streams


class _WithoutFieldTitles(GenerateJsonSchema):
    """A generator without titles of fields, which would only repeat their names."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:  # noqa: ARG002
        return False


def run_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:loadgate:run:{SCHEMA_VERSION}",
        **RunDocument.model_json_schema(schema_generator=_WithoutFieldTitles),
    }


def schema_text() -> str:
    """Return the text of the published file."""
    return json.dumps(run_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    use_safe_streams()
    print(schema_text(), end="")
