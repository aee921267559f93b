"""What readers of `/docs` see: texts for everything, examples that are valid, short ids, and groups in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.support.settings import Settings, application

DOCUMENT = application(Settings(_env_file=None, environment="development")).openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
}


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, operation in OPERATIONS.items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                schema = content["schema"].get("anyOf", [content["schema"]])[0]
                yield name, SCHEMAS[schema["$ref"].rpartition("/")[2]]


def test_every_field_and_parameter_has_a_description() -> None:
    fields = {
        f"{name}.{field}": content
        for name, schema in SCHEMAS.items()
        for field, content in schema.get("properties", {}).items()
    }
    parameters = {
        f"{name} {parameter['name']}": parameter
        for name, operation in OPERATIONS.items()
        for parameter in operation.get("parameters", ())
    }
    assert [name for name, part in (fields | parameters).items() if not part.get("description")] == []


@pytest.mark.parametrize(("name", "schema"), [pytest.param(*body, id=body[0]) for body in bodies()])
def test_every_body_has_an_example_that_is_valid(name: str, schema: dict[str, Any]) -> None:
    (example,) = schema["examples"]
    jsonschema.Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}}).validate(example)


def test_ids_and_names_of_schemas_are_short() -> None:
    assert [name for name in (*OPERATIONS, *SCHEMAS) if len(name) > 30 or "api_v1" in name] == []


def test_groups_have_texts_and_an_order() -> None:
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert list(tags) == ["llm", "accounts", "administration", "tasks", "health", "root", "metrics"]
    assert all(text.endswith(".") for text in tags.values())
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == set(tags)


def test_streams_and_problems_are_described() -> None:
    for name in ("explain_stream", "conversation_stream"):
        event = OPERATIONS[name]["responses"]["200"]["content"]["text/event-stream"]["schema"]
        kinds = [kind["properties"]["event"]["enum"] for kind in event["properties"]["data"]["contentSchema"]["oneOf"]]
        assert kinds == [["start"], ["token"], ["usage"], ["error"], ["end"]]
    assert {"code", "retry_after_s", "phase"} <= set(SCHEMAS["Problem"]["properties"])
    assert "`llm_timeout`: " in OPERATIONS["explain_stream"]["responses"]["504"]["description"]
