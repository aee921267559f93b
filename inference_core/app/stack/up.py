"""`inference-core up`: Redis, migrations, one Celery worker and the API on this machine, stopped together.

Servers that the environment or `.env` names (`REDIS_URL`, `DATABASE_URL`, `CELERY_*`) are used unchanged. All others
are embedded: SQLite and a private Redis, with their data in one folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TextIO

from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from inference_core.app.stack.children import Children
from inference_core.app.stack.follow import LogFollower
from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server, redis_command
from inference_core.app.stack.reload import Reloader, Sources, source_folders
from inference_core.app.stack.stop_signals import StopSignals
from inference_core.app.stack.terminal import hang_up_with_terminal
from inference_core.app.stack.worker import worker_command, workers_running
from inference_core.core.current_service import current_service
from inference_core.core.database_url import shown_database_url
from inference_core.core.db.migrations.run import upgrade
from inference_core.core.exceptions import OperatorError
from inference_core.core.log_lines import shows_colours
from inference_core.core.redis.client import sync_client
from inference_core.core.redis_address import RedisAddress
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings, load_settings

SERVE = (sys.executable, "-m", "inference_core", "serve")
# Paths in this folder are moved to the data folder of the stack.
LOCAL = Path(".local")
START_TIMEOUT_S = 60.0
POLL_S = 0.1
# An API process reads the heartbeats of the workers twice a second.
SNAPSHOT_S = 1.0


class StackError(OperatorError):
    """Raised if the stack cannot start or continue. The text is one line, with log lines if they help."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """The options of `inference-core up`.

    Port 0 means any free port. With `data` None, a temporary folder is used. `logs` is the folder of the log files, by
    default one within `data`. With `reload`, changes of Python files restart the API and the worker.
    """

    port: int
    workers: int
    data: Path | None
    logs: Path | None = None
    reload: bool = False


def run_stack(options: StackOptions, announce: Callable[[str], None]) -> None:
    """Run the stack until SIGINT or SIGTERM. Pass the lines for the user, including the URL, to `announce`.

    Raises:
        StackError, SettingsError, MigrationError, NoRedisServerError, ChildDiedError: The stack cannot start or
            continue.
    """
    environment = _settings().environment
    if options.reload and environment != "development":
        raise StackError(f"--reload is for development, and ENVIRONMENT is {environment}; leave it out")
    hang_up_with_terminal()
    port = options.port or free_port()
    if options.port and is_listening(options.port):
        raise StackError(
            f"port {options.port} is in use; stop the program that listens there, or choose another port: --port 8001, "
            "or PORT=8001 with make; 0 selects a free port"
        )
    with (
        StopSignals() as stop_signals,
        _data_folder(options.data) as data,
        Children(options.logs or data / "logs", stop_signals) as children,
    ):
        try:
            url = _start(options, port, data, children, stop_signals)
            settings = _settings()
            is_terminal = sys.stdout.isatty()
            reloader = _reloader(port, children, announce) if options.reload else None
            for line in _greeting(settings, url, children.logs, reloads=options.reload):
                announce(line)
            if not is_terminal:
                announce(url)  # programs wait for this line
            logs = {name: children.logs / f"{name}.log" for name in ("api", "worker")} if is_terminal else {}
            follower = LogFollower(logs, announce, is_coloured=shows_colours(sys.stdout))
            while True:
                if reloader is None:
                    children.check()
                else:
                    reloader.poll()
                follower.poll()
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            announce("stopping")


def _reloader(port: int, children: Children, announce: Callable[[str], None]) -> Reloader:
    return Reloader(children, Sources(source_folders()), announce, lambda: is_listening(port))


def _greeting(settings: Settings, url: str, logs: Path, *, reloads: bool) -> list[str]:
    places = _places(settings, url, logs)
    width = max(map(len, places))
    title = f"{settings.app_title} is ready. Press Ctrl-C to stop."
    if reloads:
        title += " Changes of Python files restart it."
    return [title, "", *(f"  {what:<{width}}  {where}" for what, where in places.items()), ""]


def _places(settings: Settings, url: str, logs: Path) -> dict[str, object]:
    """Return the addresses of the stack for the user, by name."""
    places: dict[str, object] = {"API": url}
    if not settings.is_production:
        places["Documentation"] = f"{url}/docs"
    for _, announced in current_service().load_each("announce"):
        places |= announced(settings, url)
    return places | {
        "Logs": logs,
        "Database": shown_database_url(settings.database_url),
        "Redis": RedisAddress.parse(settings.redis_url).display,
    }


def _settings() -> Settings:
    return load_settings(settings_class(current_service()))


def _start(options: StackOptions, port: int, data: Path, children: Children, stop_signals: StopSignals) -> str:
    """Start the stack and wait until it is ready. Return its URL."""
    env = _embed_what_is_open(_settings(), data, children)
    url = f"http://{LOOPBACK}:{port}"
    if not _is_set(_settings(), "public_url"):
        env["PUBLIC_URL"] = url
    os.environ.update(env)
    with stop_signals.breaking_off():
        upgrade(current_service(), _settings())

    beat = ["--beat", "--schedule", str(data / "celerybeat-schedule")]
    command = worker_command(current_service(), _settings(), concurrency=2, name=f"stack-{port}")
    worker = children.start("worker", [*command, *beat], env)
    api = [*SERVE, "--host", LOOPBACK, "--port", str(port), "--workers", str(options.workers)]
    children.start("api", api, env)

    _wait_for(
        lambda: worker.process.pid in workers_running(_settings()).values(),
        children,
        f"the worker is not ready; see {worker.log}",
    )
    # Afterwards, every API process has a new snapshot of the workers.
    time.sleep(SNAPSHOT_S)
    _wait_for(lambda: _answers(f"{url}/api/v1/health/ready"), children, "the API is not ready; see its log")
    return url


def _embed_what_is_open(settings: Settings, data: Path, children: Children) -> dict[str, str]:
    """Check the given servers and start the embedded ones. Return the environment variables of the processes."""
    env: dict[str, str] = {}
    if _is_set(settings, "redis_url"):
        _require_redis(settings, settings.redis_url, "REDIS_URL")
    else:
        env["REDIS_URL"] = _start_redis(data, children)
    for name in ("celery_broker_url", "celery_result_backend"):
        if _is_set(settings, name):
            _require_redis(settings, getattr(settings, name), name.upper())
    if not _is_set(settings, "database_url"):
        env["DATABASE_URL"] = f"sqlite+aiosqlite:///{data / Path(make_url(settings.database_url).database or '').name}"
    for name, field in type(settings).model_fields.items():
        if isinstance(field.default, Path) and field.default.is_relative_to(LOCAL) and not _is_set(settings, name):
            env[name.upper()] = str(data / field.default.relative_to(LOCAL))
    return env


def _is_set(settings: Settings, name: str) -> bool:
    return name in settings.model_fields_set and bool(getattr(settings, name))


def _require_redis(settings: Settings, url: str, variable: str) -> None:
    try:
        with sync_client(settings, url) as client:
            client.ping()
    except RedisError as error:
        place, reason = RedisAddress.parse(url).display, str(error) or type(error).__name__
        raise StackError(
            f"{variable} names {place}, which does not respond ({reason}); "
            f"start it, or unset {variable} to use the embedded server"
        ) from None


def _start_redis(data: Path, children: Children) -> str:
    folder = data / "redis"
    folder.mkdir(exist_ok=True)
    port = free_port()
    child = children.start("redis", redis_command(find_redis_server(), port=port, data=folder), {})
    _wait_for(lambda: is_listening(port), children, f"Redis does not listen; see {child.log}")
    return f"redis://{LOOPBACK}:{port}/0"


def _answers(url: str) -> bool:
    try:
        # Requests to this machine do not use the proxy of the environment.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(url, timeout=2) as response:
            return bool(response.status == HTTPStatus.OK)
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.NOT_FOUND  # a service without the health feature
    except (urllib.error.URLError, OSError):
        return False


def _wait_for(condition: Callable[[], bool], children: Children, failure: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not condition():
        children.check()
        if time.monotonic() > deadline:
            raise StackError(f"not ready within {START_TIMEOUT_S:.0f} s: {failure}")
        time.sleep(POLL_S)


@contextmanager
def _data_folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is None:
        folder = Path(tempfile.mkdtemp(prefix="inference-core-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    with _open_lock(wanted) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"a stack is already running in {wanted} (process {lock.read().strip() or 'unknown'}); "
                "stop it, or choose another folder with --data"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield wanted.resolve()


def _open_lock(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "stack.lock").open("a+")
    except OSError as error:
        raise StackError(
            f"the data folder {folder} cannot be written: {error.strerror}; choose another with --data"
        ) from None
