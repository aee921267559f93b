"""The commands that compare: `ab`, `compare`, `bisect`."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from loadgate.cli.options import Locustfile, duration, is_given, share
from loadgate.cli.output import say, say_text, say_wrapped

Profile = Annotated[str, typer.Option(envvar="LOAD_PROFILE", help="Load profile; by default, that of the suite.")]
Rate = Annotated[str | None, typer.Option(help="Arrival rate, such as 50/s; by default, that of the profile.")]
Measure = Annotated[
    float,
    typer.Option(parser=duration, metavar="<duration>", help="Measured time of each segment, one run of one side."),
]
Settle = Annotated[
    float,
    typer.Option(parser=duration, metavar="<duration>", help="Time at the start of each segment that is not measured."),
]


_ONLY_FOR = {"rules": ("ignore", "worse", "ignore_ms"), "memory": ("ignore_bytes",)}
"""The options that only one --metric reads."""


def _refuse_unused(context: typer.Context, metric: str) -> None:
    """Raise AbError if an option was given that has no effect with this metric."""
    from loadgate.runner.ab.request import AbError

    for needed, names in _ONLY_FOR.items():
        given = [name for name in names if is_given(context, name)]
        if needed != metric and given:
            option = f"--{given[0].replace('_', '-')}"
            raise AbError(f"{option} has no effect with --metric {metric}; leave it out")


def ab_command(
    context: typer.Context,
    *,
    base: Annotated[
        str | None,
        typer.Argument(metavar="BASE", help="Commit; by default, the merge base of HEAD and the default branch."),
    ] = None,
    head: Annotated[
        str | None, typer.Argument(metavar="HEAD", help="Commit; by default, the working tree with uncommitted files.")
    ] = None,
    profile: Profile = "",
    rate: Rate = None,
    pairs: Annotated[
        int,
        typer.Option(min=2, max=500, help="Pairs to measure. If the result is inconclusive, the same number follows."),
    ] = 10,
    measure: Measure = "20s",  # type: ignore[assignment]  # the parser reads it
    settle: Settle = "5s",  # type: ignore[assignment]
    ignore: Annotated[
        float, typer.Option(parser=share, metavar="<percentage>", help="A latency change below this never fails.")
    ] = "5%",  # type: ignore[assignment]
    worse: Annotated[
        float,
        typer.Option(parser=share, metavar="<percentage>", help="A pass rules out a latency change of this size."),
    ] = "10%",  # type: ignore[assignment]
    ignore_ms: Annotated[
        float,
        typer.Option(
            metavar="<milliseconds>",
            help="A latency change below this never fails, whatever its percentage.",
        ),
    ] = 0.5,
    metric: Annotated[
        Literal["rules", "memory"],
        typer.Option(help="What decides: the suite's rules, or the growth of the target's memory per request."),
    ] = "rules",
    ignore_bytes: Annotated[
        float, typer.Option(min=1, metavar="<bytes>", help="A change of the memory per request below this never fails.")
    ] = 100,
    plan: Annotated[
        bool, typer.Option("--plan", help="Measure three pairs only, and print which changes would be detected.")
    ] = False,
    base_url: Annotated[str | None, typer.Option(help="Compare two deployments: the URL of base.")] = None,
    head_url: Annotated[str | None, typer.Option(help="Compare two deployments: the URL of head.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed for the order of the sides and for the load; by default, random.")
    ] = None,
    locustfile: Locustfile = None,
) -> int:
    """Compare two versions of the service under load. Fail if the newer one, HEAD, has a significant regression.

    Exit codes: 0 no regression, 99 regression, 98 inconclusive, 1 not carried out, 2 usage error.
    """
    from loadgate.analysis.ab.segments import Margins, Metric
    from loadgate.project import load_project
    from loadgate.runner.ab.command import ab
    from loadgate.runner.ab.request import AbRequest

    _refuse_unused(context, metric)
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
        margins=Margins(ignore=ignore, worse=worse, ignore_ms=ignore_ms, ignore_bytes=ignore_bytes),
        metric=Metric(metric),
        only_plan=plan,
        seed=seed,
        locustfile=locustfile,
    )
    return ab(request, load_project(), say_text)


class AgainstCommand(TyperCommand):
    """A command whose option `--against` takes all arguments up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `--against` before each of its arguments, which is the form that Click parses."""
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
    against: Annotated[list[str], typer.Option(metavar="RUN...", help="The earlier runs to compare RUN with.")],
    profile: Annotated[str | None, typer.Option(help="Load profile of the runs that latest and latest-N name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare past runs of one load profile.

    The differences are judged if both sides have at least two runs, or if there are at least eight more past runs of
    the same load. Otherwise, they are only shown. Exit codes: 0 not worse, 99 worse, 98 not judged or inconclusive,
    2 usage error.
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
    # If both sides have several runs, these show the spread, so past runs are not needed.
    has_single = min(len(base), len(head)) == 1
    history = past_runs(folder, head[0].document.run.profile.name, MAX_RUNS)[0] if has_single else []
    found = compare_runs(base, head, history)
    if as_json:
        say(json.dumps(comparison_json(found), indent=2))
    else:
        say_wrapped(comparison_text(found, terminal_columns(os.environ)))
    return exit_code(found.outcome)


def bisect_command(
    good: Annotated[str, typer.Argument(metavar="GOOD", help="A commit before the regression.")],
    bad: Annotated[str, typer.Argument(metavar="BAD", help="A later commit with the regression.")],
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="The scope and the metric of a rule, such as 'auth: p95'.")
    ],
    *,
    profile: Profile = "",
    rate: Rate = None,
    pairs: Annotated[int, typer.Option(min=2, max=500, help="Pairs of each comparison, as for loadgate ab.")] = 10,
    measure: Measure = "20s",  # type: ignore[assignment]  # the parser reads it
    settle: Settle = "5s",  # type: ignore[assignment]
) -> int:
    """Find the commit that made the value of a rule worse.

    The first comparison must prove that the value is worse at BAD than at GOOD. Then, git bisect chooses commits
    between them, and each is compared with BAD. Exit codes: 0 found, 98 not proven or not found, 1 not carried out,
    2 usage error.
    """
    from loadgate.analysis.ab.segments import Margins
    from loadgate.paths import shown_path
    from loadgate.project import load_project
    from loadgate.report.ab.artefacts import COMPARISON_FILES
    from loadgate.report.ab.document import AbDocument
    from loadgate.report.artefacts import ArtefactError
    from loadgate.runner.ab.command import compare
    from loadgate.runner.ab.request import AbRequest
    from loadgate.runner.bisect.command import BisectRequest, bisect, measure_of

    project = load_project()

    def compared(request: AbRequest) -> AbDocument:
        document, folder = compare(request, project, say_text)
        try:
            say_text(f"report: {shown_path(COMPARISON_FILES.write(document, folder))}")
        except ArtefactError as error:
            say_text(f"loadgate: {error}")  # the search for the commit can continue
        return document

    # The user has chosen the rule, so its changes below half a millisecond matter as well.
    options = AbRequest(
        profile=profile,
        rate=rate,
        pairs=pairs,
        measure_s=measure,
        settle_s=settle,
        margins=Margins(ignore_ms=0.0),
    )
    return bisect(BisectRequest(good, bad, measure_of(rule), options), project, compared, say_text)
