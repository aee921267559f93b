"""Profiles that each load the service with one kind of request, to find how much of it a process can do.

    loadgate capacity auth-heavy -f benchmarks/service_capacity/locustfile.py --from 20/s
    loadgate capacity me -f benchmarks/service_capacity/locustfile.py --from 50/s
    loadgate capacity logins -f benchmarks/service_capacity/locustfile.py --from 5/s

An arrival is one task of a user. A task of `auth-heavy` sends 1 to 3 requests, and more after requests that failed;
those of the others send 1. The users of `me` and `logins` share one account, so that no registrations disturb the start
of a trial.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "performance"))

from gevent.lock import BoundedSemaphore
from locust import task

import loadgate
from loadgate import LoadProfile
from users import AuthUserFlow
from users.account import AccountUser

_signing_up = BoundedSemaphore()
_shared: list["Member"] = []


class Member(AccountUser):
    """A user of the account that the first one has registered."""

    abstract = True
    group = "auth"

    def on_start(self) -> None:
        """Take the account and the access token of the first user. Register and log in, if no user has done so."""
        with _signing_up:
            if not _shared:
                super().on_start()
                if self.access_token is not None:
                    _shared.append(self)
        for first in _shared:
            self.account, self.is_registered = first.account, True
            self.access_token, self.access_expires_at = first.access_token, first.access_expires_at


class ProfileReader(Member):
    """Reads the profile of the account."""

    @task
    def read_profile(self) -> None:
        with self.authorized("GET", "/auth/me", "Auth - Get Profile") as response:
            response.expect(200, {"email": self.account.email})


class Visitor(Member):
    """Logs in again and again."""

    @task
    def enter(self) -> None:
        self.log_in()


loadgate.install(
    profiles={
        "auth-heavy": LoadProfile(
            "auth-heavy", users=40, spawn_rate=40, run_time="1m", weight_config={"AuthUserFlow": 1}
        ),
        "me": LoadProfile("me", users=200, spawn_rate=200, run_time="1m", weight_config={"ProfileReader": 1}),
        "logins": LoadProfile("logins", users=60, spawn_rate=60, run_time="1m", weight_config={"Visitor": 1}),
    },
    user_classes=[AuthUserFlow, ProfileReader, Visitor],
    rules=["auth: p95 < 500ms", "overall: failures < 1%"],
)
