"""The suite of the proof of attribution: the users of the service whose tasks hash no passwords.

A hash is CPU time, and takes longer than the rest of a request. Tasks with hashes would decide the p95 and hide the
injected waits.
"""

from __future__ import annotations

import sys

from benchmarks.calibrate.stubs.started import ROOT
from loadgate import LoadProfile, install

sys.path.insert(0, str(ROOT / "tests/performance"))

from users.account import AccountUser
from users.auth import AuthUserFlow
from users.health import HealthCheckUser


class AccountReader(AccountUser):
    """A user that reads and changes its profile and refreshes its tokens, which needs the database and Redis."""

    group = "auth"
    read_profile = AuthUserFlow.read_profile
    update_profile = AuthUserFlow.update_profile
    refresh = AuthUserFlow.refresh


install(
    profiles={
        "causes": LoadProfile(
            "causes",
            users=40,
            spawn_rate=4,
            rate="30/s",
            weight_config={"AccountReader": 2, "HealthCheckUser": 1},
        )
    },
    user_classes=[AccountReader, HealthCheckUser],
    rules=["overall: requests > 0"],
)
