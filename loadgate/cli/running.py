"""The commands before and for a run: `run`, `doctor`, `profiles`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from loadgate.cli.options import Locustfile, duration
from loadgate.cli.output import print_error, say, say_wrapped
from loadgate.exit_codes import ExitCode
from loadgate.shape.arrivals import EXAMPLES


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
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "--processes", min=-1, help="Start a master and this number of workers; -1 for one per core."
        ),
    ] = None,
    rate: Annotated[str | None, typer.Option(help=f"Open model: start tasks at this rate, {EXAMPLES}.")] = None,
    baseline: Annotated[
        bool | None,
        typer.Option(
            "--baseline/--no-baseline",
            help="Require the profile's baseline, or compare with nothing. By default, compare with the baseline or, "
            "without one, with the last comparable run.",
        ),
    ] = None,
    put: Annotated[
        str | None,
        typer.Option(
            envvar="LOADGATE_PUT_URL",
            metavar="URL",
            help="After the run, PUT its folder as .tar.gz to this URL. LOADGATE_PUT_TOKEN is the bearer token.",
        ),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="<duration>", help="Keep the process running for this time after the run."
        ),
    ] = None,
    locustfile: Locustfile = None,
) -> int:
    """Run a load profile. The verdict decides the exit code.

    Exit codes: 0 pass, 99 fail, 98 inconclusive, 1 not carried out, 2 usage error. Other options go to Locust.
    """
    from loadgate.project import load_project
    from loadgate.runner.delivery import PUT_TOKEN_VARIABLE, Delivery
    from loadgate.runner.run import RunRequest, run

    given = {
        "--users": users,
        "--spawn-rate": spawn_rate,
        "--run-time": run_time,
        "--processes": workers,
        "--rate": rate,
    }
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    if profile.startswith("-"):
        # Without a profile, the first argument is an option for Locust.
        options, profile = [*options, profile], os.environ.get("LOAD_PROFILE", "")
    delivery = Delivery(put or "", os.environ.get(PUT_TOKEN_VARIABLE, "").strip(), keep or 0.0)
    request = RunRequest(profile, host, locustfile, [*options, *context.args], baseline, delivery)
    return run(request, load_project(), say)


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
        return print_error(without_credentials(named(problem, target, "TARGET_HOST")), ExitCode.USAGE)
    results = diagnose([check.to_check() for check in project.doctor], target)
    for result in results:
        state = "ok" if result.ok else "MISSING" if result.known else "unknown"
        say(f"{state:<7}  {result.line()}")
    return ExitCode.PASS if all(result.ok for result in results) else ExitCode.ERROR


def profiles(locustfile: Locustfile = None) -> int:
    """List the load profiles of the suite, each with its load, stages, users and rules."""
    from loadgate.project import load_project
    from loadgate.runner.describe import describe, suite_files

    declared = describe(suite_files(locustfile, load_project()))
    lines = []
    for profile in declared["profiles"]:
        mark = " (default)" if profile["name"] == declared["default"] else ""
        users = [f"{name} {weight}" for name, weight in profile["weights"].items() if weight]
        lines += [
            f"{profile['name']}{mark}: {profile['load'] or 'cannot be run'}",
            *([f"  {profile['description']}"] if profile["description"] else []),
            *(f"  stage {stage}" for stage in profile["stages"]),
            *([f"  users by weight: {', '.join(users)}"] if users else []),
            *(f"  rule {rule}" for rule in profile["rules"]),
            *(f"  {problem}" for problem in profile["problems"]),
            "",
        ]
    say_wrapped(lines[:-1])
    return ExitCode.PASS
