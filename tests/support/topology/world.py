"""A deployment on hosts of its own, with the files and the commands of `deploy/`: see `tests/support/hosts.py`."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from inference_core.app.stack.redis_server import find_redis_server
from tests.support.deploy_tools import DEPLOY
from tests.support.deployment import SECRETS, compose
from tests.support.hosts import Hosts
from tests.support.processes import redis_server, wait_until
from tests.support.servers import sentinels
from tests.support.servers.databases import run_on_server
from tests.support.servers.postgresql import postgresql_server, unprivileged
from tests.support.servers.proxies import installed, running_proxy
from tests.support.service import CHEAP, PREFIX, START_S, UNLIMITED
from tests.support.stack import BIN

CLIENT, PROXY, POSTGRES, PGBOUNCER = "client", "proxy", "postgres", "pgbouncer"
APIS = ("api-1", "api-2")
WORKERS = ("worker-1", "worker-2")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
MASTER, REPLICA = "redis-1", "redis-2"
HOSTS = (CLIENT, PROXY, *APIS, *WORKERS, POSTGRES, PGBOUNCER, *SENTINELS, MASTER, REPLICA)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a host of its own
API_PORT, SENTINEL_PORT, REDIS_PORT = 8000, 26379, 6379
EXITS_WITHIN_S = 30.0


@dataclass(slots=True)
class World:
    """The running deployment, and the processes of the service by their hosts."""

    hosts: Hosts
    folder: Path
    stack: ExitStack
    env: dict[str, str] = field(default_factory=dict)
    service: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The URL of the proxy."""
        return f"http://{self.hosts.addresses[PROXY]}"

    def get(self, path: str) -> dict[str, Any]:
        """Return the body of a successful response through the proxy, or nothing."""
        response = self.hosts.run_on(CLIENT, lambda: _get(f"{self.url}{PREFIX}{path}"))
        return dict(response.json()) if response.is_success else {}

    def active_workers(self) -> int | None:
        return self.get("/tasks/health").get("active_workers")

    def is_busy(self, worker: str) -> bool:
        """Whether a worker runs a task."""
        active = self.get("/tasks/active").get("active", {})
        return any(tasks for name, tasks in active.items() if name.startswith(f"{worker}@"))

    def start_api(self, host: str) -> None:
        """Start the API of a host, and wait until it is ready."""
        self._start(host, "serve", "--host", EVERYWHERE, "--port", str(API_PORT))
        url = f"http://{self.hosts.addresses[host]}:{API_PORT}{PREFIX}/health/ready"

        def is_ready() -> bool:
            try:
                return _get(url).status_code == 200
            except httpx2.TransportError:
                return False

        self.hosts.run_on(CLIENT, lambda: wait_until(is_ready, within_s=START_S, every_s=0.2, what=f"{host} ready"))

    def start_worker(self, host: str) -> None:
        """Start the worker of a host."""
        self._start(host, "worker", "--name", host, "--concurrency", "2")

    def replace_api(self, host: str) -> None:
        """Stop the API of a host as a supervisor does, and start it again."""
        process = self.service[host]
        process.send_signal(signal.SIGTERM)
        assert process.wait(EXITS_WITHIN_S) == 0, self.logs()
        self.start_api(host)

    def kill(self, host: str) -> None:
        """Kill all processes of a host."""
        self.hosts.kill(host)
        if host in self.service:
            self.service[host].wait()

    def logs(self) -> str:
        """Return the ends of the logs."""
        return "".join(f"== {path.name}\n{path.read_text()[-3000:]}\n" for path in sorted(self.folder.glob("*.log")))

    def _start(self, host: str, *arguments: str) -> None:
        log = self.folder / f"{host}-{len(self.hosts.started)}.log"
        command = [str(BIN / "inference-core"), *arguments]
        self.service[host] = self.hosts.start(host, command, self.folder, self.env, log)


def _get(url: str) -> httpx2.Response:
    # To load the certificates of authorities would take longer than the request.
    return httpx2.get(url, trust_env=False, verify=False)


@contextmanager
def running_world() -> Iterator[World]:
    """A deployment that is ready."""
    with Hosts(*HOSTS) as hosts, TemporaryDirectory(prefix="topology-") as name, ExitStack() as stack:
        world = World(hosts, Path(name), stack)
        _start_redis(world)
        world.env = _settings(world, _database_url(world))
        _start_proxy(world)
        log = world.folder / "migrate.log"
        migrate = hosts.start(APIS[0], [str(BIN / "inference-core"), "migrate"], world.folder, world.env, log)
        assert migrate.wait(START_S) == 0, log.read_text()
        for worker in WORKERS:
            world.start_worker(worker)
        for api in APIS:
            world.start_api(api)
        wait_until(lambda: world.active_workers() == len(WORKERS), within_s=START_S, every_s=0.2, what="workers")
        yield world


def _settings(world: World, database_url: str) -> dict[str, str]:
    """Return the environment of the Compose file, with the servers of this world, and with tasks that cost nothing."""
    shipped = compose()["services"]["api-1"]["environment"]
    sentinel_hosts = (f"{world.hosts.addresses[host]}:{SENTINEL_PORT}" for host in SENTINELS)
    return {
        **shipped,
        **CHEAP,
        **UNLIMITED,
        "PATH": f"{BIN}:/usr/bin:/bin",
        "ENVIRONMENT": "production",
        "DATABASE_URL": database_url,
        "REDIS_URL": sentinels.sentinel_url(*sentinel_hosts),
        "TRUSTED_PROXIES": world.hosts.addresses[PROXY],
        "MAIL_TRANSPORT": "outbox",
        "MAIL_OUTBOX_DIR": str(world.folder / "outbox"),
        "MONITORING_ACCESS": "public",
        "LLM_SIMULATE_IN_PRODUCTION": "true",
        # A task of a killed worker runs again after 25 s.
        "CELERY_TASK_TIME_LIMIT_S": "20",
        "CELERY_VISIBILITY_TIMEOUT_S": "25",
    }


def _start_redis(world: World) -> None:
    address = world.hosts.addresses[MASTER]
    follow = {MASTER: (), REPLICA: ("--replicaof", f"{address} {REDIS_PORT}")}
    for host, options in follow.items():
        arguments = (*sentinels.SERVER_OPTIONS, "--bind", EVERYWHERE, *options)
        server = redis_server(world.folder / host, REDIS_PORT, *arguments)
        world.hosts.run_on(host, lambda server=server: world.stack.enter_context(server))
    for host in SENTINELS:
        folder = world.folder / host
        folder.mkdir()
        config = folder / "sentinel.conf"
        config.write_text(sentinels.sentinel_config(folder, SENTINEL_PORT, REDIS_PORT, EVERYWHERE, address))
        _run(world, host, [find_redis_server(), config, "--sentinel"], SENTINEL_PORT)
    wait_until(
        lambda: all(world.hosts.run_on(host, _sees_all) for host in SENTINELS),
        within_s=sentinels.FAILOVER_S,
        every_s=0.2,
        what="the Sentinels know each other",
    )


def _sees_all() -> bool:
    try:
        with Redis(port=SENTINEL_PORT, password=sentinels.SENTINEL_PASSWORD, decode_responses=True) as sentinel:
            return sentinels.is_whole(sentinels.state_in(sentinel))
    except RedisError:
        return False


def _database_url(world: World) -> str:
    """Start PostgreSQL, and PgBouncer with the shipped configuration. Return the shipped URL with its address."""
    hosts, password = world.hosts, SECRETS["POSTGRES_PASSWORD"]
    server = hosts.run_on(POSTGRES, lambda: world.stack.enter_context(postgresql_server(EVERYWHERE)))
    for statement in ("CREATE ROLE service LOGIN", "CREATE DATABASE service OWNER service"):
        hosts.run_on(POSTGRES, lambda statement=statement: run_on_server(server, statement))
    folder = Path(world.stack.enter_context(TemporaryDirectory(prefix="pgbouncer-")))
    account = unprivileged(folder)
    users = folder / "userlist.txt"
    users.write_text(f'"service" "{password}"\n')
    text = (DEPLOY / "pgbouncer.ini").read_text()
    for shipped, ours in (
        ("host=postgres port=5432", f"host={hosts.addresses[POSTGRES]} port={make_url(server).port}"),
        ("/tmp/userlist.txt", str(users)),  # noqa: S108
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, ours)
    (folder / "pgbouncer.ini").write_text(text)
    _run(world, PGBOUNCER, [installed("pgbouncer"), folder / "pgbouncer.ini"], 6432, **account)
    return f"postgresql://service:{password}@{hosts.addresses[PGBOUNCER]}:6432/service"


def _start_proxy(world: World) -> None:
    """Start HAProxy with the shipped configuration and a server for each API, as the page for systemd does."""
    names = zip(("one", "two"), APIS, strict=True)
    servers = "\n".join(f"    server {name} {world.hosts.addresses[host]}:{API_PORT}" for name, host in names)
    text, count = re.subn(r"^    server-template .*", servers, (DEPLOY / "haproxy.cfg").read_text(), flags=re.MULTILINE)
    assert count == 1
    config = world.folder / "haproxy.cfg"
    config.write_text(text)
    _run(world, PROXY, [installed("haproxy"), "-db", "-f", config], 80)


def _run(world: World, host: str, command: list[str | Path], port: int, **options: Any) -> None:
    """Run a server on a host until the end."""
    log = world.stack.enter_context((world.folder / f"{host}.log").open("wb"))
    server = running_proxy(command, port, stdout=log, stderr=log, **options)
    world.hosts.run_on(host, lambda: world.stack.enter_context(server))
