"""The commands that compare: `ab`, `compare`, `bisect`."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from loadgate.cli.options import Locustfile, duration, share
from loadgate.cli.output import say, say_text, say_wrapped


def ab_command(
    *,
    base: Annotated[
        str | None, typer.Argument(help="Commit; without it, the merge base of HEAD and the default branch.")
    ] = None,
    head: Annotated[str | None, typer.Argument(help="Commit; without it, the working tree.")] = None,
    profile: Annotated[
        str, typer.Option(envvar="LOAD_PROFILE", help="Load profile; without it, the suite's default.")
    ] = "",
    rate: Annotated[str | None, typer.Option(help="Arrival rate, such as 50/s; without it, the profile's.")] = None,
    pairs: Annotated[int, typer.Option(min=2, max=500, help="Pairs; as many again follow if they are undecided.")] = 10,
    measure: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Measured time of a segment.")
    ] = "20s",  # type: ignore[assignment]  # the parser reads it
    settle: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Time at the start that is not measured.")
    ] = "5s",  # type: ignore[assignment]
    ignore: Annotated[
        float, typer.Option(parser=share, metavar="<percentage>", help="Smaller changes never fail.")
    ] = "5%",  # type: ignore[assignment]
    worse: Annotated[
        float, typer.Option(parser=share, metavar="<percentage>", help="A pass excludes changes of this size.")
    ] = "10%",  # type: ignore[assignment]
    ignore_ms: Annotated[
        float, typer.Option(metavar="<number>", help="Smaller changes never fail, whatever their percentage.")
    ] = 0.5,
    plan: Annotated[bool, typer.Option("--plan", help="Measure three pairs, and say which changes are found.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Compare deployments: the URL of base.")] = None,
    head_url: Annotated[str | None, typer.Option(help="Compare deployments: the URL of head.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the order and of the load; without it, random.")] = None,
    locustfile: Locustfile = None,
) -> int:
    """Compare two versions of the service under load. A significant regression fails.

    Exit codes: 0 no regression, 99 regression, 98 inconclusive, 1 not carried out, 2 usage error.
    """
    from loadgate.analysis.ab.segments import Margins
    from loadgate.project import load_project
    from loadgate.runner.ab.command import ab
    from loadgate.runner.ab.request import AbRequest

    request = AbRequest(
        base=base,
        head=head,
        base_url=base_url,
        head_url=head_url,
        profile=profile,
        rate=rate,
        pairs=pairs,
        measure_s=measure,
        settle_s=settle,
        margins=Margins(ignore=ignore, worse=worse, ignore_ms=ignore_ms),
        only_plan=plan,
        seed=seed,
        locustfile=locustfile,
    )
    return ab(request, load_project(), say_text)


class AgainstCommand(TyperCommand):
    """A command whose option `--against` takes all names up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat `--against` before each of its names, which is the form that Click reads."""
        spread: list[str] = []
        is_against = False
        for arg in args:
            if arg.startswith("-"):
                is_against = arg == "--against"
                spread += [] if is_against else [arg]
            else:
                spread += ["--against", arg] if is_against else [arg]
        if args and args[-1] == "--against":
            spread.append("--against")
        return super().parse_args(ctx, spread)


def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="A folder, run.json, name, latest or latest-N.")],
    *,
    against: Annotated[list[str], typer.Option(metavar="RUN...", help="The runs to compare with.")],
    profile: Annotated[str | None, typer.Option(help="The load profile that latest means.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare past runs of one load profile.

    With several runs a side, or with enough past runs of the same load, the differences are judged; otherwise they are
    only described. Exit codes: 0 not worse, 99 worse, 98 not judged or inconclusive, 2 usage error.
    """
    from loadgate.paths import RUNS
    from loadgate.project import load_project
    from loadgate.report.changes import MAX_RUNS
    from loadgate.report.compare import ComparedRun, check_sides, compare_runs, comparison_json, comparison_text
    from loadgate.report.history import past_runs
    from loadgate.report.run_names import named_run
    from loadgate.run.judgement import exit_code
    from loadgate.terminal import terminal_columns

    folder = load_project().reports_path / RUNS
    head, base = ([ComparedRun(*named_run(name, folder, profile)) for name in names] for names in (runs, against))
    check_sides(base, head)
    # Several runs a side show their spread themselves.
    has_single = min(len(base), len(head)) == 1
    history = past_runs(folder, head[0].document.run.profile.name, MAX_RUNS)[0] if has_single else []
    found = compare_runs(base, head, history)
    if as_json:
        say(json.dumps(comparison_json(found), indent=2))
    else:
        say_wrapped(comparison_text(found, terminal_columns(os.environ)))
    return exit_code(found.outcome)


def bisect_command(
    good: Annotated[str, typer.Argument(help="A commit before the regression.")],
    bad: Annotated[str, typer.Argument(help="A later commit with the regression.")],
    rule: Annotated[str, typer.Argument(help="The scope and the metric of a rule, such as 'auth: p95'.")],
    *,
    profile: Annotated[
        str, typer.Option(envvar="LOAD_PROFILE", help="Load profile; without it, the suite's default.")
    ] = "",
    rate: Annotated[str | None, typer.Option(help="Arrival rate, such as 50/s; without it, the profile's.")] = None,
    pairs: Annotated[int, typer.Option(min=2, max=500, help="Pairs of each comparison.")] = 10,
) -> int:
    """Find the commit that made a rule's value worse.

    First, loadgate ab proves that the commits differ. Then, it compares each commit that git bisect chooses. Exit
    codes: 0 found, 98 not proven or undecided, 1 not carried out, 2 usage error.
    """
    from loadgate.analysis.ab.segments import Margins
    from loadgate.paths import shown_path
    from loadgate.project import load_project
    from loadgate.report.ab.artefacts import write_comparison
    from loadgate.report.ab.document import AbDocument
    from loadgate.runner.ab.command import compare
    from loadgate.runner.ab.request import AbRequest
    from loadgate.runner.bisect.command import BisectRequest, bisect, measure_of

    project = load_project()

    def compared(request: AbRequest) -> AbDocument:
        document, folder = compare(request, project, say_text)
        say_text(f"report: {shown_path(write_comparison(document, folder))}")
        return document

    # The user has chosen the rule, so its changes below half a millisecond matter as well.
    options = AbRequest(profile=profile, rate=rate, pairs=pairs, margins=Margins(ignore_ms=0.0))
    return bisect(BisectRequest(good, bad, measure_of(rule), options), project, compared, say_text)
