"""A Redis master, its replica and three Sentinels that watch them, with passwords, all on the loopback."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server
from tests.support.processes import redis_server, stop, wait_until

NAME = "the-master"
PASSWORD, SENTINEL_PASSWORD = "for servers", "for sentinels"  # of servers that live for one test
LOGIN, SENTINEL_LOGIN = "for%20servers", "for%20sentinels"
# Less would count a server as down that only waits for a busy machine.
DOWN_AFTER_MS = 2000
FAILOVER_S = 60.0
# Without a delay, a replica is complete as soon as it is connected.
SERVER_OPTIONS = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")


def sentinel_config(
    folder: Path, port: int, master_port: int, bind: str = LOOPBACK, master_host: str = LOOPBACK
) -> str:
    """The configuration of one of three Sentinels."""
    return f"""
port {port}
bind {bind}
dir "{folder}"
requirepass "{SENTINEL_PASSWORD}"
sentinel sentinel-pass "{SENTINEL_PASSWORD}"
sentinel monitor {NAME} {master_host} {master_port} 2
sentinel auth-pass {NAME} "{PASSWORD}"
sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}
sentinel failover-timeout {NAME} 10000
"""


def sentinel_url(*hosts: str, name: str = NAME, sentinel_login: str = SENTINEL_LOGIN, login: str = LOGIN) -> str:
    """The URL for `REDIS_URL`, with these Sentinels."""
    return f"sentinel://:{login}@{','.join(hosts)}/{name}?sentinel_password={sentinel_login}"


def state_in(sentinel: Redis) -> dict[str, object]:
    """What a Sentinel knows of the master, and of its replicas."""
    state: dict[str, object] = sentinel.sentinel_master(NAME)
    state["replicas"] = sentinel.sentinel_slaves(NAME)
    return state


@dataclass(slots=True)
class SentinelGroup:
    """The processes by their ports. Tests may stop them, and start them again with `heal`."""

    folder: Path
    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    sentinels: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """The URL for `REDIS_URL`."""
        return self.url_of(*self.sentinels)

    def url_of(self, *ports: int, **parts: str) -> str:
        """The URL with the Sentinels at these ports. `parts` are those of `sentinel_url`."""
        return sentinel_url(*(f"{LOOPBACK}:{port}" for port in ports), **parts)

    def server(self, port: int) -> Redis:
        return Redis(host=LOOPBACK, port=port, password=PASSWORD, decode_responses=True, socket_timeout=5)

    def master_port(self) -> int:
        """The port of the master that the last running Sentinel names."""
        return self._named_by(self._running()[-1])

    def wait_for_copy(self) -> None:
        """Wait until the replica has everything that the master has."""
        with self.server(self.master_port()) as master:
            wait_until(lambda: _is_copied(master), what="the replica has everything")

    def wait_for_other_master(self, old: int) -> None:
        """Wait until all running Sentinels name the same other server, and it is a master."""

        def is_other() -> bool:
            (port, *others) = {self._named_by(sentinel) for sentinel in self._running()}
            if port == old:
                return False
            with self.server(port) as master:
                return not others and master.role()[0] == "master"

        wait_until(is_other, within_s=FAILOVER_S, what="a failover")

    def kill_master(self) -> int:
        """Kill the master; its port."""
        port = self.master_port()
        self.servers[port].kill()
        self.servers[port].wait()
        return port

    def fail_over(self) -> int:
        """Have the Sentinels exchange master and replica; the port of the old master."""
        old = self.master_port()
        with Redis(host=LOOPBACK, port=next(iter(self.sentinels)), password=SENTINEL_PASSWORD) as sentinel:
            wait_until(lambda: _accepts_failover(sentinel), within_s=FAILOVER_S, what="a failover may begin")
        self.wait_for_other_master(old)
        return old

    def heal(self) -> None:
        """Start what was stopped, and wait until a replica follows the master and every Sentinel knows it."""
        for process in (*self.servers.values(), *self.sentinels.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for port, process in list(self.servers.items()):
            if process.poll() is not None:
                self.start_server(port, "--replicaof", f"{LOOPBACK} {self.master_port()}")
        for port, process in list(self.sentinels.items()):
            if process.poll() is not None:
                self.start_sentinel(port)
        wait_until(self.is_whole, within_s=FAILOVER_S, what="the group whole")

    def is_whole(self) -> bool:
        """Whether every Sentinel knows the others, the master and a running replica."""
        try:
            states = [self._state(port) for port in self.sentinels]
            masters = {int(str(state["port"])) for state in states}
            with self.server(masters.pop()) as master:
                return not masters and all(is_whole(state) for state in states) and _is_copied(master)
        except RedisError:
            return False

    def _running(self) -> list[int]:
        return [port for port, process in self.sentinels.items() if process.poll() is None]

    def _named_by(self, sentinel: int) -> int:
        with Redis(host=LOOPBACK, port=sentinel, password=SENTINEL_PASSWORD, decode_responses=True) as client:
            return int(client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def _state(self, sentinel: int) -> dict[str, object]:
        with Redis(host=LOOPBACK, port=sentinel, password=SENTINEL_PASSWORD, decode_responses=True) as client:
            return state_in(client)

    def start_server(self, port: int, *options: str) -> None:
        folder = self.folder / f"server-{port}"
        _, process = self.stack.enter_context(redis_server(folder, port, *SERVER_OPTIONS, *options))
        self.servers[port] = process

    def start_sentinel(self, port: int, master: int | None = None) -> None:
        """Start a Sentinel. One that was started before knows its master."""
        config = self.folder / f"sentinel-{port}.conf"
        if master is not None:
            config.write_text(sentinel_config(self.folder, port, master))
        log = self.stack.enter_context((self.folder / f"sentinel-{port}.log").open("ab"))
        command = [find_redis_server(), config, "--sentinel"]
        self.sentinels[port] = process = subprocess.Popen(command, stdout=log, stderr=log)
        self.stack.callback(stop, process)
        wait_until(lambda: process.poll() is not None or is_listening(port), what="a Sentinel listening")
        assert process.poll() is None, (self.folder / f"sentinel-{port}.log").read_text()


@contextmanager
def sentinel_group(folder: Path) -> Iterator[SentinelGroup]:
    """A running group that is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    group = SentinelGroup(folder)
    with group.stack:
        master, replica = free_port(), free_port()
        group.start_server(master)
        group.start_server(replica, "--replicaof", f"{LOOPBACK} {master}")
        for _ in range(3):
            group.start_sentinel(free_port(), master)
        try:
            wait_until(group.is_whole, within_s=FAILOVER_S, what="the group whole")
            yield group
        finally:
            for process in (*group.servers.values(), *group.sentinels.values()):
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)


def _is_copied(master: Redis) -> bool:
    found = master.info("replication")
    copy = found.get("slave0", {})
    return copy.get("state") == "online" and copy["offset"] == found["master_repl_offset"]


def is_whole(state: dict[str, object]) -> bool:
    """Whether a Sentinel knows the two others, and a running replica."""
    (*_, replica) = state["replicas"] or [{}]
    return (
        state["flags"] == "master"
        and int(str(state["num-other-sentinels"])) == 2
        and replica.get("flags") == "slave"
        and replica.get("master-link-status") == "ok"
    )


def _accepts_failover(sentinel: Redis) -> bool:
    try:
        sentinel.execute_command("SENTINEL FAILOVER", NAME)
    except RedisError:
        return False
    return True
