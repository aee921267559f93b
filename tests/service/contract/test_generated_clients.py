"""Generators of clients read the OpenAPI document, and what they make talks to the service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.accounts import new_name
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.service import ApiProcess, api_process, service_env
from tests.support.settings import Settings, application

ROOT = Path(__file__).resolve().parents[3]
GENERATORS = ROOT / ".local" / "clients"
PROGRAMS = Path(__file__).with_name("clients")
PASSWORD = "ClientPass1!"

TESTING = Settings(_env_file=None, environment="testing")
PRODUCTION = Settings(
    _env_file=None,
    environment="production",
    secret_key="Xp5-" * 12,
    metrics_token="t" * 32,
    database_url="postgresql://user:password@127.0.0.1/service",
    public_url="https://service.example.com",
)


@pytest.fixture(scope="module", params=[TESTING, PRODUCTION], ids=["testing", "production"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return application(request.param).openapi()


@pytest.fixture(scope="module")
def tested_document() -> dict[str, Any]:
    return application(TESTING).openapi()


@pytest.mark.full
def test_the_document_is_valid_by_the_schema_of_its_version(document: dict[str, Any]) -> None:
    from schemathesis.specs.openapi.definitions import OPENAPI_31

    assert document["openapi"].startswith("3.1.")
    # Without formats: a relative address of the token route is allowed, and is no whole URI.
    jsonschema.Draft202012Validator(OPENAPI_31).validate(document)
    text = json.dumps(document)
    assert "itemSchema" not in text
    assert '"const": "' not in text


def always_null(part: Any, *, is_choice: bool = False) -> Iterator[Any]:
    """Return the schemas that allow null alone and are not one of several choices."""
    if isinstance(part, list):
        for item in part:
            yield from always_null(item, is_choice=is_choice)
    elif isinstance(part, dict):
        if part.get("type") == "null" and not is_choice:
            yield part
        for name, value in part.items():
            yield from always_null(value, is_choice=name in {"anyOf", "oneOf"})


def test_no_value_is_always_null(document: dict[str, Any]) -> None:
    # Most languages have no type for it.
    assert list(always_null(document)) == []


def test_what_takes_a_bearer_token_may_refuse_it(document: dict[str, Any]) -> None:
    taking = {
        f"{method} {path}": set(operation["responses"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "security" in operation
    }
    assert taking
    assert [name for name, statuses in taking.items() if "401" not in statuses] == []


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("clients")
    env = service_env(folder, redis_url, DATABASE_URL=f"sqlite:///{folder / 'service.db'}")
    with api_process(folder, env, app="inference_core.main:app") as api:
        yield api


def generator(path: str) -> Path:
    found = GENERATORS / path
    if not found.exists() or shutil.which("npm") is None:
        skip_or_fail(ServerUnavailableError(f"no {found.name}; install it with: python scripts/client_generators.py"))
    return found


def carry_out(command: list[Any], folder: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    return done.stdout


def expected_calls(name: str) -> list[str]:
    return [f"registered {name}", f"me {name}@example.com", "refused 401"]


@pytest.mark.full
def test_a_python_client_is_made_whole_and_works(
    server: ApiProcess, tested_document: dict[str, Any], tmp_path: Path
) -> None:
    python = generator("python/bin/openapi-python-client").with_name("python")
    (tmp_path / "openapi.json").write_text(json.dumps(tested_document))
    # It formats what it has made with ruff, which stands beside it.
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    command = [python.with_name("openapi-python-client"), "generate", "--meta", "none"]
    carry_out([*command, "--path", "openapi.json", "--output-path", "service_client"], tmp_path, PATH=path)
    made = {file.stem for file in (tmp_path / "service_client" / "api").rglob("*.py")}
    wanted = {
        operation["operationId"]
        for operations in tested_document["paths"].values()
        for operation in operations.values()
    }
    assert len(made - {"__init__"}) == len(wanted)

    name = new_name()
    said = carry_out(
        [python, PROGRAMS / "call_python.py", server.url, name, PASSWORD], tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert said.splitlines() == [*expected_calls(name), "out True"]


@pytest.mark.full
def test_a_typescript_client_is_type_checked_and_works(
    server: ApiProcess, tested_document: dict[str, Any], tmp_path: Path
) -> None:
    binaries = generator("node/node_modules/.bin/openapi-typescript").parent
    (tmp_path / "openapi.json").write_text(json.dumps(tested_document))
    (tmp_path / "node_modules").symlink_to(binaries.parent)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(PROGRAMS / "call_typescript.ts", tmp_path)
    carry_out([binaries / "openapi-typescript", "openapi.json", "-o", "api.ts"], tmp_path)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--types", ""]
    (tmp_path / "globals.d.ts").write_text("declare const process: { argv: string[] };\n")
    carry_out([binaries / "tsc", *options[:-2], "globals.d.ts", "call_typescript.ts"], tmp_path)

    name = new_name()
    said = carry_out(["node", "call_typescript.js", server.url, name, PASSWORD], tmp_path)
    assert said.splitlines() == [*expected_calls(name), "out true"]
