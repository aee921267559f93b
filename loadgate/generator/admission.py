"""The admission of workers: a master compares each worker with itself, and lets it check the target before the load.

A worker that would run another test is refused. If a run is in progress, the run continues without it.
`loadgate.generator.joining` is the worker's side.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner
from pydantic import ValidationError

from loadgate import units
from loadgate.generator.joining import CHECK, HELLO
from loadgate.run.identity import Identity, difference, minor_differences

SILENT_S = 20.0
"""A worker that does not introduce itself within this time does not run loadgate."""
CHECK_WAIT_S = 20.0
POLL_S = 0.05
MAX_REFUSALS = 100
"""Number of refusals that are kept and printed."""

WITHOUT_LOADGATE = (
    "it does not run this version of loadgate; start workers with the same locustfile and the same version of loadgate"
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run needs from its workers."""

    profile: str
    user_classes: Sequence[str]
    """The classes that get users."""
    hosts: Sequence[str]
    """The base URLs of the target."""
    users: int
    """The largest number of users with connections, 0 if it is unknown."""


@dataclass(eq=False)
class Admission:
    """The workers of one master by Locust's ids of them."""

    runner: MasterRunner
    identity: Identity
    needs: Callable[[], Needs]
    is_running: Callable[[], bool]
    """Whether a run is in progress, so that a worker is checked before it is admitted."""
    on_admitted: Callable[[str], None]
    """Called with the id of each worker from whose admission on it can get users."""
    on_refused: Callable[[str], None]
    """Called with a sentence on each worker that is refused."""
    refusals: list[str] = field(default_factory=list)
    _identities: dict[str, Identity] = field(default_factory=dict)
    _admitted: set[str] = field(default_factory=set)
    _refused: set[str] = field(default_factory=set)
    _seen_s: dict[str, float] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)
    """The number of the last check of each worker."""
    _problems: dict[str, list[str]] = field(default_factory=dict)
    """The answers to the last checks."""

    def __post_init__(self) -> None:
        """Listen to the workers, and refuse those that stay silent."""
        self.runner.register_message(HELLO, self._on_hello)
        self.runner.register_message(CHECK, self._on_checked)
        gevent.spawn(self._refuse_silent_workers)

    def admits(self, client_id: str) -> bool:
        """Return whether a worker can get users."""
        return client_id in self._admitted

    def pid_of(self, client_id: str) -> int | None:
        """Return the process id of a worker on its host. None if it has not introduced itself."""
        identity = self._identities.get(client_id)
        return identity.pid if identity is not None else None

    def problems(self) -> list[str]:
        """Let all workers check the target, and return one line for each problem. Call it before the load."""
        asked: set[str] = set()
        deadline = math.inf
        while self._silent() or self._unasked(asked) or not self._have_answered(asked):
            if unasked := self._unasked(asked):
                self._check(unasked)
                asked |= set(unasked)
                deadline = time.monotonic() + CHECK_WAIT_S
            if time.monotonic() > deadline and not self._silent():
                break
            gevent.sleep(POLL_S)
        missing = [f"it did not check the target within {units.duration(CHECK_WAIT_S)}; see its log"]
        return [
            f"{self._name(client_id)}: {problem}"
            for client_id in self._present()
            for problem in self._problems.get(client_id, missing)
        ]

    def _unasked(self, asked: set[str]) -> list[str]:
        return [client_id for client_id in self._present() if client_id in self._identities and client_id not in asked]

    def _have_answered(self, asked: set[str]) -> bool:
        return all(client_id in self._problems for client_id in self._present() if client_id in asked)

    def _check(self, workers: Sequence[str]) -> None:
        needs = self.needs()
        users = math.ceil(needs.users / max(1, len(self._present())))
        for client_id in workers:
            number = self._asked[client_id] = self._asked.get(client_id, 0) + 1
            self._problems.pop(client_id, None)
            data = {"number": number, "hosts": list(needs.hosts), "users": users}
            self.runner.send_message(CHECK, data, client_id)

    def _present(self) -> list[str]:
        return [
            client.id
            for client in self.runner.clients.all
            if client.state != STATE_MISSING and client.id not in self._refused
        ]

    def _silent(self) -> list[str]:
        return [client_id for client_id in self._present() if client_id not in self._identities]

    def _refuse_silent_workers(self) -> None:
        while True:
            now_s = time.monotonic()
            silent = self._silent()
            self._seen_s = {client_id: self._seen_s.get(client_id, now_s) for client_id in silent}
            for client_id in [each for each in silent if now_s - self._seen_s[each] > SILENT_S]:
                self._refuse(client_id, WITHOUT_LOADGATE)
            gevent.sleep(1)

    def _on_hello(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        client_id = msg.node_id
        if client_id in self._refused:
            return
        needs = self.needs()
        try:
            identity = Identity.model_validate(msg.data)
        except ValidationError:
            reason = WITHOUT_LOADGATE
        else:
            reason = difference(self.identity, identity, needs.profile, list(needs.user_classes))
        if reason:
            self._refuse(client_id, reason)
            return
        is_new = client_id not in self._identities
        self._identities[client_id] = identity
        self.runner.send_message(HELLO, {"refused": ""}, client_id)
        if not is_new:
            return
        if found := minor_differences(self.identity, identity):
            print(f"loadgate: {self._name(client_id)} has {', '.join(found)}", file=sys.stderr, flush=True)
        if self.is_running():
            self._check([client_id])
        else:
            self._admit(client_id)

    def _on_checked(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        client_id = msg.node_id
        if msg.data["number"] != self._asked.get(client_id):
            return
        problems = [str(problem) for problem in msg.data["problems"]]
        self._problems[client_id] = problems
        if not self.is_running() or self.admits(client_id):
            return
        if problems:
            self._refuse(client_id, problems[0])
        else:
            self._admit(client_id)

    def _admit(self, client_id: str) -> None:
        self._admitted.add(client_id)
        self.on_admitted(client_id)

    def _refuse(self, client_id: str, reason: str) -> None:
        """Tell a worker why it is refused, and let it end."""
        self._refused.add(client_id)
        self._admitted.discard(client_id)
        sentence = f"{self._name(client_id)} was refused: {reason}"
        if len(self.refusals) < MAX_REFUSALS:
            self.refusals.append(sentence)
        self.runner.send_message(HELLO, {"refused": reason}, client_id)
        # Plain Locust knows only this message.
        self.runner.send_message("quit", None, client_id)
        # The run does not wait for it, and does not count it as lost.
        self.runner.clients.pop(client_id, None)
        self.on_refused(sentence)

    def _name(self, client_id: str) -> str:
        """Return the number, the machine and the process of a worker. Locust's ids start with the machine's name."""
        index = self.runner.get_worker_index(client_id)  # type: ignore[no-untyped-call]
        pid = self.pid_of(client_id)
        return f"worker {index} ({client_id.rpartition('_')[0]}{f', pid {pid}' if pid is not None else ''})"
