"""Test the end of the ramp and the early warning about rules whose scope has no requests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support import preloaded

PROGRAM = Path(__file__).with_name("run_controller_program.py")


def printed(argument: str) -> str:
    done = preloaded.run([sys.executable, str(PROGRAM), argument], cwd=Path.cwd(), env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def warnings(empty_rules_after_s: float) -> list[str]:
    """Return the warnings of three rounds of a run. Rules are checked after `empty_rules_after_s`."""
    return printed(str(empty_rules_after_s)).splitlines()


def test_a_rule_without_requests_is_named_once() -> None:
    # Rules for a stage, which may start later, and rules for a group without users are not named.
    assert warnings(0) == ["rule 'unseen: p95 < 1000ms': no request in the scope 'unseen' in the first 0 s"]


def test_there_is_no_warning_before_the_delay_has_passed() -> None:
    assert warnings(3600) == []


def test_the_ramp_lasts_until_half_a_second_after_the_start_of_the_last_user() -> None:
    # During this time, users that started together send their first requests in a burst.
    assert float(printed("ramp")) >= 0.49


def test_arrivals_start_although_users_do_not_become_ready() -> None:
    assert printed("arrivals").splitlines() == [
        "the arrivals start now, although users have not ended their on_start within 0.2 s"
    ]
