"""The beat process of a worker does not grow with the tasks that it sends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.processes import keys_of_service, redis_server
from tests.support.service import service_env


@pytest.fixture(scope="module")
def beat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What `tests.support.beat_memory` prints, and the commands that its Redis got."""
    folder = tmp_path_factory.mktemp("beat")
    with redis_server(folder / "redis") as (redis_url, _):
        # In an interpreter of its own; a forked one would have frozen objects already.
        command = [sys.executable, "-m", "tests.support.beat_memory"]
        env = service_env(folder, redis_url)
        run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert run.returncode == 0, run.stderr
        with keys_of_service(redis_url) as redis:
            commands = redis.info("commandstats")
            connections = redis.info("stats")["total_connections_received"]
    subscriptions = commands.get("cmdstat_subscribe", {"calls": 0})["calls"]
    return {**json.loads(run.stdout), "subscriptions": subscriptions, "connections": connections}


def test_a_scheduled_task_leaves_no_garbage_in_beat(beat: dict[str, float]) -> None:
    assert beat["garbage_objects"] == 0


def test_beat_keeps_nothing_of_the_tasks_that_it_sent(beat: dict[str, float]) -> None:
    # Objects whose number does not depend on the tasks, such as those of caches, are a fraction of a block for each.
    assert beat["blocks"] < 1


def test_beat_does_not_subscribe_to_the_results_that_nobody_reads(beat: dict[str, float]) -> None:
    assert beat["subscriptions"] == 0


def test_beat_does_not_connect_to_redis_for_each_task(beat: dict[str, float]) -> None:
    assert beat["connections"] < 10


def test_a_garbage_collection_in_beat_does_not_examine_what_the_worker_has_imported(beat: dict[str, float]) -> None:
    assert beat["examined_objects"] < beat["frozen_objects"] / 100
