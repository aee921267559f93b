"""What each process loads: commands that only tell something load little, and no server loads what only others need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import service_env

MIGRATIONS = {"alembic", "mako"}
# What structlog would load.
HIGHLIGHTING = {"rich", "pygments"}
# Pydantic is not among them: Typer itself reads options with it.
FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "celery", "kombu", "redis", "structlog"}
TASK_FUNCTIONS = {"inference_core.maintenance.tasks", "inference_core.auth.tasks", "inference_core.llm.tasks"}
COMMAND = "from inference_core.entry import main\nmain()"


def loaded(program: str, *arguments: str, folder: Path, redis_url: str = "redis://127.0.0.1:1/0") -> set[str]:
    """The modules that a Python process has loaded at its end."""
    report = folder / "modules.json"
    at_end = (
        "import atexit, json, pathlib, sys\n"
        f"atexit.register(lambda: pathlib.Path({str(report)!r}).write_text(json.dumps(sorted(sys.modules))))\n"
    )
    command = [sys.executable, "-c", at_end + program, *arguments]
    done = subprocess.run(
        command, env=service_env(folder, redis_url), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(report.read_text()))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["up", "--help"], ["llm-sim", "--help"], ["generate", "feature", "--help"]]
)
def test_help_loads_no_framework(arguments: list[str], tmp_path: Path) -> None:
    modules = loaded(COMMAND, *arguments, folder=tmp_path)
    assert "typer" in modules
    assert modules & (FRAMEWORKS | MIGRATIONS | HIGHLIGHTING) == set()


def test_the_api_loads_no_migration_tools_and_no_task_functions(tmp_path: Path) -> None:
    modules = loaded("import inference_core.main", folder=tmp_path)
    assert "inference_core.core.queue.sender" in modules
    assert modules & (MIGRATIONS | HIGHLIGHTING | TASK_FUNCTIONS) == set()


def test_a_server_on_a_database_that_is_up_to_date_starts_without_migration_tools(
    tmp_path: Path, redis_url: str
) -> None:
    start = (
        "import asyncio, inference_core.main as service\n"
        "async def start():\n"
        "    async with service.app.router.lifespan_context(service.app): pass\n"
        "asyncio.run(start())\n"
    )
    modules = loaded(start, folder=tmp_path, redis_url=redis_url)
    assert "aiosqlite" in modules
    assert modules & MIGRATIONS == set()


def test_a_worker_loads_no_web_framework_and_no_migration_tools(tmp_path: Path) -> None:
    program = "from inference_core.celery.celery_main import celery_app\ncelery_app.loader.import_default_modules()"
    modules = loaded(program, folder=tmp_path)
    assert modules >= TASK_FUNCTIONS
    assert modules & (MIGRATIONS | HIGHLIGHTING | {"fastapi", "starlette", "uvicorn"}) == set()
