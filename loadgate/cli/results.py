"""The commands for past runs: `open`, `report`, `history`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from loadgate.cli.output import can_show, print_error, say, say_wrapped
from loadgate.exit_codes import ExitCode


def open_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[RUN]",
            help="A run, such as latest, latest-1 or a folder; or the folder of a comparison or a search.",
            show_default=True,
        ),
    ] = "latest",
    *,
    profile: Annotated[str | None, typer.Option(help="The latest run of this load profile.")] = None,
) -> int:
    """Open a report in the browser, and print its path.

    Without a browser, the exit code is 1.
    """
    import webbrowser

    from loadgate.paths import shown_path
    from loadgate.project import load_project
    from loadgate.report.pages import report_page

    page = report_page(name, load_project().reports_path, profile)
    say(str(shown_path(page)))
    if webbrowser.open(page.resolve().as_uri()):
        return ExitCode.PASS
    return print_error("no browser was found; open the file above in one", ExitCode.ERROR)


def report(
    path: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, a comparison or a search, or its JSON file.")
    ],
    hdr: Annotated[
        bool, typer.Option("--hdr", help="Also write the latencies of a run as an HdrHistogram log.")
    ] = False,
) -> int:
    """Write the files of a run, a comparison or a search again.

    For a run, the report, the JUnit file, the summary, the CSV file and the metrics are written from run.json. For a
    comparison or a search for the capacity, the page and the summary are written from ab.json or capacity.json.
    """
    from loadgate.paths import shown_path
    from loadgate.report.rebuilding import rebuild

    for written in rebuild(path, with_latency_log=hdr):
        say(str(shown_path(written)))
    return ExitCode.PASS


def history(
    *,
    profile: Annotated[str | None, typer.Option(help="Only runs of this load profile.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of runs; by default 20, with --changes 150.")
    ] = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="Show between which commits the values of rules changed permanently.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--prune",
            min=1,
            metavar="N",
            help="First delete all but the newest N runs, comparisons and searches, and those without a result.",
        ),
    ] = None,
) -> int:
    """List past runs and their verdicts.

    The newest run comes first. A sparkline shows the values of each rule over time. For each change, --changes prints
    the loadgate ab command that can prove it. It examines rules with values of at least 14 runs of the same load.
    """
    from loadgate.paths import RUNS, SEARCHES, shown_path
    from loadgate.project import load_project
    from loadgate.report.capacity.history import capacities_json, capacities_text, past_searches
    from loadgate.report.changes import MAX_RUNS, changes_json, changes_text, examine
    from loadgate.report.history import history_json, past_runs
    from loadgate.report.history_text import history_text
    from loadgate.report.pruning import prune
    from loadgate.report.sparkline import BARS, UNKNOWN
    from loadgate.units import count

    reports = load_project().reports_path
    if keep is not None:
        deleted = prune(reports, profile, keep, time.time())
        numbers = f"runs: {count(deleted.runs)}, comparisons: {count(deleted.comparisons)}, "
        numbers += f"searches: {count(deleted.searches)}"
        print(f"deleted in {shown_path(reports)}: {numbers}", file=sys.stderr, flush=True)
    found, unread = past_runs(reports / RUNS, profile, limit or (MAX_RUNS if changes else 20))
    searches = past_searches(reports / SEARCHES, profile, limit or 20)
    if changes:
        examined = examine(found[:MAX_RUNS])
        if as_json:
            say(json.dumps(changes_json(examined, unread), indent=2))
        else:
            say_wrapped(changes_text(examined, unread))
    elif as_json:
        say(json.dumps(history_json(found, unread) | {"capacities": capacities_json(searches)}, indent=2))
    else:
        say_wrapped(history_text(found, unread, can_show, time.time()).splitlines())
        say_wrapped(capacities_text(searches, can_show_bars=can_show(BARS + UNKNOWN)))
    return ExitCode.PASS
