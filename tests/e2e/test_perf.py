"""Test `make perf` with a short run: start of the stack, load, verdict, report, and no remaining processes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import wait_until
from tests.support.stack import BIN, ROOT, clean_environment

JUDGED = {0, 98, 99}
pytestmark = pytest.mark.xdist_group("perf")


@dataclass(frozen=True)
class Perf:
    """The artefacts of one command. `folder` is the folder of the run."""

    done: subprocess.CompletedProcess[str]
    report: Path
    folder: Path
    document: dict[str, Any]


@pytest.fixture(scope="module")
def perf(tmp_path_factory: pytest.TempPathFactory) -> Perf:
    """Return a copy of the project's settings in another folder, so that the project's reports are not changed."""
    folder = tmp_path_factory.mktemp("perf")
    for name in (".venv", "tests", "inference_core", "loadgate"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    done = subprocess.run(
        [BIN / "loadgate", "run", "light", "-u", "10", "-r", "10", "-t", "6s"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    reports = folder / "reports" / "performance"
    (run,) = (reports / "runs").iterdir()
    document = json.loads((run / "run.json").read_text())
    return Perf(done, reports / "light_load_report.html", run, document)


def test_the_run_has_a_verdict_and_a_report(perf: Perf) -> None:
    verdict = perf.document["verdict"]
    assert perf.done.returncode == verdict["exit_code"], perf.done.stdout + perf.done.stderr
    assert perf.done.returncode in JUDGED
    assert "Traceback" not in perf.done.stdout + perf.done.stderr
    assert f"(exit code {verdict['exit_code']})" in perf.done.stdout
    assert perf.report.stat().st_size > 10_000
    assert {path.name for path in perf.folder.iterdir()} >= {"run.json", "report.html", "junit.xml", "summary.md"}
    assert perf.document["run"]["profile"]["name"] == "light"
    assert (perf.document["run"]["users"], perf.document["run"]["spawn_rate"]) == (10, 10)


def test_the_service_answers_every_kind_of_user_without_a_failure(perf: Perf) -> None:
    assert perf.document["totals"]["overall"]["failures"] == 0, perf.document["errors"]
    assert not perf.document["exceptions"]
    assert set(perf.document["totals"]["groups"]) == {"health", "auth", "tasks"}


def test_the_stack_is_removed_and_its_logs_remain(perf: Perf) -> None:
    target = perf.document["target"]
    assert target["ended"] is None
    assert perf.document["run"]["host"] == target["url"]
    port = int(target["url"].rpartition(":")[2])
    wait_until(lambda: port not in {at.laddr.port for at in psutil.net_connections("tcp") if at.status == "LISTEN"})
    assert {path.name for path in (perf.folder / "logs").iterdir()} >= {"api.log", "worker.log"}


def test_the_slowest_requests_are_in_the_log_of_the_service(perf: Perf) -> None:
    """By trace and by request id."""
    slowest = perf.document["slowest"]
    assert len(slowest) == 10
    latencies_ms = [request["latency_ms"] for request in slowest]
    assert latencies_ms == sorted(latencies_ms, reverse=True)
    assert latencies_ms[0] == perf.document["totals"]["overall"]["success_ms"]["max"]
    lines = (perf.folder / "logs" / "api.log").read_text().splitlines()
    log = {
        entry["trace_id"]: entry for line in lines if line.startswith("{") and "trace_id" in (entry := json.loads(line))
    }
    # The service does not log successful probes.
    logged = [request for request in slowest if request["name"] != "Health - Ping"]
    assert logged
    for request in logged:
        line = log[request["trace_id"]]
        assert line["request_id"] == request["request_id"]
        assert line["duration_ms"] > 0
    for error in perf.document["errors"]:
        assert error["examples"]
