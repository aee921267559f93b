"""Several hosts on one machine: network namespaces that a switch connects, with host names of their own.

Nothing of it touches the network of the machine itself: the switch is a namespace too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail

NAMES = Path("/etc/netns")
"""Where `ip netns exec` finds the files that take the place of those in /etc."""
NAMESPACES = Path("/run/netns")

T = TypeVar("T")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _kill_all(namespace: str) -> None:
    for pid in _ip("netns", "pids", namespace).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


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
            _kill_all(name)
        for process in self.started:
            process.wait(30)
        for name in mine:
            _ip("netns", "del", name)
            shutil.rmtree(NAMES / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            NAMES.rmdir()  # succeeds only if no other namespace has files there

    def kill(self, host: str) -> None:
        """Kill all processes on a host."""
        _kill_all(f"{self.token}-{host}")

    def cut_off(self, host: str) -> None:
        """Disconnect a host: nothing that it sends arrives, and nothing reaches it."""
        self._set_port(host, "down")

    def connect(self, host: str) -> None:
        """Connect a host again."""
        self._set_port(host, "up")

    def enter(self, host: str) -> None:
        """Move the current thread to a host: its connections, and the programs that it starts. It knows no names."""
        with (NAMESPACES / f"{self.token}-{host}").open() as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter the host {host}")

    def run_on(self, host: str, function: Callable[[], T]) -> T:
        """Call a function in a thread on a host."""
        with ThreadPoolExecutor(1, initializer=self.enter, initargs=(host,)) as thread:
            return thread.submit(function).result()

    @staticmethod
    def namespaces() -> list[str]:
        """Return the names of all namespaces of this machine."""
        return [line.split()[0] for line in _ip("netns", "list").splitlines()]

    def _set_port(self, host: str, state: str) -> None:
        number = list(self.addresses).index(host) + 1
        _ip("-n", self._switch, "link", "set", "dev", f"port{number}", state)

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
