"""A small load on a deployment: users who log in, read their account, submit a task and read its result, in a loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx2

from tests.support.processes import wait_until
from tests.support.service import PREFIX

USERS = 3
PAUSE_S = 0.25
MOST_REQUESTS = 10_000
# A request that waits longer has failed. The time limits of the service are far shorter.
REQUEST_S = 5.0
# A task of a killed worker runs again after the visibility timeout.
FINISHED_WITHIN_S = 120.0
PASSWORD = "correct horse 7"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `said` is the type and the beginning of the response.

    If the connection ended without a response, `status` is 0, and `said` the error.
    """

    what: str
    method: str
    status: int
    said: str
    start_s: float
    end_s: float

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether something is said to be unavailable: by the service in JSON, or by the proxy in HTML."""
        return self.status == 503


@dataclass(slots=True)
class Step:
    """The requests that ended in a part of the load, and the results of its tasks that did not succeed."""

    name: str
    start_s: float
    outcomes: list[Outcome] = field(default_factory=list)
    unsuccessful: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.is_success and not outcome.is_refusal]

    @property
    def refused(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.is_refusal]

    @property
    def without_login_s(self) -> float:
        """The longest time without a login."""
        logins = [item.end_s for item in self.outcomes if item.what == "login" and item.is_success]
        times = sorted([self.start_s, *logins])
        return max(after - before for before, after in pairwise(times))

    def in_flight(self, since_s: float, until_s: float) -> list[Outcome]:
        """Return the requests that had begun, and not ended, at some time of a period."""
        return [outcome for outcome in self.outcomes if outcome.start_s <= until_s and outcome.end_s >= since_s]


class Load:
    """Users behind one URL. Each waits for a response, and `PAUSE_S`, before the next request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.steps: dict[str, Step] = {}
        self.outcomes: list[Outcome] = []
        # The time at which each task was accepted, and the result of each finished one.
        self.accepted: dict[str, float] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self._stopped = threading.Event()

    @contextmanager
    def running(self, enter: Callable[[], None]) -> Iterator[None]:
        """Run the load while the context lasts. Each of its threads calls `enter` first."""
        with ThreadPoolExecutor(USERS, initializer=enter) as threads:
            users = [threads.submit(self._user) for _ in range(USERS)]
            try:
                yield
            finally:
                self._stopped.set()
            for user in users:
                user.result()

    @contextmanager
    def step(self, name: str, requests: int = 30) -> Iterator[Step]:
        """A part of the load, of `requests` more at least. At its end, each task that was accepted has ended."""
        step = Step(name, time.monotonic())
        first, ended = len(self.outcomes), set(self.results)
        yield step
        self.wait_for(requests)
        accepted = list(self.accepted)
        wait_until(lambda: self.results.keys() >= set(accepted), within_s=FINISHED_WITHIN_S, what=f"tasks: {name}")
        results = [self.results[task] for task in accepted if task not in ended]
        step.unsuccessful = [result for result in results if not result["success"]]
        step.outcomes = self.outcomes[first:]
        self.steps[name] = step

    def wait_for(self, requests: int) -> None:
        """Wait for the end of this number of requests."""
        enough = len(self.outcomes) + requests
        wait_until(lambda: len(self.outcomes) >= enough, within_s=60, what=f"{requests} requests")

    def table(self) -> str:
        """Return what became of the requests of each step."""
        lines = [f"{'step':<28}{'requests':>10}{'failed':>8}{'503':>6}{'without login':>16}"]
        for step in self.steps.values():
            counts = f"{len(step.outcomes):>10}{len(step.failed):>8}{len(step.refused):>6}"
            lines.append(f"{step.name:<28}{counts}{step.without_login_s:>14.1f} s")
        return "\n".join(lines)

    def _user(self) -> None:
        name = f"u{uuid4().hex[:12]}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        with httpx2.Client(base_url=f"{self.url}{PREFIX}", timeout=REQUEST_S, trust_env=False) as client:
            assert client.post("/auth/register", json=account).status_code == 201
            waits_for: list[str] = []
            while not self._stopped.is_set():
                assert len(self.outcomes) < MOST_REQUESTS
                self._turn(client, name, waits_for)

    def _turn(self, client: httpx2.Client, name: str, waits_for: list[str]) -> None:
        self._send(client, "health", "GET", "/health/")
        login = self._send(client, "login", "POST", "/auth/login", json={"username": name, "password": PASSWORD})
        if login is not None:
            client.headers["Authorization"] = f"Bearer {login['access_token']}"
        self._send(client, "account", "GET", "/auth/me")
        submitted = self._send(client, "submit", "POST", "/llm/explain", json={"question": "Why?"})
        if submitted is not None:
            self.accepted[submitted["task_id"]] = time.monotonic()
            waits_for.append(submitted["task_id"])
        for task in list(waits_for):
            result = self._send(client, "result", "GET", f"/tasks/{task}/result")
            if result is not None and "success" in result:
                self.results[task] = result
                waits_for.remove(task)

    def _send(self, client: httpx2.Client, what: str, method: str, path: str, **options: Any) -> dict[str, Any] | None:
        """Send a request. Return the body of a successful response."""
        if self._stopped.wait(PAUSE_S):
            return None
        start_s = time.monotonic()
        body = None
        try:
            response = client.request(method, path, **options)
            status, said = response.status_code, f"{response.headers.get('content-type')} {response.text[:300]}"
            body = response.json() if response.is_success else None
        except httpx2.TransportError as error:
            status, said = 0, repr(error)
        self.outcomes.append(Outcome(what, method, status, said, start_s, time.monotonic()))
        return body
