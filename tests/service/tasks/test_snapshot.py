"""The states of workers, and the evaluation of a snapshot."""

from __future__ import annotations

from uuid import uuid4

import pytest

from inference_core.core.queue.worker_state import WORKERS_KEY, WorkerReport, decode_entry, encode_report
from inference_core.core.redis.client import open_client
from inference_core.service import service
from inference_core.tasks import monitor as monitor_module
from inference_core.tasks.monitor import WorkerMonitor, view_of
from inference_core.tasks.snapshot import Snapshot, WorkerStatus, WorkerView, judge, worker_status
from inference_core.tasks.views import active_tasks
from tests.support.logs import log_lines_of
from tests.support.settings import Settings

REPORT: WorkerReport = {
    "phase": "running",
    "queues": ["default"],
    "registered": [],
    "active": [],
    "reserved": [],
    "scheduled": [],
    "stats": {},
}


@pytest.mark.parametrize(
    ("phase", "silent_ms", "status"),
    [
        ("running", 0, "online"),
        ("running", 3_500, "online"),
        ("running", 3_501, "unresponsive"),
        ("stopping", 3_500, "stopping"),
        ("stopping", 3_501, "unresponsive"),
    ],
)
def test_worker_status(phase: str, silent_ms: int, status: str) -> None:
    assert worker_status(phase, silent_ms) == status


def views(*statuses: WorkerStatus) -> tuple[WorkerView, ...]:
    return tuple(WorkerView(f"w{number}", status, 0, REPORT) for number, status in enumerate(statuses))


@pytest.mark.parametrize(
    ("snapshot", "age_s", "status", "message"),
    [
        (Snapshot(True, views("online")), 0, "healthy", "1 worker is running."),
        (Snapshot(True, views("online", "online")), 0, "healthy", "2 workers are running."),
        (Snapshot(True, views("online", "unresponsive")), 0, "healthy", "1 worker is running. 1 unresponsive."),
        (Snapshot(True, views("unresponsive")), 0, "degraded", "No worker is running. 1 unresponsive."),
        (Snapshot(True, views("stopping")), 0, "degraded", "No worker is running."),
        (Snapshot(True), 0, "degraded", "No worker is running."),
        (Snapshot(True, views("online")), 7, "degraded", "The worker snapshot is 7 s old."),
        (
            Snapshot(True, views("online"), results_available=False),
            0,
            "unhealthy",
            "The store of task results does not respond.",
        ),
        (Snapshot(False, views("unresponsive")), 0, "unhealthy", "The broker does not respond."),
    ],
)
def test_judgement(snapshot: Snapshot, age_s: float, status: str, message: str) -> None:
    verdict = judge(snapshot, snapshot.age_ms(snapshot.taken_at_s + age_s))
    assert (verdict.status, verdict.message) == (status, message)


def test_entry_survives_its_way_through_redis_and_is_aged_by_redis_clock() -> None:
    value = f"1700000000500 {encode_report(REPORT)}".encode()
    assert decode_entry(value) == (1700000000500, REPORT)
    view = view_of(b"celery@one", value, (1700000002, 700_000))
    assert view is not None
    assert (view.name, view.status, view.silent_ms) == ("celery@one", "online", 2_200)


@pytest.mark.parametrize("value", [b"", b"no stamp", b"1 {}", b"1 []", b"x {}", b'1 {"phase": "running"}'])
def test_entry_nobody_of_ours_wrote_is_left_out(value: bytes) -> None:
    assert view_of(b"stranger", value, (1, 0)) is None


@pytest.mark.parametrize("place", ["active", "reserved", "scheduled"])
def test_ids_of_tasks_are_whole_for_superusers_alone(place: str) -> None:
    task_id = "0123abcd-4567-4890-abcd-ef0123456789"
    entry = {"id": task_id, "name": "llm.explain", "started_at": None, "worker_pid": None, "eta": None}
    snapshot = Snapshot(True, (WorkerView("w", "online", 0, {**REPORT, place: [entry]}),))  # type: ignore[typeddict-item]
    assert [task.id for task in getattr(active_tasks(snapshot, whole_ids=True), place)["w"]] == [task_id]
    assert [task.id for task in getattr(active_tasks(snapshot, whole_ids=False), place)["w"]] == ["0123abcd..."]


@pytest.mark.anyio
async def test_a_worker_that_has_been_silent_for_an_hour_leaves_the_list(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = log_lines_of(monitor_module, monkeypatch)
    settings = Settings(_env_file=None, redis_url=redis_url, redis_prefix=f"silent-{uuid4().hex}")
    async with open_client(settings, redis_url) as redis:
        seconds, _ = await redis.time()
        for name, silent_s in (("now", 0), ("lately", 3_500), ("long-ago", 3_610)):
            await redis.hset(WORKERS_KEY, name, f"{(seconds - silent_s) * 1000} {encode_report(REPORT)}")
        monitor = WorkerMonitor(redis, redis, service.queues)
        await monitor.poll()
        statuses = {view.name: view.status for view in monitor.snapshot.workers}
        assert statuses == {"now": "online", "lately": "unresponsive"}
        assert [line["workers"] for line in logs if line["event"] == "workers_forgotten"] == [["long-ago"]]
        assert set(await redis.hkeys(WORKERS_KEY)) == {b"now", b"lately"}
        await redis.delete(WORKERS_KEY)
