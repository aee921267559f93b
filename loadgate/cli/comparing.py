"""The commands that compare: `ab`."""

from __future__ import annotations

from typing import Annotated

import typer

from loadgate.cli.options import Locustfile
from loadgate.cli.output import say
from loadgate.units import duration_s


def _duration(text: str) -> float:
    try:
        return duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _share(text: str) -> float:
    """Return the share of a percentage such as `5%`."""
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < float("inf"):
        raise typer.BadParameter(f"{text!r} is not a percentage; write it like 5%")
    return share


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
        float, typer.Option(parser=_duration, metavar="<duration>", help="Measured time of a segment.")
    ] = "20s",  # type: ignore[assignment]  # the parser reads it
    settle: Annotated[
        float, typer.Option(parser=_duration, metavar="<duration>", help="Time at the start that is not measured.")
    ] = "5s",  # type: ignore[assignment]
    ignore: Annotated[
        float, typer.Option(parser=_share, metavar="<percentage>", help="Smaller changes never fail.")
    ] = "5%",  # type: ignore[assignment]
    worse: Annotated[
        float, typer.Option(parser=_share, metavar="<percentage>", help="A pass excludes changes of this size.")
    ] = "10%",  # type: ignore[assignment]
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
        margins=Margins(ignore=ignore, worse=worse),
        only_plan=plan,
        seed=seed,
        locustfile=locustfile,
    )
    return ab(request, load_project(), say)
