"""The `loadgate` command: run a profile, see what is missing, list profiles and past runs, rebuild a report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from loadgate.arrival import EXAMPLES
from loadgate.artefacts import DAMAGED, RunFileError, read_run, rebuild_artefacts, write_latency_log
from loadgate.checks import diagnose
from loadgate.describe import DescribeError, describe
from loadgate.exit_codes import ExitCode
from loadgate.history import history_json, history_text, past_runs
from loadgate.places import PlaceError, shown_path
from loadgate.project import ProjectError, load_project
from loadgate.run import RunError, RunRequest, run, suite_file
from loadgate.streams import use_views
from loadgate.target import TargetError

_cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

_Locustfile = Annotated[Path | None, typer.Option("--locustfile", "-f", help="Instead of the project's own.")]


def app() -> None:
    """Run the command line; every mistake of its user is a line or two on standard error, never a traceback."""
    use_views()
    try:
        code = typer.main.get_command(_cli).main(standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(error.format_message() or "a command is missing; see loadgate --help", ExitCode.USAGE)
    except (ProjectError, RunError, DescribeError, RunFileError) as error:
        code = _complain(str(error), ExitCode.USAGE)
    except (TargetError, PlaceError) as error:
        code = _complain(str(error), ExitCode.ERROR)
    except OSError as error:
        code = _complain(_told(error), ExitCode.ERROR)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("interrupted before there was anything to judge", ExitCode.ERROR)
    sys.exit(code)


@_cli.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_command(
    context: typer.Context,
    *,
    profile: Annotated[str, typer.Argument(help="Name of a load profile; see `loadgate profiles`.")],
    host: Annotated[str | None, typer.Option(help="What to test; without it the managed target is started.")] = None,
    users: Annotated[int | None, typer.Option("--users", "-u", min=1, help="Instead of the profile's.")] = None,
    spawn_rate: Annotated[float | None, typer.Option("--spawn-rate", "-r", help="Users a second.")] = None,
    run_time: Annotated[str | None, typer.Option("--run-time", "-t", help="Such as 30s, 5m, 1h30m.")] = None,
    processes: Annotated[int | None, typer.Option(min=-1, help="Generator processes; -1 is one a core.")] = None,
    rate: Annotated[str | None, typer.Option(help=f"Open model: start tasks by the clock, {EXAMPLES}.")] = None,
    locustfile: _Locustfile = None,
) -> int:
    """Run a load profile and exit by the verdict: 0 pass, 99 fail, 98 inconclusive, 1 not carried out, 2 bad usage.

    Other options go to Locust as they are.
    """
    given = {
        "--users": users,
        "--spawn-rate": spawn_rate,
        "--run-time": run_time,
        "--processes": processes,
        "--rate": rate,
    }
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    request = RunRequest(profile, host, locustfile, [*options, *context.args])
    return run(request, load_project(), _say)


@_cli.command()
def doctor(
    host: Annotated[str | None, typer.Option(help="What to look at; the project's host without it.")] = None,
) -> int:
    """Say what a run needs and which of it is missing, with the command that starts it; exit 1 if anything is."""
    project = load_project()
    results = diagnose(
        [check.to_check() for check in project.doctor], host or os.environ.get("TARGET_HOST") or project.host
    )
    for result in results:
        state = "ok" if result.ok else "MISSING" if result.known else "unknown"
        _say(f"{state:<7}  {result.line()}")
    return ExitCode.PASS if all(result.ok for result in results) else ExitCode.ERROR


@_cli.command()
def profiles(locustfile: _Locustfile = None) -> int:
    """List the load profiles of the suite."""
    declared = describe(suite_file(locustfile, load_project()))
    width = max((len(profile["name"]) for profile in declared["profiles"]), default=0)
    for profile in declared["profiles"]:
        mark = " (default)" if profile["name"] == declared["default"] else ""
        _say(f"{profile['name']:<{width}}  {profile['load']:<24}  {profile['description']}{mark}".rstrip())
        for problem in profile["problems"]:
            _say(f"{'':<{width}}  {problem}")
    return ExitCode.PASS


@_cli.command()
def report(
    run_path: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder or its run.json.")],
    hdr: Annotated[bool, typer.Option("--hdr", help="Write the latencies as an HdrHistogram log as well.")] = False,
) -> int:
    """Make every file of a run anew from its run.json: report, JUnit file, summary, table of seconds, metrics."""
    folder = run_path if run_path.is_dir() else run_path.parent
    document = read_run(run_path)
    try:
        written = [rebuild_artefacts(document, folder)]
        if hdr:
            written.append(write_latency_log(document, folder))
    except DAMAGED as error:
        raise RunFileError(f"{run_path}: damaged: {type(error).__name__}: {error}") from error
    except OSError as error:
        raise PlaceError(f"{shown_path(folder)}: the files cannot be written: {_told(error)}") from error
    for path in written:
        _say(str(shown_path(path)))
    return ExitCode.PASS


@_cli.command()
def history(
    *,
    profile: Annotated[str | None, typer.Option(help="Only runs of this load profile.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs, the newest ones.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """List past runs with their verdicts, newest first, and how the value of each rule went."""
    found, unread = past_runs(load_project().reports_path / "runs", profile, limit)
    if as_json:
        _say(json.dumps(history_json(found, unread), indent=2))
    else:
        _say(history_text(found, unread, _can_show))
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


def _told(error: OSError) -> str:
    """Say what the system refused and where."""
    place = error.filename2 or error.filename
    return f"{place}: {error.strerror}" if place else error.strerror or str(error)


def _complain(message: str, code: ExitCode) -> ExitCode:
    for line in message.splitlines():
        print(f"loadgate: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    app()
