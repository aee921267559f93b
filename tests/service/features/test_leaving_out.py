"""A feature that is left out of the list leaves nothing behind, in an API, a worker, the settings and the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.features.conftest import Project

ALL = ("health", "tasks", "auth", "llm", "mail", "maintenance")
# How entries of the reports begin that belong to a feature.
MARKS: dict[str, dict[str, str]] = {
    "llm": {
        "modules": "inference_core.llm",
        "paths": "/api/v1/llm",
        "schemas": "LLM",
        "tables": "llm_",
        "queues": "llm_tasks",
        "task routes": "llm.",
        "tasks": "llm.",
        "settings": "llm_",
        "hints": "settings: .env line 1:",
        "health": "llm",
        "metrics": "llm_",
        "commands": "llm-sim",
        "announced": "Playground",
    },
    "tasks": {
        "modules": "inference_core.tasks",
        "paths": "/api/v1/tasks",
        "schemas": "Task",
        "settings": "monitoring_access",
        "hints": "settings: .env line 2:",
        "health": "tasks",
        "metrics": "celery_",
    },
    "auth": {
        "modules": "inference_core.auth",
        "paths": "/api/v1/auth",
        "schemas": "Token",
        "tables": "users",
        "tasks": "mail.",
        "schedule": "send-due-mail",
        "settings": "access_token",
        "hints": "settings: .env line 3:",
        "commands": "create-superuser",
    },
    "mail": {
        "modules": "inference_core.mail",
        "queues": "mail",
        "task routes": "mail.",
        "settings": "smtp_",
        "hints": "settings: .env line 4:",
        "announced": "Mail outbox",
    },
    "maintenance": {
        "modules": "inference_core.maintenance",
        "tasks": "maintenance.",
        "schedule": "purge-expired",
        "settings": "purge_interval_s",
        "hints": "settings: .env line 5:",
    },
}
MISSPELT = (
    "LLM_PROVIDER_MODEE=auto",
    "MONITORING_ACCES=public",
    "ACCESS_TOKEN_EXPIRE_MINUTE=5",
    "SMTP_USERNAMES=a",
    "PURGE_INTERVALL_S=5",
)
Report = dict[str, list[str]]


def service_without(left_out: tuple[str, ...]) -> str:
    names = ", ".join(f'"inference_core.{name}"' for name in ALL if name not in left_out)
    return (
        "from inference_core.core.feature import Service, load_features\n"
        f'service = Service(name="reduced", features=load_features({names}))\n'
    )


def report(folder: Path, redis_url: str, left_out: tuple[str, ...]) -> Report:
    """Return the entries of an API process and of a worker, by kind."""
    (folder / "reduced.py").write_text(service_without(left_out))
    (folder / ".env").write_text("\n".join(MISSPELT) + "\n")
    env = Project(folder).env(
        ENVIRONMENT="development",
        INFERENCE_CORE_SERVICE="reduced:service",
        DATABASE_URL=f"sqlite:///{folder / 'reduced.db'}",
        REDIS_URL=redis_url,
        CELERY_DEDICATED_QUEUES="true",
    )
    whole: Report = {}
    for kind in ("api", "worker"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.service.features.reports", kind],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        part: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        for name, entries in part.items():
            whole.setdefault(name, []).extend(entries)
    return whole


def left(found: Report, feature: str) -> Iterator[str]:
    """Return the entries that belong to a feature."""
    for kind, mark in MARKS[feature].items():
        yield from (f"{kind}: {entry}" for entry in found[kind] if entry.startswith(mark))


def test_the_marks_are_those_of_a_service_with_all_features(tmp_path: Path, redis_url: str) -> None:
    found = report(tmp_path, redis_url, ())
    for feature, marks in MARKS.items():
        kinds = {entry.partition(":")[0] for entry in left(found, feature)}
        assert kinds == set(marks), feature


@pytest.mark.parametrize(
    "left_out",
    [
        ("llm",),
        pytest.param(("llm", "tasks"), marks=pytest.mark.full),
        pytest.param(("llm", "tasks", "auth"), marks=pytest.mark.full),
        pytest.param(("llm", "tasks", "auth", "mail"), marks=pytest.mark.full),
        ("llm", "tasks", "auth", "mail", "maintenance"),
        pytest.param(("maintenance",), marks=pytest.mark.full),
    ],
    ids="-".join,
)
def test_nothing_of_it_is_left(tmp_path: Path, redis_url: str, left_out: tuple[str, ...]) -> None:
    found = report(tmp_path, redis_url, left_out)
    assert [entry for feature in left_out for entry in left(found, feature)] == []
    for feature in MARKS.keys() - set(left_out):
        assert list(left(found, feature)), feature
    assert found["paths"], found
    assert "database" in found["health"]
