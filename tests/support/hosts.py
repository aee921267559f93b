"""Several hosts on one machine: network namespaces that a switch connects, with host names of their own.

Nothing of it touches the network of the machine itself: the switch is a namespace too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail

NAMES = Path("/etc/netns")
"""Where `ip netns exec` finds the files that take the place of those in /etc."""


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Hosts:
    """Hosts with addresses 10.9.0.1, 10.9.0.2 and so on in the order of their names. `known` adds names for them."""

    def __init__(self, *hosts: str, known: Mapping[str, str] | None = None) -> None:
        self.token = f"lg{secrets.token_hex(3)}"
        self._switch = f"{self.token}-switch"
        self.addresses = {host: f"10.9.0.{number}" for number, host in enumerate(hosts, 1)}
        self._names = {**{host: host for host in hosts}, **(known or {})}
        self.started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        if shutil.which("ip") is None:
            skip_or_fail(ServerUnavailableError("iproute2 is not installed; on Debian: apt-get install iproute2"))
        if os.geteuid() != 0:
            skip_or_fail(ServerUnavailableError("network namespaces need root"))
        try:
            _ip("netns", "add", self._switch)
        except OSError as error:
            skip_or_fail(ServerUnavailableError(f"network namespaces cannot be created: {error}"))
        with contextlib.ExitStack() as stack:
            stack.callback(self.__exit__)
            self._connect()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what still runs on the hosts, and remove them."""
        mine = [name for name in self.namespaces() if name.startswith(f"{self.token}-")]
        for name in mine:
            for pid in _ip("netns", "pids", name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for process in self.started:
            process.wait(30)
        for name in mine:
            _ip("netns", "del", name)
            shutil.rmtree(NAMES / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            NAMES.rmdir()  # succeeds only if no other namespace has files there

    @staticmethod
    def namespaces() -> list[str]:
        """Return the names of all namespaces of this machine."""
        return [line.split()[0] for line in _ip("netns", "list").splitlines()]

    def _connect(self) -> None:
        switch = self._switch
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "dev", "br0", "up")
        lines = [f"{self.addresses[host]} {name}\n" for name, host in self._names.items()]
        for number, (host, address) in enumerate(self.addresses.items(), 1):
            namespace = f"{self.token}-{host}"
            _ip("netns", "add", namespace)
            _ip(
                "-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}", "netns", switch
            )
            _ip("-n", switch, "link", "set", "dev", f"port{number}", "master", "br0", "up")
            _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", namespace, "link", "set", "dev", device, "up")
            (NAMES / namespace).mkdir(parents=True)
            (NAMES / namespace / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))

    def start(
        self, host: str, command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a command on a host, with no other variables than `env`. Its output is written to `log`."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", f"{self.token}-{host}", *command],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process
