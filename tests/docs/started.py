"""Test a service of the cookbook: its application has the routes of notes, and its worker the tasks."""

from __future__ import annotations

import pytest

from inference_core.app.worker_app import worker_app
from inference_core.core.current_service import current_service
from inference_core.testing import Api

pytestmark = pytest.mark.anyio
(notes,) = [feature for feature in current_service().features if feature.name == "notes"]


async def test_the_application_has_the_routes_of_notes(api: Api) -> None:
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    assert any(path.startswith("/api/v1/notes") for path in paths) == bool(notes.routers or notes.hot_routers)
    assert (await api.client.get("/api/v1/health/ready")).status_code == 200


def test_the_worker_has_the_tasks_of_notes() -> None:
    registered = {name for name in worker_app().tasks if name.startswith("notes.")}
    assert bool(registered) == bool(notes.tasks)
    assert {entry.task for entry in notes.schedule} <= registered
