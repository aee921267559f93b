"""The commands that run processes of the service: the embedded stack, the API, workers and beat."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from inference_core.app.stack.ports import LOOPBACK
from inference_core.core.commands import new_commands, one_line_errors, read_settings, say
from inference_core.core.current_service import current_service

commands = new_commands()

WORKER_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@commands.command(name="up")
def up(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 selects a free port.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="API processes.")] = 1,
    data: Annotated[Path, typer.Option(help="Folder of the database, the Redis data and the logs.")] = Path(".local"),
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Use a temporary folder, deleted at the end.")] = False,
    logs: Annotated[Path | None, typer.Option(help="Folder of the logs only; also kept with --ephemeral.")] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="In development, restart the API and the worker if Python files change.")
    ] = False,
) -> None:
    """Run the whole stack until Ctrl-C.

    It is Redis, the migrations, a Celery worker and the API, whose URL is printed when it is ready. Migrations run only
    at the start, so a new one needs a new start or inference-core migrate.
    """
    from inference_core.app.stack.up import StackOptions, run_stack

    with one_line_errors():
        read_settings()
        folder = None if ephemeral else data
        run_stack(StackOptions(port=port, workers=workers, data=folder, logs=logs, reload=reload), say)


@commands.command(name="serve")
def serve(
    host: Annotated[str, typer.Option(envvar="HOST", help="0.0.0.0 is every IPv4 address, :: every one.")] = LOOPBACK,
    port: Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="0 selects a free port.")] = 8000,
    unix_socket: Annotated[Path | None, typer.Option(help="Listen at this Unix socket instead of a port.")] = None,
    workers: Annotated[int, typer.Option(envvar="WEB_CONCURRENCY", min=1, max=64, help="API processes.")] = 1,
    keep_alive: Annotated[
        int, typer.Option(min=1, max=3600, help="Seconds after which idle connections are closed.")
    ] = 5,
) -> None:
    """Run the API alone, for production.

    Redis, the database and the workers run elsewhere. SIGTERM drains: see SHUTDOWN_DRAIN_S and SHUTDOWN_GRACE_S.
    Behind a proxy, set TRUSTED_PROXIES, and --keep-alive to more than its idle timeout.

    \b
    Examples:
      inference-core serve --host 0.0.0.0 --port 8000
      HOST=:: PORT=8080 inference-core serve --workers 2
      TRUSTED_PROXIES=unix inference-core serve --unix-socket /run/api.sock

    \b
    Exit codes:
      0  stopped by a signal
      1  a setting or the address cannot be used
      2  a wrong option
      3  the service refuses to start, for example on an older schema
    """
    from inference_core.app.serve import ServeOptions, serve
    from inference_core.core.service_settings import settings_class
    from inference_core.core.settings import load_settings

    with one_line_errors():
        # The application logs the names in .env that are probably misspelt.
        settings = load_settings(settings_class(current_service()))
        options = ServeOptions(host, port, unix_socket, workers, keep_alive)
        raise typer.Exit(serve(options, settings))


@commands.command(name="worker")
def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Processes that run tasks.")] = 2,
    name: Annotated[str, typer.Option(help="Name of the worker, unique on its machine.")] = "celery",
    queues: Annotated[str, typer.Option(help="Queues, separated by commas. The default is every queue.")] = "",
    beat: Annotated[bool, typer.Option("--beat", help="Run the scheduler too; for exactly one worker.")] = False,
) -> None:
    """Run a Celery worker for the queues of the service."""
    if not WORKER_NAME.fullmatch(name):
        raise typer.BadParameter(f"'{name}' must contain only letters, digits, '.', '_' and '-'", param_hint="--name")
    from inference_core.app.stack.worker import worker_command

    with one_line_errors():
        settings = read_settings()
        chosen = [queue.strip() for queue in queues.split(",") if queue.strip()]
        command = worker_command(current_service(), settings, concurrency, name, chosen)
    if beat:
        command.append("--beat")
    _become(command)


@commands.command(name="beat")
def beat() -> None:
    """Run the scheduler of periodic tasks.

    A deployment needs exactly one: this command, or one worker with --beat.
    """
    from inference_core.app.stack.worker import beat_command

    with one_line_errors():
        command = beat_command(read_settings())
    _become(command)


@commands.command(name="check-worker")
def check_worker(name: Annotated[str, typer.Option(help="Name of the worker.")] = "celery") -> None:
    """Check the heartbeat of a worker on this machine.

    It is for health checks of containers. The exit code is 1 if the worker does not run or hangs, and 0 if Redis does
    not respond.
    """
    from inference_core.app.stack.worker import require_heartbeat

    with one_line_errors():
        require_heartbeat(read_settings(), name)


def _become(command: list[str]) -> None:
    """Replace this process by the command, which also gets its signals."""
    from inference_core.app.stack.inherited import inherited

    os.execve(command[0], command, inherited(os.environ))  # noqa: S606  # a command line of this module
