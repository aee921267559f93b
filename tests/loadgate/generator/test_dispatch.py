"""Which workers get users, and when the number of users changes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.support import preloaded

PROGRAM = Path(__file__).with_name("dispatch_program.py")


def test_workers_get_users_only_after_their_admission_and_strangers_change_nothing() -> None:
    done = preloaded.run([sys.executable, str(PROGRAM)], cwd=Path.cwd(), env=os.environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["first, without users", 1, {"one": 0, "two": 0}],
        ["ramp", 2, {"one": 3, "two": 3}],
        ["a stranger connects", 2, {"one": 3, "two": 3}],
        ["the stranger leaves", 2, {"one": 3, "two": 3}],
        ["it is admitted, twice", 3, {"one": 2, "three": 2, "two": 2}],
        ["one is lost", 4, {"three": 3, "two": 3}],
    ]
