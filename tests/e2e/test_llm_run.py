"""Test the profile `llm` against the whole stack: complete streams, answered tasks and their measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_llm_suite_against_stubs import MEASURES, rows
from tests.e2e.test_suite_against_stubs import JUDGED, locust, rule, run_document
from tests.support.stack import Stack

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("stack")]


def test_the_profile_runs_against_the_stack_without_a_failure(stack: Stack, tmp_path: Path) -> None:
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
