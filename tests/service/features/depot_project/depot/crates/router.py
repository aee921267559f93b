"""The routes of crates."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from depot.crates.errors import CraneError, CrateTakenError
from depot.crates.repository import CrateRepository
from depot.crates.settings import CratesSettings
from depot.crates.state import CratesMetrics
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.feature import Service
from inference_core.core.problems import responses_for
from inference_core.core.settings import Settings
from inference_core.core.state import SettingsDep, StateDep

PREFIX = "/api/v1/crates"
hot_router = APIRouter(prefix=PREFIX, tags=["crates"])


class Crates(BaseModel):
    """Labels of crates."""

    labels: list[str]


class TaskSent(BaseModel):
    """The id of a task."""

    task_id: str


@hot_router.get("/color")
async def color(settings: SettingsDep) -> str:
    """Return a setting."""
    return settings.of(CratesSettings).crates_color


def routers(service: Service, _: Settings) -> list[APIRouter]:
    """Return the other routes."""
    router = APIRouter(prefix=PREFIX, tags=[service.name])

    @router.get("")
    async def labels(session: ReadSessionDep) -> Crates:
        """Return the labels."""
        return Crates(labels=await CrateRepository(session).labels())

    @router.post("/pack")
    async def pack(state: StateDep, label: str) -> TaskSent:
        """Send a task."""
        return TaskSent(task_id=await state.sender.send("crates.pack", label))

    @router.post("/crane")
    async def crane() -> Crates:
        """Fail as a library does."""
        raise CraneError("rope torn")

    @router.post("/{label}", responses=responses_for(CrateTakenError))
    async def create(label: str, session: SessionDep, settings: SettingsDep, state: StateDep) -> Crates:
        """Store a crate."""
        await CrateRepository(session).add(label, settings.of(CratesSettings).crates_color)
        state.metrics.feature(CratesMetrics).opened.inc()
        return Crates(labels=[label])

    return [router]
