"""What a service consists of, as a process of its own reports it: `python -m tests.service.features.reports api`."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference_core.core.current_service import current_service
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import load_settings, misspelt_settings


def features_loaded() -> list[str]:
    """Return the loaded modules of features."""
    return sorted(name for name in sys.modules if name.startswith("inference_core."))


def settings_report() -> dict[str, Any]:
    kind = settings_class(current_service())
    return {"settings": sorted(kind.model_fields), "hints": misspelt_settings(kind, Path(".env"))}


def queue_report(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "queues": [queue.name for queue in config["task_queues"]],
        "task routes": [f"{pattern} {route['queue']}" for pattern, route in config["task_routes"].items()],
        "schedule": [f"{name} {entry['task']}" for name, entry in config["beat_schedule"].items()],
    }


def api() -> dict[str, Any]:
    """Run the API on an empty database, and return what it answers."""
    from inference_core.app.cli import command_line
    from inference_core.app.stack.up import _places
    from inference_core.core.queue.config import celery_config
    from inference_core.testing import running_api

    service = current_service()
    settings = load_settings(settings_class(service), None)
    given = {"database_url": settings.database_url, "redis_url": settings.redis_url}

    async def ask() -> dict[str, Any]:
        async with running_api(service, **given) as running:
            document = running.app.openapi()
            health = await running.client.get("/api/v1/health/")
            metrics = (await running.client.get("/metrics")).text
            return {
                "paths": sorted(document["paths"]),
                "schemas": sorted(document["components"]["schemas"]),
                "health": sorted(health.json()["components"]),
                "metrics": sorted({line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE")}),
            }

    answers = asyncio.run(ask())
    with sqlite3.connect(settings.database_url.partition("///")[2]) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    commands = command_line(service)
    return {
        **answers,
        **settings_report(),
        **queue_report(celery_config(service, settings, is_worker=False)),
        "tables": sorted(tables),
        "commands": [str(command.name) for command in (*commands.registered_commands, *commands.registered_groups)],
        "announced": list(_places(settings, "http://127.0.0.1:8000", Path("logs"))),
        "modules": features_loaded(),
    }


def worker() -> dict[str, Any]:
    """Create the application of a worker, and return what it has."""
    from inference_core.app.worker_app import worker_app

    app = worker_app()
    return {
        **queue_report(app.conf),
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "modules": features_loaded(),
    }


REPORTS: dict[str, Callable[[], dict[str, Any]]] = {"api": api, "worker": worker}

if __name__ == "__main__":
    print(json.dumps(REPORTS[sys.argv[1]]()))
