"""The command `capacity`."""

from __future__ import annotations

from typing import Annotated

import typer

from loadgate.cli.options import Locustfile, duration, share
from loadgate.cli.output import say_text


def capacity_command(
    profile: Annotated[str, typer.Argument(help="Load profile; without it, the suite's default.")] = "",
    *,
    first: Annotated[str, typer.Option("--from", help="The first arrival rate.")] = "5/s",
    to: Annotated[str | None, typer.Option(help="The highest arrival rate to try.")] = None,
    at_least: Annotated[
        str | None, typer.Option(help="Try only this rate, such as 150/s. Exit code 99 if it breaks.")
    ] = None,
    width: Annotated[
        float, typer.Option(parser=share, metavar="<percentage>", help="Bounds that are this close end it.")
    ] = "5%",  # type: ignore[assignment]  # the parser reads it
    trial: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Measured time of a trial.")
    ] = "30s",  # type: ignore[assignment]
    confirm: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Length of the last trial.")
    ] = "2m",  # type: ignore[assignment]
    settle: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Start that is not measured.")
    ] = "5s",  # type: ignore[assignment]
    budget: Annotated[float, typer.Option(parser=duration, metavar="<duration>", help="Time for all trials.")] = "15m",  # type: ignore[assignment]
    host: Annotated[
        str | None, typer.Option(help="Search a deployment; without it, each trial has a fresh target.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the load.")] = 1,
    locustfile: Locustfile = None,
) -> int:
    """Find the highest arrival rate that keeps the rules of a profile.

    Exit codes: 0 both bounds were found, or --at-least holds; 99 no rate holds, or --at-least breaks; 98 undecided or
    only one bound, 1 not carried out, 2 usage error.
    """
    from loadgate.project import load_project
    from loadgate.runner.capacity.command import capacity
    from loadgate.runner.capacity.request import CapacityRequest

    request = CapacityRequest(
        profile=profile,
        first=first,
        to=to,
        at_least=at_least,
        width=width,
        trial_s=trial,
        confirm_s=confirm,
        settle_s=settle,
        budget_s=budget,
        host=host,
        seed=seed,
        locustfile=locustfile,
    )
    return capacity(request, load_project(), say_text)
