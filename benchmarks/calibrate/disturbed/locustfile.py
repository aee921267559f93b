"""The suite of the proof of attribution: the users of the service whose tasks hash no passwords.

A hash is CPU time, and takes longer than the rest of a request. Tasks with hashes would decide the p95 and hide the
injected waits.
"""

from __future__ import annotations

import sys

from benchmarks.calibrate.stubs.started import ROOT
from loadgate import LoadProfile, install

sys.path.insert(0, str(ROOT / "tests/performance"))

# Locust runs each user class that it finds among the names of this file.
from users import account, auth, health


class AccountReader(account.AccountUser):
    """A user that reads and changes its profile and refreshes its tokens, which needs the database and Redis."""

    group = "auth"
    read_profile = auth.AuthUserFlow.read_profile
    update_profile = auth.AuthUserFlow.update_profile
    refresh = auth.AuthUserFlow.refresh


class HealthReader(health.HealthCheckUser):
    """A monitoring system."""


install(
    profiles={
        "causes": LoadProfile(
            "causes",
            users=16,
            spawn_rate=1,
            rate="30/s",
            weight_config={"AccountReader": 2, "HealthReader": 1},
        )
    },
    user_classes=[AccountReader, HealthReader],
    rules=["overall: requests > 0"],
)
