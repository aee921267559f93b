"""The warning, early in a run, about rules that match nothing which was recorded so far."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("conductor_program.py")


def warnings(unseen_s: float) -> list[str]:
    """What the conductor warned of in three rounds of a run; it looks at the rules after `unseen_s`."""
    done = subprocess.run([sys.executable, PROGRAM, str(unseen_s)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_rule_that_matches_nothing_seen_so_far_is_named_once() -> None:
    # Neither a rule for a stage, which may be yet to come, nor one for a group that the run has no users of.
    assert warnings(0) == ["rule 'unseen: p95 < 1000ms': no request of 'unseen' in the first 0 s"]


def test_nothing_is_said_while_the_run_is_young() -> None:
    assert warnings(3600) == []
