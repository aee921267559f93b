"""A part of one feature that fails or hangs does not stop the parts of the others."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inference_core.app import lifespan as lifespan_module
from inference_core.core.feature import Feature, HealthPart, Service, load_features
from inference_core.core.health import Component
from inference_core.core.queue.base_task import TaskFailedError
from inference_core.core.settings import Settings
from inference_core.health import watch
from inference_core.maintenance.tasks import purge_features
from inference_core.testing import running_api
from tests.service.features.conftest import Project
from tests.support.stack import running_stack

pytestmark = pytest.mark.anyio

HERE = "another_module_of_tests"


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module to which features refer."""
    made = ModuleType(HERE)
    monkeypatch.setitem(sys.modules, HERE, made)
    return made


async def test_a_check_that_fails_or_hangs_is_unhealthy_and_the_service_starts(
    module: ModuleType, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> Component:
        raise RuntimeError("torn")

    async def hangs(_: object) -> Component:
        await asyncio.Event().wait()
        raise AssertionError

    async def works(_: object) -> Component:
        return Component("healthy", datetime.now(UTC))

    vars(module).update(fails=fails, hangs=hangs, works=works)
    monkeypatch.setattr(watch, "PART_TIMEOUT_S", 0.05)
    parts = tuple(HealthPart(name, f"{HERE}:{name}") for name in ("fails", "hangs", "works"))
    service = Service(
        name="test", features=(*load_features("inference_core.health"), Feature(name="crates", health=parts))
    )
    async with running_api(service, database_url=f"sqlite:///{tmp_path / 'a.db'}", redis_url=redis_url) as api:
        response = await api.client.get("/api/v1/health/")
    components = response.json()["components"]
    assert {name: components[name]["status"] for name in ("fails", "hangs", "works", "database")} == {
        "fails": "unhealthy",
        "hangs": "unhealthy",
        "works": "healthy",
        "database": "healthy",
    }
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "torn" not in response.text


async def test_a_purge_that_fails_does_not_stop_the_others(module: ModuleType) -> None:
    purged = []

    def purge_of(name: str, error: Exception | None) -> Any:
        async def purge(_: Settings) -> int:
            purged.append(name)
            if error:
                raise error
            return 3

        return purge

    errors = {"one": None, "two": OSError("full"), "three": None}
    vars(module).update({name: purge_of(name, error) for name, error in errors.items()})
    service = Service(name="test", features=tuple(Feature(name=name, purge=f"{HERE}:{name}") for name in errors))
    with pytest.raises(TaskFailedError, match=r"^Expired data of these features could not be deleted: two\.$"):
        await purge_features(service, Settings(_env_file=None))
    assert purged == ["one", "two", "three"]
    errors["two"] = None
    vars(module)["two"] = purge_of("two", None)
    assert await purge_features(service, Settings(_env_file=None)) == {"one": 3, "two": 3, "three": 3}


async def test_a_feature_that_hangs_or_fails_at_the_end_does_not_keep_the_others_open(
    module: ModuleType,
    tmp_path: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    closed = []

    def lifespan_of(name: str, end: Callable[[], Awaitable[None]]) -> Any:
        @asynccontextmanager
        async def lifespan(_: object) -> AsyncIterator[None]:
            yield
            await end()
            closed.append(name)

        return lifespan

    async def fails() -> None:
        raise RuntimeError("torn")

    async def hangs() -> None:
        await asyncio.Event().wait()

    ends = {"first": lambda: asyncio.sleep(0), "fails": fails, "hangs": hangs, "hangs_too": hangs}
    vars(module).update({name: lifespan_of(name, end) for name, end in ends.items()})
    monkeypatch.setattr(lifespan_module, "CLOSE_WITHIN_S", 0.05)
    monkeypatch.setattr(lifespan_module, "CLOSE_AT_LEAST_S", 0.05)
    service = Service(name="test", features=tuple(Feature(name=name, lifespan=f"{HERE}:{name}") for name in ends))
    async with running_api(service, database_url=f"sqlite:///{tmp_path / 'a.db'}", redis_url=redis_url) as api:
        database = api.state.database
    assert closed == ["first"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "feature_not_closed" in line]
    reasons = {line["feature"]: line["error"] for line in lines}
    assert reasons == {"hangs_too": "TimeoutError", "hangs": "TimeoutError", "fails": "RuntimeError"}
    assert database.engine.pool.checkedin() == 0


@pytest.mark.full
def test_the_stack_of_a_service_without_the_health_feature_becomes_ready(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(
        "from inference_core.core.feature import Service, load_features\n"
        'service = Service(name="small", features=load_features("inference_core.maintenance"))\n'
    )
    env = Project(tmp_path).env(INFERENCE_CORE_SERVICE="small:service")
    with running_stack(tmp_path, "--port", "0", "--ephemeral", env=env) as stack:
        assert "Press Ctrl-C" in stack.text
