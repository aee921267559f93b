"""Test a service of the cookbook: the routes of notes exist and return models, and the worker has its tasks."""

from __future__ import annotations

import pytest

from inference_core.app.worker_app import worker_app
from inference_core.core.current_service import current_service
from inference_core.core.feature import Feature
from inference_core.testing import Api

pytestmark = pytest.mark.anyio
(notes,) = [feature for feature in current_service().features if feature.name == "notes"] or [Feature(name="notes")]


async def test_the_application_has_the_routes_of_notes(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    routes = {path: route for path, route in document["paths"].items() if path.startswith("/api/v1/notes")}
    assert bool(routes) == bool(notes.routers or notes.hot_routers)
    for operation in (operation for route in routes.values() for operation in route.values()):
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert all("$ref" in str(answer["content"]["application/json"]["schema"]) for answer in answers)
    assert (await api.client.get("/api/v1/health/ready")).status_code == 200


def test_the_worker_has_the_tasks_of_notes() -> None:
    registered = {name for name in worker_app().tasks if name.startswith("notes.")}
    assert bool(registered) == bool(notes.tasks)
    assert {entry.task for entry in notes.schedule} <= registered
