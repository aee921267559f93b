"""`inference-core openapi`: the document, and the changes of it that break clients."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from typer.testing import CliRunner

from inference_core.app.cli import command_line
from inference_core.app.contract.compare import compare_documents
from inference_core.core.feature import FeatureError
from tests.support.settings import Settings, application, service

Json = dict[str, Any]
STRING, INTEGER, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
NOTE = "#/components/schemas/Note"
REQUEST, RESPONSE = "POST /notes: request", "POST /notes: response 201"


def fields(*required: str, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def document(request: Json | None = None, response: Json | None = None, **operation: Any) -> Json:
    """A document with one operation, whose bodies have these schemas."""
    made: Json = {
        "operationId": "create_note",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request or {}}}},
        "responses": {"201": {"content": {"application/json": {"schema": response or {}}}}},
    }
    return {"openapi": "3.1.0", "paths": {"/notes": {"post": made | operation}}, "components": {"schemas": {}}}


def found(old: Json, new: Json) -> list[str]:
    return [str(change) for change in compare_documents(old, new)]


# Each change of a schema, what it is in a request, and what it is in a response. "" stands for no difference.
SCHEMAS: list[tuple[str, Json, Json, str, str]] = [
    ("nothing", fields("a", a=STRING), fields("a", a=STRING), "", ""),
    ("texts", {**STRING, "description": "a", "title": "A"}, {**STRING, "description": "b", "default": "c"}, "", ""),
    (
        "a field is removed",
        fields(a=STRING, b=STRING),
        fields(a=STRING),
        "breaking: {}.b: the field was removed",
        "breaking: {}.b: the field was removed",
    ),
    ("an optional field", fields(), fields(a=STRING), "info: {}.a: the field is new", "info: {}.a: the field is new"),
    (
        "a required field",
        fields(),
        fields("a", a=STRING),
        "breaking: {}.a: the field is new and required",
        "info: {}.a: the field is new",
    ),
    ("becomes required", fields(a=STRING), fields("a", a=STRING), "breaking: {}.a: the field became required", ""),
    ("becomes optional", fields("a", a=STRING), fields(a=STRING), "", "breaking: {}.a: the field became optional"),
    (
        "another type",
        fields(a=STRING),
        fields(a=INTEGER),
        "breaking: {}.a: the type changed from string to integer",
        "breaking: {}.a: the type changed from string to integer",
    ),
    ("a wider number", INTEGER, NUMBER, "", "breaking: {}: the type changed from integer to number"),
    ("a narrower number", NUMBER, INTEGER, "breaking: {}: the type changed from number to integer", ""),
    ("any becomes a type", {}, STRING, "breaking: {}: the type changed from any to string", ""),
    ("a type becomes any", STRING, {}, "", "breaking: {}: the type changed from string to any"),
    ("can be null", STRING, {"anyOf": [STRING, NULL]}, "", "breaking: {}: can be null"),
    ("cannot be null", {"type": ["string", "null"]}, STRING, "breaking: {}: null is no longer accepted", ""),
    ("another spelling of null", {"type": ["string", "null"]}, {"anyOf": [STRING, NULL]}, "", ""),
    (
        "fewer values",
        {**STRING, "enum": ["a", "b"]},
        {**STRING, "enum": ["a"]},
        "breaking: {}: the value b was removed",
        "info: {}: the value b was removed",
    ),
    (
        "more values",
        {**STRING, "const": "a"},
        {**STRING, "enum": ["b", "a"]},
        "info: {}: the value b is new",
        "breaking: {}: the value b is new",
    ),
    ("values", STRING, {**STRING, "enum": ["a"]}, "breaking: {}: the values changed from any to a", ""),
    ("no values", {**STRING, "enum": ["a"]}, STRING, "", "breaking: {}: the values changed from a to any"),
    (
        "another format",
        {**STRING, "format": "uuid"},
        {**STRING, "format": "email"},
        "breaking: {}: the format changed from uuid to email",
        "breaking: {}: the format changed from uuid to email",
    ),
    ("a format", STRING, {**STRING, "format": "uuid"}, "breaking: {}: the format changed from any to uuid", ""),
    ("no format", {**STRING, "format": "uuid"}, STRING, "", "breaking: {}: the format changed from uuid to any"),
    ("shorter", {"maxLength": 9}, {"maxLength": 8}, "breaking: {}: maxLength changed from 9 to 8", ""),
    ("longer", {"maxLength": 9}, {"maxLength": 10}, "", ""),
    ("a minimum", INTEGER, {**INTEGER, "minimum": 1}, "breaking: {}: minimum changed from none to 1", ""),
    ("a pattern", STRING, {**STRING, "pattern": "a+"}, "breaking: {}: the pattern changed to a+", ""),
    (
        "items",
        {"type": "array", "items": fields("a", a=STRING)},
        {"type": "array", "items": fields()},
        "breaking: {}[].a: the field was removed",
        "breaking: {}[].a: the field was removed",
    ),
    (
        "values of a map",
        {"type": "object", "additionalProperties": INTEGER},
        {"type": "object", "additionalProperties": STRING},
        "breaking: {}.*: the type changed from integer to string",
        "breaking: {}.*: the type changed from integer to string",
    ),
    (
        "no more fields",
        fields(),
        {**fields(), "additionalProperties": False},
        "breaking: {}: additional fields are no longer accepted",
        "",
    ),
    ("an alternative", STRING, {"anyOf": [STRING, INTEGER]}, "", "breaking: {}: integer is a new alternative"),
    ("no alternative", {"anyOf": [STRING, INTEGER]}, STRING, "breaking: {}: integer is no longer accepted", ""),
    (
        "a field of an event",
        {"oneOf": [fields("e", e={"enum": ["x"]}, a=STRING), fields("e", e={"enum": ["y"]})]},
        {"oneOf": [fields("e", e={"enum": ["x"]}), fields("e", e={"enum": ["y"]})]},
        "breaking: {}.a: the field was removed",
        "breaking: {}.a: the field was removed",
    ),
    (
        "a nested document",
        {**STRING, "contentSchema": fields("a", a=STRING)},
        {**STRING, "contentSchema": fields(a=STRING)},
        "",
        "breaking: {}.a: the field became optional",
    ),
    ("all of", {"allOf": [fields("a", a=STRING), fields(b=STRING)]}, fields("a", a=STRING, b=STRING), "", ""),
]


@pytest.mark.parametrize(
    ("old", "new", "request_line", "response_line"), [one[1:] for one in SCHEMAS], ids=[one[0] for one in SCHEMAS]
)
def test_a_change_of_a_schema_is_judged_by_its_direction(
    old: Json, new: Json, request_line: str, response_line: str
) -> None:
    assert found(document(request=old), document(request=new)) == [request_line.format(REQUEST)] * bool(request_line)
    assert found(document(response=old), document(response=new)) == [response_line.format(RESPONSE)] * bool(
        response_line
    )


def change(make: Callable[[Json], object], base: Json | None = None) -> list[str]:
    """The differences that a change of a document makes."""
    old = base or document()
    new = copy.deepcopy(old)
    make(new)
    return found(old, new)


def post(changed: Json) -> Json:
    operation: Json = changed["paths"]["/notes"]["post"]
    return operation


PARAMETER = {"in": "query", "name": "limit", "schema": INTEGER}
OPERATIONS: dict[str, tuple[Callable[[Json], object], str]] = {
    "removed path": (lambda new: new["paths"].pop("/notes"), "breaking: POST /notes: the operation was removed"),
    "removed operation": (
        lambda new: new["paths"]["/notes"].pop("post"),
        "breaking: POST /notes: the operation was removed",
    ),
    "new operation": (
        lambda new: new["paths"]["/notes"].update(get={"responses": {}}),
        "info: GET /notes: the operation is new",
    ),
    "operation id": (
        lambda new: post(new).update(operationId="add_note"),
        "breaking: POST /notes: the operation id changed from create_note to add_note",
    ),
    "deprecated": (lambda new: post(new).update(deprecated=True), "info: POST /notes: the operation is deprecated"),
    "security": (
        lambda new: post(new).update(security=[{"bearer": []}]),
        "breaking: POST /notes: no authentication is not sufficient; bearer is needed",
    ),
    "security of all": (
        lambda new: new.update(security=[{"bearer": []}, {"key": [], "id": []}]),
        "breaking: POST /notes: no authentication is not sufficient; bearer or key and id is needed",
    ),
    "required parameter": (
        lambda new: post(new).update(parameters=[PARAMETER | {"required": True}]),
        "breaking: POST /notes: query parameter limit: the parameter is new and required",
    ),
    "optional parameter": (
        lambda new: new["paths"]["/notes"].update(parameters=[PARAMETER]),
        "info: POST /notes: query parameter limit: the parameter is new",
    ),
    "no body": (lambda new: post(new).pop("requestBody"), "breaking: POST /notes: request: the body was removed"),
    "content type": (
        lambda new: post(new)["requestBody"].update(content={"text/plain": {}, "application/json": {}}),
        "info: POST /notes: request: the content type text/plain is new",
    ),
    "no content type": (
        lambda new: post(new)["responses"]["201"]["content"].clear(),
        "breaking: POST /notes: response 201: the content type application/json was removed",
    ),
    "no response": (
        lambda new: post(new)["responses"].pop("201"),
        "breaking: POST /notes: response 201: the response was removed",
    ),
    "new response": (
        lambda new: post(new)["responses"].update({"409": {}}),
        "info: POST /notes: response 409: the response is new",
    ),
    "texts": (lambda new: post(new).update(summary="x", tags=["y"]), ""),
}


@pytest.mark.parametrize(("make", "line"), OPERATIONS.values(), ids=OPERATIONS)
def test_a_change_of_an_operation(make: Callable[[Json], object], line: str) -> None:
    assert change(make) == [line] * bool(line)


def test_changes_of_parameters_bodies_and_security_that_exist() -> None:
    base = document(parameters=[PARAMETER], security=[{"bearer": []}, {"key": []}])
    post(base)["requestBody"]["required"] = False
    where = "POST /notes: query parameter limit"
    required = PARAMETER | {"required": True}
    assert change(lambda new: post(new).update(parameters=[required]), base) == [
        f"breaking: {where}: the parameter became required"
    ]
    assert change(lambda new: post(new).update(parameters=[]), base) == [
        f"breaking: {where}: the parameter was removed"
    ]
    assert change(lambda new: post(new).update(parameters=[PARAMETER | {"schema": STRING}]), base) == [
        f"breaking: {where}: the type changed from integer to string"
    ]
    assert change(lambda new: post(new)["requestBody"].update(required=True), base) == [
        "breaking: POST /notes: request: the body became required"
    ]
    assert change(lambda new: post(new).update(security=[{"bearer": []}]), base) == [
        "breaking: POST /notes: key is not sufficient; bearer is needed"
    ]
    assert change(lambda new: post(new).update(security=[{"key": []}, {"bearer": []}, {}]), base) == []


def test_schemas_that_contain_themselves_are_compared_once() -> None:
    tree = fields("name", name=STRING, children={"type": "array", "items": {"$ref": NOTE}})
    old = document(response={"$ref": NOTE})
    old["components"]["schemas"]["Note"] = tree
    assert change(lambda new: new["components"]["schemas"]["Note"].update(required=[]), old) == [
        f"breaking: {RESPONSE}.name: the field became optional"
    ]


def test_the_document_of_the_service_is_the_same_in_every_process_and_needs_no_server(tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "inference-core", "openapi"]
    env = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    texts = [
        subprocess.run(
            command, cwd=tmp_path, env=env | {"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    shown = json.loads(texts[0])
    assert texts[0].decode() == json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert shown["paths"]["/api/v1/auth/sessions"]["get"]["operationId"] == "list_sessions"


def test_the_command_writes_and_checks_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    commands = command_line(service)
    written = run.invoke(commands, ["openapi", "--output", "base.json"])
    assert (written.exit_code, written.output) == (0, "")
    same = run.invoke(commands, ["openapi", "--check", "base.json"])
    assert (same.exit_code, same.output) == (0, "no breaking change\n")
    base = json.loads(Path("base.json").read_text())
    base["paths"]["/api/v1/old"] = base["paths"].pop("/api/v1/auth/me")
    Path("base.json").write_text(json.dumps(base))
    other = run.invoke(commands, ["openapi", "--check", "base.json"])
    assert other.exit_code == 1
    assert other.output.splitlines() == [
        "info: GET /api/v1/auth/me: the operation is new",
        "info: PUT /api/v1/auth/me: the operation is new",
        "breaking: GET /api/v1/old: the operation was removed",
        "breaking: PUT /api/v1/old: the operation was removed",
    ]
    both = run.invoke(commands, ["openapi", "--check", "base.json", "--output", "x"])
    assert both.exit_code == 2


def document_with(schema: Json) -> str:
    """A document with a route of the service, whose body has this schema."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Registration"}}}
    operation = {"operationId": "register", "requestBody": {"content": content}, "responses": {}}
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "a", "version": "1"},
            "paths": {"/api/v1/auth/register": {"post": operation}},
            "components": {"schemas": {"Registration": schema}},
        }
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "base.json: not JSON"),
        ("[]", "base.json: the document must be an object"),
        ("{}", "base.json: not an OpenAPI document: openapi: Field required"),
        (
            '{"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": 5}',
            "base.json: not an OpenAPI document",
        ),
        (
            '{"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {"/": {"get": {"parameters": 5}}}}',
            "base.json: not an OpenAPI document: get.parameters: Input should be a valid array",
        ),
        ("\udcff", "base.json: not JSON"),
        ("[" * 100_000, "base.json: not JSON: recursion limit exceeded"),
        (
            document_with({"type": "string", "maxLength": "10"}),
            "base.json: not an OpenAPI document: components.schemas.Registration.Schema.maxLength: Input should be",
        ),
        (
            document_with({"anyOf": [{"$ref": "#/components/schemas/Registration"}]}),
            "base.json: a schema is an alternative of itself",
        ),
    ],
)
def test_a_file_that_is_no_document_is_one_line(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    result = CliRunner().invoke(command_line(service), ["openapi", "--check", "base.json"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"inference-core: {message}")


def test_a_file_that_does_not_exist_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command_line(service), ["openapi", "--check", "none.json"])
    assert (result.exit_code, result.stderr) == (1, "inference-core: none.json: No such file or directory\n")


def test_every_operation_of_the_service_has_a_short_id() -> None:
    paths = application(Settings(_env_file=None, environment="testing")).openapi()["paths"]
    ids = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not name.isidentifier() or "api_v1" in name] == []


def test_two_operations_with_one_id_are_one_line() -> None:
    router = APIRouter()

    @router.get("/other")
    async def list_sessions() -> None: ...

    app = application(Settings(_env_file=None, environment="testing"), router)
    with pytest.raises(FeatureError) as raised:
        app.openapi()
    assert str(raised.value) == (
        "routes GET /api/v1/auth/sessions and GET /api/v1/other: both have the operation id list_sessions; rename one "
        "of their functions, or set operation_id"
    )
