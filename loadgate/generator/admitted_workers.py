"""The workers that a master lets take part in its runs, and the end of a master whose workers cannot run its test."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import gevent
from locust import FastHttpUser, HttpUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

from loadgate.checks import is_http
from loadgate.exit_codes import ExitCode
from loadgate.generator.admission import POLL_S, Admission, Needs
from loadgate.generator.identity import own_identity
from loadgate.generator.plan import classes_with_users, hosts_under_test, most_users
from loadgate.generator.process import Process

FLUSH_S = 0.5
"""Time for the last messages to leave, as in Locust's own `quit`."""


class AdmittedWorkers:
    """The admission of workers to the runs of one master process.

    In headless mode, a worker that cannot take part ends the process before the load, because the run would not have
    the workers for which it was planned. In the web UI, and during a run, the worker is only refused.
    """

    def __init__(self, process: Process, runner: MasterRunner) -> None:
        self._process = process
        self._runner = runner
        self._is_loading = False
        self._has_begun = False
        self._is_ending = False
        identity = own_identity(process.suite, process.choice, process.environment)
        identity = identity.model_copy(
            update={"options": identity.options | {"--load-profile": process.choice.profile.name}}
        )
        self._admission = Admission(
            runner, identity, self._needs, self._is_running, self._on_admitted, self._on_refused
        )
        process.dispatchers.admits = self._admission.admits

    def pid_of(self, client_id: str) -> int | None:
        """Return the process id of a worker on its host. None if it has not introduced itself."""
        return self._admission.pid_of(client_id)

    def problems(self) -> list[str]:
        """Let the workers check the target before a run. Return one line for each problem."""
        found = self._admission.problems()
        if self._is_ending:
            # End the greenlet in which Locust would spawn the users.
            raise gevent.GreenletExit
        self._is_loading = self._has_begun = not found
        return found

    def end_run(self) -> None:
        """Note that the run has ended. Workers that connect before the next run are checked when it starts."""
        self._is_loading = False

    def end(self, lines: Sequence[str], code: ExitCode) -> None:
        """Print the lines, and end the workers and this process."""
        if not self._is_ending:
            self._is_ending = True
            gevent.spawn(self._end, lines, code)

    def _end(self, lines: Sequence[str], code: ExitCode) -> None:
        for line in lines:
            print(f"loadgate: {line}", file=sys.stderr, flush=True)
        self._runner.send_message("quit")
        gevent.sleep(FLUSH_S)
        # Gevent raises it in the main greenlet, which may still be waiting for workers.
        sys.exit(code)

    def _needs(self) -> Needs:
        choice, environment = self._process.choice, self._process.environment
        user_classes = classes_with_users(choice, environment)
        uses_connections = any(issubclass(user, HttpUser | FastHttpUser) for user in user_classes)
        return Needs(
            profile=choice.profile.name,
            user_classes=[user.__name__ for user in user_classes],
            hosts=[host for host in hosts_under_test(environment, user_classes) if is_http(host)],
            users=max(self._runner.target_user_count, most_users(choice, environment)) if uses_connections else 0,
        )

    def _is_running(self) -> bool:
        return self._is_loading

    def _on_admitted(self, client_id: str) -> None:
        worker = self._runner.clients.get(client_id)
        if worker is None:
            return
        self._process.dispatchers.add_worker(worker)
        gevent.spawn(self._distribute_users)

    def _distribute_users(self) -> None:
        """Give users to a worker that was admitted during the run. Without such a worker, nothing changes."""
        while self._runner.state == STATE_SPAWNING:
            gevent.sleep(POLL_S)
        if self._runner.state == STATE_RUNNING:
            self._runner.start(self._runner.target_user_count, self._runner.spawn_rate)

    def _on_refused(self, sentence: str) -> None:
        print(f"loadgate: {sentence}", file=sys.stderr, flush=True)
        if self._process.options.headless and not self._has_begun:
            self.end(["no load was generated, because a worker cannot run this test"], ExitCode.USAGE)
