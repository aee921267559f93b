"""The `loadgate` command line: run a profile, check services, list profiles and past runs, rebuild a report.

Each command imports its modules when it is called, so that help and usage errors appear without delay.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.shape.arrivals import EXAMPLES
from loadgate.stdio import use_safe_streams

_cli = typer.Typer(
    add_completion=False,
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
  loadgate history"""

_Locustfile = Annotated[
    str | None,
    typer.Option("--locustfile", "-f", help="Locustfile, comma-separated list, or folder, instead of the project's."),
]


def app() -> None:
    """Run the command line. An error is printed on standard error, one line for each problem, without a traceback."""
    use_safe_streams()
    try:
        code = typer.main.get_command(_cli).main(standalone_mode=False)
    except typer.TyperException as error:
        code = _print_error(error.format_message() or "a command is missing; see loadgate --help", ExitCode.USAGE)
    except CommandError as error:
        code = _print_error(str(error), error.exit_code)
    except OSError as error:
        code = _print_error(_os_error_text(error), ExitCode.ERROR)
    except (KeyboardInterrupt, typer.Abort):
        code = _print_error("interrupted, so there is no result", ExitCode.ERROR)
    sys.exit(code)


def _show_version(requested: bool) -> None:
    if requested:
        locust, own = metadata.version("locust"), metadata.version("inference-core")
        _say(f"loadgate {own} (Locust {locust}, Python {platform.python_version()})")
        raise typer.Exit


@_cli.callback(invoke_without_command=True, epilog=_EXAMPLE_LINES)
def main(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn a Locust suite into load profiles, a verdict and a report."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(ExitCode.USAGE)


@_cli.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_command(
    context: typer.Context,
    *,
    profile: Annotated[
        str,
        typer.Argument(envvar="LOAD_PROFILE", help="Load profile; without it, the suite's default."),
    ] = "",
    host: Annotated[str | None, typer.Option(help="URL to test; without it, start the managed target.")] = None,
    users: Annotated[
        int | None, typer.Option("--users", "-u", min=1, help="Number of users instead of the profile's.")
    ] = None,
    spawn_rate: Annotated[
        float | None, typer.Option("--spawn-rate", "-r", help="Users to start per second instead of the profile's.")
    ] = None,
    run_time: Annotated[
        str | None, typer.Option("--run-time", "-t", help="Run time instead of the profile's: 30s, 5m, 1h30m.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=-1, help="Generator processes; -1 for one per core.")] = None,
    rate: Annotated[str | None, typer.Option(help=f"Open model: start tasks at this rate, {EXAMPLES}.")] = None,
    locustfile: _Locustfile = None,
) -> int:
    """Run a load profile. The verdict decides the exit code.

    Exit codes: 0 pass, 99 fail, 98 inconclusive, 1 not carried out, 2 usage error. Other options go to Locust.
    """
    from loadgate.project import load_project
    from loadgate.runner.run import RunRequest, run

    given = {
        "--users": users,
        "--spawn-rate": spawn_rate,
        "--run-time": run_time,
        "--processes": processes,
        "--rate": rate,
    }
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    if profile.startswith("-"):
        # Without a profile, the first argument is an option for Locust.
        options, profile = [*options, profile], os.environ.get("LOAD_PROFILE", "")
    request = RunRequest(profile, host, locustfile, [*options, *context.args])
    return run(request, load_project(), _say)


@_cli.command()
def doctor(
    host: Annotated[str | None, typer.Option(help="URL to check; without it, the project's host.")] = None,
) -> int:
    """Check the services that a load test needs.

    If a service is missing, print the command that starts it and exit with code 1.
    """
    from loadgate.checks import diagnose, host_problem
    from loadgate.credentials import without_credentials
    from loadgate.environment import named
    from loadgate.project import load_project

    project = load_project()
    target = host or os.environ.get("TARGET_HOST") or project.host
    if problem := host_problem(target):
        return _print_error(without_credentials(named(problem, target, "TARGET_HOST")), ExitCode.USAGE)
    results = diagnose([check.to_check() for check in project.doctor], target)
    for result in results:
        state = "ok" if result.ok else "MISSING" if result.known else "unknown"
        _say(f"{state:<7}  {result.line()}")
    return ExitCode.PASS if all(result.ok for result in results) else ExitCode.ERROR


@_cli.command()
def profiles(locustfile: _Locustfile = None) -> int:
    """List the load profiles of the suite."""
    from loadgate.project import load_project
    from loadgate.runner.describe import describe, suite_files

    declared = describe(suite_files(locustfile, load_project()))
    width = max((len(profile["name"]) for profile in declared["profiles"]), default=0)
    lines = []
    for profile in declared["profiles"]:
        mark = " (default)" if profile["name"] == declared["default"] else ""
        lines.append(f"{profile['name']:<{width}}  {profile['load']:<24}  {profile['description']}{mark}".rstrip())
        lines += [f"{'':<{width}}  {problem}" for problem in profile["problems"]]
    _say_wrapped(lines)
    return ExitCode.PASS


@_cli.command()
def report(
    run_path: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder or its run.json.")],
    hdr: Annotated[bool, typer.Option("--hdr", help="Also write the latencies as an HdrHistogram log.")] = False,
) -> int:
    """Write the files of a run again.

    The report, the JUnit file, the summary, the CSV file and the metrics are written from its run.json.
    """
    from loadgate.paths import ReportFolderError, shown_path
    from loadgate.report.artefacts import DAMAGED, rebuild_artefacts, write_latency_log
    from loadgate.run.document import RunFileError, damage, read_run

    folder = run_path if run_path.is_dir() else run_path.parent
    document = read_run(run_path)
    try:
        written = [rebuild_artefacts(document, folder)]
        if hdr:
            written.append(write_latency_log(document, folder))
    except DAMAGED as error:
        raise RunFileError(f"{run_path}: {damage(error)}") from error
    except OSError as error:
        raise ReportFolderError(
            f"{shown_path(folder)}: the files cannot be written: {_os_error_text(error)}"
        ) from error
    for path in written:
        _say(str(shown_path(path)))
    return ExitCode.PASS


@_cli.command()
def history(
    *,
    profile: Annotated[str | None, typer.Option(help="Only runs of this load profile.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of runs to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--prune",
            min=1,
            metavar="N",
            help="First delete all but the newest N runs and the folders of runs that did not start.",
        ),
    ] = None,
) -> int:
    """List past runs and their verdicts.

    The newest run comes first. A sparkline shows the values of each rule over time.
    """
    from loadgate.paths import shown_path
    from loadgate.project import load_project
    from loadgate.report.history import history_json, history_text, past_runs, prune

    runs = load_project().reports_path / "runs"
    if keep is not None:
        deleted = prune(runs, profile, keep, time.time())
        print(f"deleted run folders in {shown_path(runs)}: {deleted}", file=sys.stderr, flush=True)
    found, unread = past_runs(runs, profile, limit)
    if as_json:
        _say(json.dumps(history_json(found, unread), indent=2))
    else:
        _say_wrapped(history_text(found, unread, _can_show).splitlines())
    return ExitCode.PASS


def _can_show(characters: str) -> bool:
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _say(line: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _say_wrapped(lines: Iterable[str]) -> None:
    """Print lines and wrap them at the width of the terminal."""
    from loadgate.terminal import terminal_columns, wrapped

    for line in wrapped(lines, terminal_columns(os.environ)):
        _say(line)


def _os_error_text(error: OSError) -> str:
    """Return the path and the reason of an operating system error."""
    place = error.filename2 or error.filename
    return f"{place}: {error.strerror}" if place else error.strerror or str(error)


def _print_error(message: str, code: ExitCode) -> ExitCode:
    for line in message.splitlines():
        print(f"loadgate: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    app()
