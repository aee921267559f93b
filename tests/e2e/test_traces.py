"""The requests that a run names can be found in the service's own log, by their trace and by their request id."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.test_suite_against_stubs import SUITE, command, run_document
from tests.support.processes import wait_until
from tests.support.stack import Stack, clean_environment


def access_log(stack: Stack) -> dict[str, dict[str, Any]]:
    """The lines of the API's log that name a trace, by its id."""
    folder = re.search(r"^logs +(\S+)$", stack.text, re.MULTILINE)
    assert folder, stack.text
    lines = (Path(folder[1]) / "api.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{") and '"trace_id"' in line]
    return {entry["trace_id"]: entry for entry in entries if entry["trace_id"]}


def test_the_slowest_requests_stand_in_the_services_log(stack: Stack, tmp_path: Path) -> None:
    done = subprocess.run(
        command("--host", stack.url, "-u", "5", "-r", "10", "-t", "5s", suite=SUITE),
        cwd=tmp_path,
        env=clean_environment(LOAD_PROFILE="light"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    document = run_document(tmp_path)
    slowest = document["slowest"]
    assert len(slowest) == 10, done.stdout + done.stderr
    latencies_ms = [request["latency_ms"] for request in slowest]
    assert latencies_ms == sorted(latencies_ms, reverse=True)
    assert latencies_ms[0] == document["totals"]["overall"]["success_ms"]["max"]
    # The service does not log probes that went well. Lines are written in blocks.
    logged = [request for request in slowest if request["name"] != "Health - Ping"]
    assert logged
    wait_until(lambda: {request["trace_id"] for request in logged} <= set(access_log(stack)), within_s=30)
    log = access_log(stack)
    for request in logged:
        line = log[request["trace_id"]]
        assert line["request_id"] == request["request_id"]
        assert line["duration_ms"] <= request["latency_ms"] + 1
    for error in document["errors"]:
        assert error["examples"]
