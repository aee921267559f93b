"""Test the LLM users against a stub: their measurements, their failures, and the targets that they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_suite_against_stubs import ERROR, FAIL, JUDGED, locust, rule, run_document
from tests.support.stub_llm import FIRST_MS, GAP_MS, LATE_MS, TOKENS
from tests.support.stub_service import stub_service

SHORT = ("-u", "10", "-r", "20", "-t", "5s")
MEASURES = {
    f"LLM - {name}": group
    for name, group in {
        "TTFT": "llm_ttft",
        "TPOT": "llm_tpot",
        "ITL": "llm_itl",
        "E2E": "llm_e2e",
        "TTFT Overhead": "llm_ttft_overhead",
        "ITL Overhead": "llm_itl_overhead",
        "Task Completion": "llm_task_completion",
    }.items()
}


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in document["totals"]["requests"]}


def test_streams_and_tasks_are_measured_by_their_definitions(tmp_path: Path) -> None:
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, *SHORT, LOAD_PROFILE="llm")
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert document["totals"]["overall"]["failures"] == 0, document["errors"]
    assert not document["exceptions"]
    found = rows(document)
    assert {name: found[name]["group"] for name in MEASURES} == MEASURES
    assert {found[name]["kind"] for name in MEASURES} == {"measure"}
    streams = found["LLM - Explain Stream"]["requests"] + found["LLM - Conversation Stream"]["requests"]
    assert found["LLM - Conversation Stream"]["requests"] > 0
    assert found["LLM - Task Completion"]["requests"] > 0
    for name in ("TTFT", "TPOT", "E2E", "TTFT Overhead"):
        assert found[f"LLM - {name}"]["requests"] == streams
    for name in ("ITL", "ITL Overhead"):
        assert found[f"LLM - {name}"]["requests"] == streams * (TOKENS - 1)
    assert found["LLM - TTFT"]["success_ms"]["min"] >= FIRST_MS
    assert found["LLM - E2E"]["success_ms"]["min"] >= FIRST_MS + (TOKENS - 1) * GAP_MS
    assert found["LLM - TPOT"]["success_ms"]["mean"] == pytest.approx(GAP_MS, rel=0.5)
    assert found["LLM - TTFT Overhead"]["success_ms"]["max"] <= found["LLM - TTFT"]["success_ms"]["max"] - FIRST_MS
    assert set(document["totals"]["groups"]) >= {"auth", "llm_streams", "llm_tasks", *MEASURES.values()}
    requests = sum(row["requests"] for row in found.values() if row["kind"] == "request")
    assert document["totals"]["overall"]["requests"] == requests


@pytest.mark.full
def test_a_service_that_delays_tokens_fails_both_limits_and_has_no_goodput(tmp_path: Path) -> None:
    with stub_service(tmp_path, "--llm", "late") as url:
        done = locust(tmp_path, "--host", url, *SHORT, "-t", "12s", LOAD_PROFILE="llm")
    assert done.returncode == FAIL, done.stdout + done.stderr
    document = run_document(tmp_path)
    for scope in ("llm_ttft_overhead", "llm_itl_overhead"):
        judged = rule(document, scope)
        assert judged["outcome"] == "fail" or "the load generator's own lag" in judged["reason"]
        assert judged["value"] >= 0.9 * LATE_MS
    assert "LLM - Goodput" not in rows(document)
    assert document["totals"]["overall"]["failures"] == 0


@pytest.mark.full
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("miscounting", "the usage differs from the number of tokens"),
        ("endless", "the stream had no end event, or no usage"),
    ],
)
def test_an_invalid_stream_is_a_failure_and_is_not_measured(tmp_path: Path, fault: str, error: str) -> None:
    with stub_service(tmp_path, "--llm", fault) as url:
        done = locust(tmp_path, "--host", url, "-u", "5", "-r", "20", "-t", "5s", LOAD_PROFILE="llm")
    assert done.returncode == FAIL, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert rule(document, "overall")["outcome"] == "fail"
    assert {item["text"] for item in document["errors"]} == {error}
    assert "LLM - TTFT" not in rows(document)


@pytest.mark.full
def test_each_user_stops_at_its_first_answer_that_is_not_simulated(tmp_path: Path) -> None:
    with stub_service(tmp_path, "--llm", "undeclared") as url:
        done = locust(tmp_path, "--host", url, *SHORT, LOAD_PROFILE="llm")
    assert done.returncode == FAIL, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert {item["text"] for item in document["errors"]} == {"a live model answered, which can cost money"}
    found = rows(document)
    streams = found["LLM - Explain Stream"]["requests"] + found["LLM - Conversation Stream"]["requests"]
    assert streams + found["LLM - Task Result"]["failures"] == 10
    assert "LLM - Task Completion" not in found


@pytest.mark.parametrize(
    "arguments", [(), pytest.param(("LLMTaskUser",), marks=pytest.mark.full)], ids=["profile", "class"]
)
def test_a_target_that_could_spend_money_is_refused_in_one_line_before_any_request(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    profile = "light" if arguments else "llm"
    with stub_service(tmp_path, "--llm", "live") as url:
        done = locust(tmp_path, "--host", url, *SHORT, *arguments, LOAD_PROFILE=profile)
    assert done.returncode == ERROR
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("loadgate:")]
    assert f"LLM: {url}/api/v1/llm/health has live_calls_possible = true, expected false" in line
    assert not (tmp_path / "reports").exists()
