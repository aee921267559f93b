"""The commands for baselines: `baseline set`, `baseline show`."""

from __future__ import annotations

from typing import Annotated

import typer

from loadgate.cli.output import say, say_wrapped
from loadgate.exit_codes import ExitCode

cli = typer.Typer(
    help="Store the values of a run as the baseline of its profile. Later runs are compared with it.",
    rich_markup_mode=None,
    no_args_is_help=False,
)

Profile = Annotated[str | None, typer.Option(help="Show the values of this profile's baseline.")]


@cli.command("set")
def set_baseline(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A folder, run.json, name, latest or latest-N.")],
    *,
    profile: Annotated[str | None, typer.Option(help="Load profile of the runs that latest and latest-N name.")] = None,
) -> int:
    """Store the values of a run in the baseline file of its profile. Commit this file to git."""
    from loadgate.paths import RUNS, shown_path
    from loadgate.project import load_project
    from loadgate.report.baseline import write_baseline
    from loadgate.report.run_names import named_run

    project = load_project()
    folder, document = named_run(run, project.reports_path / RUNS, profile)
    say(str(shown_path(write_baseline(project, document, folder))))
    return ExitCode.PASS


@cli.command("show")
def show_baselines(*, profile: Profile = None) -> int:
    """List all baselines, or show the values of one with --profile."""
    from loadgate.paths import shown_path
    from loadgate.project import load_project
    from loadgate.report.baseline import baseline_line, baseline_path, find_baseline, read_baseline
    from loadgate.report.baseline.text import values_lines

    project = load_project()
    if profile is not None:
        found = find_baseline(project, profile, wanted=True)
        say_wrapped([] if found is None else values_lines(found))
        return ExitCode.PASS
    paths = sorted(baseline_path(project, "x").parent.glob("*.json"))
    lines = [f"{shown_path(path)}: {baseline_line(read_baseline(path))}" for path in paths]
    say_wrapped(lines or ["no baselines found; set one with loadgate baseline set"])
    return ExitCode.PASS
