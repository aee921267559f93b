"""What BaseUser's client leaves out or times anew: seen from a server, in a process of its own for Locust's patches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("timed_requests_program.py")


def seen(scenario: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, PROGRAM, scenario], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_work_of_the_client_before_and_after_a_request_is_not_its_latency() -> None:
    result = seen("slow-client")
    assert result["outside_ms"] >= 600
    assert result["latencies_ms"][0] < 300


def test_a_redirect_counts_from_the_first_request_to_the_last_answer() -> None:
    (latency_ms,) = seen("redirect")["latencies_ms"]
    assert latency_ms >= 2 * 50


def test_a_refused_connection_is_a_failure_with_a_time() -> None:
    result = seen("refused")
    assert result["errors"] == ["ConnectionRefusedError"]
    assert result["latencies_ms"][0] >= 0


def test_concurrent_requests_of_one_user_have_their_own_times() -> None:
    latencies_ms = sorted(seen("concurrent")["latencies_ms"])
    assert latencies_ms[0] < 400 <= latencies_ms[1]


def test_cookies_are_kept_and_sent_once_there_are_some() -> None:
    assert seen("cookies")["cookies"] == ["", "session=1", "session=1"]


def test_query_parameters_are_sent_and_do_not_stick_to_the_url() -> None:
    assert seen("parameters")["paths"] == ["/plain", "/plain?page=2", "/plain?page=3", "/plain"]


def test_each_request_has_its_own_head() -> None:
    texts = ["text/a", "text/b", "text/a", "text/a", "text/a", "text/c"]
    methods = ["GET", "GET", "GET", "POST", "POST", "GET"]
    assert seen("headers")["accepts"] == [list(pair) for pair in zip(methods, texts, strict=True)]


def test_a_listener_that_waits_is_called_outside_the_event_loop() -> None:
    result = seen("waiting-listener")
    assert result["waited"] == 1
    assert len(result["latencies_ms"]) == 1
