"""Test that loadgate's client handles unusual responses as Locust's client does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.preloaded import run

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("odd_answers_program.py")
MUTATED = 300


def test_unusual_responses_are_handled_as_by_locusts_own_client() -> None:
    done = run([sys.executable, str(PROGRAM), str(MUTATED)], cwd=Path.cwd(), env=os.environ)
    assert done.returncode == 0, done.stderr
    cases = json.loads(done.stdout)
    assert len(cases) > MUTATED + 100
    assert [case for case in cases if case["locust"] != case["gate"]] == []
    statuses = {case["gate"][0] for case in cases}
    assert {0, 200, 201, 204, 404, 500} <= statuses
