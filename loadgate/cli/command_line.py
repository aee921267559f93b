"""The `loadgate` command line: its commands, its help, and how errors are printed."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Annotated

import typer

from loadgate.cli import baselines, capacity, cluster, comparing, results, running
from loadgate.cli.options import value_message
from loadgate.cli.output import print_error, say
from loadgate.errors import CommandError, os_error_text
from loadgate.exit_codes import ExitCode
from loadgate.stdio import use_safe_streams

cli = typer.Typer(
    pretty_exceptions_enable=False,
    # Rich would draw boxes that do not use the full width of the terminal.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The backspace keeps Click from joining the lines.
_EXAMPLE_LINES = """\b
Examples:
  loadgate run light
  loadgate run medium --host http://localhost:8000
  loadgate open
  loadgate history"""


def app() -> None:
    """Run the command line. An error is printed on standard error, one line for each problem, without a traceback."""
    use_safe_streams()
    try:
        code = typer.main.get_command(cli).main(standalone_mode=False)
    except typer.TyperException as error:
        code = print_error(_usage_text(error), ExitCode.USAGE)
    except CommandError as error:
        code = print_error(str(error), error.exit_code)
    except OSError as error:
        code = print_error(os_error_text(error), ExitCode.ERROR)
    except (KeyboardInterrupt, typer.Abort):
        code = print_error("interrupted, so there is no result", ExitCode.ERROR)
    sys.exit(code)


def _usage_text(error: typer.TyperException) -> str:
    """Return what is wrong with the command line, and the help that says what is right."""
    message = value_message(error) or error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message or "a command is missing; see loadgate --help"
    return f"{message.removesuffix('.')}; see {context.command_path} --help"


def _show_version(requested: bool) -> None:
    if requested:
        locust, own = metadata.version("locust"), metadata.version("inference-core")
        say(f"loadgate {own} (Locust {locust}, Python {platform.python_version()})")
        raise typer.Exit


@cli.callback(invoke_without_command=True, epilog=_EXAMPLE_LINES)
def main(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run load profiles of a Locust suite, and judge each run by its limits."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(ExitCode.USAGE)


cli.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(running.run_command)
cli.command("capacity")(capacity.capacity_command)
cli.command("ab")(comparing.ab_command)
cli.command("compare", cls=comparing.AgainstCommand)(comparing.compare_command)
cli.command("bisect")(comparing.bisect_command)
cli.add_typer(baselines.cli, name="baseline")
cli.add_typer(cluster.cli, name="k8s")
cli.command("open")(results.open_command)
for command in (running.doctor, running.profiles, results.report, results.history):
    cli.command()(command)
