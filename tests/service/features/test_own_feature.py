"""A feature in a package outside of the tree adds one thing of every kind, and edits none of our files."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import httpx2
import pytest

from inference_core.core.current_service import current_service
from inference_core.core.feature import FeatureError
from tests.service.features.conftest import Project
from tests.support.processes import wait_until
from tests.support.servers.databases import create_database
from tests.support.stack import running_stack

APP = "from inference_core.main import app"


@pytest.mark.full
@pytest.mark.timeout(200)
def test_every_part_of_it_works_in_a_real_stack(depot: Project) -> None:
    env = depot.env(CRATES_STACK_EVERY_S="1", CRATES_COLOR="green")
    with (
        running_stack(depot.path, "--port", "0", "--ephemeral", "--logs", "logs", env=env) as stack,
        httpx2.Client(base_url=stack.url, timeout=20, trust_env=False) as client,
    ):
        assert f"  crates         {stack.url}/api/v1/crates" in stack.text
        assert client.get("/").json()["app_name"] == "depot"
        assert client.get("/api/v1/crates/color").json() == "green"

        assert client.post("/api/v1/crates/A-1").json() == {"labels": ["A-1"]}
        taken = client.post("/api/v1/crates/A-1")
        assert (taken.status_code, taken.json()["code"]) == (409, "crate_taken")
        crane = client.post("/api/v1/crates/crane")
        assert (crane.status_code, crane.json()["code"], crane.headers["Retry-After"]) == (
            503,
            "crane_unavailable",
            "2",
        )

        assert client.post("/api/v1/crates/pack", params={"label": "B-2"}).status_code == 200

        def labels() -> list[str]:
            found: list[str] = client.get("/api/v1/crates").json()["labels"]
            return found

        wait_until(lambda: labels() == ["A-1", "B-2", "by-schedule"], within_s=40, what="the worker and the schedule")

        parts = client.get("/api/v1/health/").json()["components"]
        assert (parts["crates_shelf"]["status"], parts["crates_crane"]["status"]) == ("healthy", "not_configured")
        assert "llm" not in parts
        assert "\ncrates_opened_total 1.0\n" in client.get("/metrics").text
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/api/v1/crates", "/api/v1/crates/color", "/api/v1/crates/{label}"} <= set(paths)
        assert not [path for path in paths if "llm" in path]
        workers = client.get("/api/v1/tasks/workers/stats").json()["registered"]
        assert [names for names in workers.values() if {"crates.pack", "crates.stack"} <= set(names)]
        assert "crates: a worker of depot" in Path(depot.path, "logs", "worker.log").read_text()


def test_its_commands_and_settings_come_from_the_environment_and_from_the_file(depot: Project) -> None:
    color = depot.command("crate-color")
    assert depot.python(color).stdout == "red\n"
    (depot.path / ".env").write_text("CRATES_COLOR=blue\nCRATES_COLOUR=black\n")
    done = depot.python(color)
    assert done.stdout == "blue\n"
    (hint,) = done.stderr.splitlines()
    assert hint.endswith("line 2: CRATES_COLOUR is not a setting and is ignored; did you mean CRATES_COLOR?")
    assert depot.python(color, CRATES_COLOR="green").stdout == "green\n"
    assert depot.python(depot.command("labels", "example")).stdout == "A-1\n"
    shown = depot.python(depot.command("settings")).stdout
    assert "# Color of new crates.\n# CRATES_COLOR=red\n# CRATES_STACK_EVERY_S=600.0\n" in shown


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param(
            "CRATES_STACK_EVERY_S",
            "0",
            "settings: CRATES_STACK_EVERY_S: input should be greater than 0",
            marks=pytest.mark.full,
        ),
        ("CRATES_COLOR", "invisible", "settings: CRATES_COLOR: nobody finds invisible crates"),
    ],
)
def test_a_wrong_value_of_its_settings_stops_the_api_and_the_worker(
    depot: Project, variable: str, value: str, expected: str
) -> None:
    for program in (APP, "import inference_core.celery.celery_main"):
        assert depot.refused(program, **{variable: value}).startswith(expected)


@pytest.fixture
def here(depot: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to the project of the depot, in the process of the test."""
    monkeypatch.chdir(depot.path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("INFERENCE_CORE_SERVICE", raising=False)
    return depot.path


def test_the_service_is_found_by_the_variable_and_by_the_project(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_service().name == "depot"
    (here / "deep" / "inside").mkdir(parents=True)
    monkeypatch.chdir(here / "deep" / "inside")
    assert current_service().name == "depot"
    (here / "pyproject.toml").unlink()
    assert current_service().name == "inference-core"
    monkeypatch.setenv("INFERENCE_CORE_SERVICE", "depot.service:service")
    assert current_service().name == "depot"


def test_a_deleted_working_directory_is_one_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = here / "deleted"
    deleted.mkdir()
    monkeypatch.chdir(deleted)
    deleted.rmdir()
    with pytest.raises(FeatureError, match=r"^the working directory cannot be read: .*; change to another one$"):
        current_service()


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("depot.service", "INFERENCE_CORE_SERVICE: 'depot.service' is not of the form"),
        ("depot.servise:service", "INFERENCE_CORE_SERVICE: there is no module depot.servise"),
        ("nothing:service", "INFERENCE_CORE_SERVICE: there is no module nothing"),
        ("depot.service:servise", "INFERENCE_CORE_SERVICE: depot.service has no servise"),
        ("depot.crates.feature:feature", "INFERENCE_CORE_SERVICE: depot.crates.feature:feature is not a Service"),
        ("depot service:service", "INFERENCE_CORE_SERVICE: 'depot service:service' is not of the form"),
        ("../depot:service", "INFERENCE_CORE_SERVICE: '../depot:service' is not of the form"),
    ],
)
def test_a_wrong_name_of_the_service_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, reference: str, expected: str
) -> None:
    monkeypatch.setenv("INFERENCE_CORE_SERVICE", reference)
    with pytest.raises(FeatureError) as raised:
        current_service()
    (line,) = str(raised.value).splitlines()
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("[tool.inference_core]\n", 'needs service = "package.module:service"'),
        ("[tool.inference_core]\nservice = 3\n", 'needs service = "package.module:service"'),
        ("[tool.inference_core\n", "cannot be read"),
    ],
)
def test_a_wrong_table_of_the_project_is_one_line(here: Path, table: str, expected: str) -> None:
    (here / "pyproject.toml").write_text(table)
    with pytest.raises(FeatureError) as raised:
        current_service()
    (line,) = str(raised.value).splitlines()
    assert expected in line


def test_every_program_refuses_a_wrong_service_in_one_line(depot: Project) -> None:
    for program in (APP, depot.command("--help"), "import inference_core.celery.celery_main"):
        line = depot.refused(program, INFERENCE_CORE_SERVICE="depot.servise:service")
        assert line.removeprefix("inference-core: ") == "INFERENCE_CORE_SERVICE: there is no module depot.servise"


def test_its_load_users_join_a_suite(depot: Project) -> None:
    program = (
        "import json\nfrom inference_core.core.current_service import current_service\n"
        "from inference_core.core.load_users import feature_loads\n"
        "print(json.dumps([(load.feature, [user.__name__ for user in load.users], dict(load.thresholds))"
        " for load in feature_loads(current_service())]))"
    )
    assert depot.report(program) == [["crates", ["CratesUser"], {"crates_p95_ms": 100}]]
    (depot.path / "suite" / "crates.py").write_text("USERS = ()\n")
    assert "feature crates: load_users: suite.crates needs THRESHOLDS, a mapping" in depot.python(program).stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_its_table_is_migrated(depot: Project, kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{depot.path / 'depot.db'}"
    else:
        url = create_database(request.getfixturevalue(kind), f"depot_{time.time_ns()}")
    done = depot.python(depot.command("migrate"), DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    tables = depot.report(TABLES, DATABASE_URL=url)
    assert {"crates", "users"} <= set(tables)
    assert not [table for table in tables if table.startswith("llm")]


TABLES = """
import asyncio, json
from sqlalchemy import inspect
from inference_core.core.commands import read_settings
from inference_core.core.db.engine import Database
async def names():
    async with Database.open(read_settings()) as database, database.engine.connect() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())
print(json.dumps(asyncio.run(names())))
"""
