"""The `inference-core` command: run the embedded stack, a worker, the migrations.

A command imports what it needs when it is called, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inference_core.core.exceptions import OperatorError, ServiceError
from inference_core.llm.simulator.speeds import SPEEDS

if TYPE_CHECKING:
    from inference_core.core.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text, as wide as the terminal.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


WORKER_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


def complain(text: object) -> None:
    """Print the lines of a text on stderr, each under the command's name."""
    for line in str(text).splitlines():
        typer.echo(f"inference-core: {line}", err=True)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors a user can fix into their text on stderr and exit code 1."""
    try:
        yield
    except (OperatorError, ServiceError) as error:
        complain(error)
        raise typer.Exit(1) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read our output has left: Typer ends quietly
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        raise typer.Exit(1) from None


def read_settings() -> Settings:
    """The settings, after a line for every name in `.env` that is probably misspelt.

    Raises:
        SettingsError: if they are not usable.
    """
    from inference_core.core.settings import load_settings, misspelt_settings

    settings = load_settings()
    for line in misspelt_settings():
        complain(line)
    return settings


def ask_password() -> str:
    """Prompt for a password twice. A terminal hides the input; a pipe contains two lines.

    Raises:
        OperatorError: No password was typed.
    """
    hidden = sys.stdin.isatty()  # getpass warns if there is no terminal
    try:
        return str(typer.prompt("Password", hide_input=hidden, confirmation_prompt=True))
    except typer.Abort:
        typer.echo()
        raise OperatorError("no password was given; set SUPERUSER_PASSWORD, or type one") from None


def _show_version(asked: bool) -> None:
    if asked:
        say(f"inference-core {metadata.version('inference-core')} (Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run the embedded stack, a worker, the migrations."""
    from inference_core.core.telemetry.opentelemetry_variables import check_opentelemetry_variables

    with one_line_errors():
        check_opentelemetry_variables()


@app.command()
def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 selects a free port.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="API processes.")] = 1,
    data: Annotated[Path, typer.Option(help="Folder of the database, the Redis data and the logs.")] = Path(".local"),
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Use a temporary folder, deleted at the end.")] = False,
    logs: Annotated[Path | None, typer.Option(help="Folder of the logs only; also kept with --ephemeral.")] = None,
) -> None:
    """Run the whole stack until Ctrl-C.

    It is Redis, the migrations, a Celery worker and the API, whose URL is printed when it is ready.
    """
    from inference_core.app.stack.up import StackOptions, run_stack

    with one_line_errors():
        read_settings()
        run_stack(StackOptions(port=port, workers=workers, data=None if ephemeral else data, logs=logs), say)


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Processes that run tasks.")] = 2,
    name: Annotated[str, typer.Option(help="Name of the worker, unique on its machine.")] = "celery",
    beat: Annotated[bool, typer.Option("--beat", help="Run the scheduler too; for exactly one worker.")] = False,
) -> None:
    """Run a Celery worker for every queue of the service."""
    if not WORKER_NAME.fullmatch(name):
        raise typer.BadParameter(f"'{name}' must contain only letters, digits, '.', '_' and '-'", param_hint="--name")
    from inference_core.app.stack.inherited import inherited
    from inference_core.app.stack.worker import require_free_name, worker_command

    with one_line_errors():
        settings = read_settings()
        require_free_name(settings, name)
    command = worker_command(settings, concurrency, name)
    if beat:
        command.append("--beat")
    os.execve(sys.executable, command, inherited(os.environ))  # noqa: S606  # the worker takes this process's place and its signals


@app.command()
def migrate() -> None:
    """Update the schema of the database in DATABASE_URL."""
    from inference_core.core.db.migrate import upgrade

    with one_line_errors():
        upgrade(read_settings())
    say("the database is up to date")


@app.command(name="create-superuser")
def create_superuser_command(
    username: Annotated[str, typer.Option(prompt=True, help="3 to 50 letters and digits.")],
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[
        str,
        typer.Option(
            envvar="SUPERUSER_PASSWORD",
            help="Prompted for if not given; the environment variable keeps it out of the shell history.",
        ),
    ] = "",
) -> None:
    """Create an account that may do everything.

    It is created in the database that DATABASE_URL names.
    """
    import asyncio

    from inference_core.auth.admin_service import create_superuser
    from inference_core.auth.identifiers import read_username
    from inference_core.core.db.migrate import upgrade

    with one_line_errors():
        settings = read_settings()
        password = password or ask_password()
        upgrade(settings)
        user_id = asyncio.run(create_superuser(settings, username=username, email=email, password=password))
    say(f"superuser {read_username(username)} made, id {user_id}")


@app.command(name="llm-sim")
def llm_sim(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 selects a free port.")] = 8200,
    speed: Annotated[str, typer.Option(help=f"Speed of the model: {', '.join(SPEEDS)}.")] = "fast",
    seed: Annotated[int, typer.Option(help="The same seed and request give the same answer.")] = 0,
    max_num_seqs: Annotated[int, typer.Option(min=1, help="Concurrent requests.")] = 256,
    max_queued: Annotated[int, typer.Option(min=0, help="Waiting requests; further ones get 429.")] = 1024,
    load_factor: Annotated[float, typer.Option(min=0, help="Slowdown with all requests running.")] = 1.0,
    fault_rates: Annotated[str, typer.Option(help="Share of failures, such as rate_limited=0.01,reset=0.005.")] = "",
) -> None:
    """Serve a simulated model under OpenAI's API.

    It runs until Ctrl-C, and prints its base URL when it is ready.
    """
    if speed not in SPEEDS:
        raise typer.BadParameter(f"'{speed}' is not one of {', '.join(SPEEDS)}", param_hint="--speed")
    from inference_core.llm.simulator.engine import SimulatorOptions
    from inference_core.llm.simulator.faults import parse_rates
    from inference_core.llm.simulator.serve import run_simulator

    with one_line_errors():
        options = SimulatorOptions(speed, seed, max_num_seqs, max_queued, load_factor, parse_rates(fault_rates))
        run_simulator(options, host, port, say)
