"""The profile `llm` against the whole stack: streams keep their promises, tasks are answered, all is measured."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_llm_suite_against_stubs import MEASURES, rows
from tests.e2e.test_suite_against_stubs import JUDGED, locust, rule, run_document
from tests.support.stack import clean_environment, running_stack

SETTINGS = {"ALLOW_LIVE_LLM": "0", "LLM_PROVIDER_MODE": "simulated", "LLM_API_ACCESS_MODE": "public"}


def test_the_profile_runs_against_the_stack_without_a_failure(tmp_path: Path) -> None:
    stack_folder = tmp_path / "stack"
    with running_stack(stack_folder, "--port", "0", "--ephemeral", env=clean_environment(**SETTINGS)) as stack:
        done = locust(tmp_path, "--host", stack.url, "-u", "10", "-r", "10", "-t", "12s", LOAD_PROFILE="llm")
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert document["totals"]["overall"]["failures"] == 0, document["errors"]
    assert not document["exceptions"]
    found = rows(document)
    assert set(found) >= {
        *MEASURES,
        *(f"LLM - {name}" for name in ("Explain Stream", "Conversation Stream", "Submit Explain", "Task Result")),
    }
    for scope in ("llm_ttft_overhead", "llm_itl_overhead"):
        assert rule(document, scope)["value"] is not None
