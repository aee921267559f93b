"""The command `capacity`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from loadgate.cli.options import Locustfile, duration, is_given, share
from loadgate.cli.output import say_text

_ONLY_OF_A_SEARCH = {"first": "--from", "to": "--to", "width": "--width", "confirm": "--confirm"}


def capacity_command(
    context: typer.Context,
    *,
    profile: Annotated[str, typer.Argument(help="Load profile; without it, the suite's default.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="<rate>", help="First arrival rate.")] = "5/s",
    to: Annotated[str | None, typer.Option(metavar="<rate>", help="Highest arrival rate to try.")] = None,
    at_least: Annotated[
        str | None,
        typer.Option(metavar="<rate>", help="Try only this rate, such as 150/s, and fail if it breaks."),
    ] = None,
    width: Annotated[
        float, typer.Option(parser=share, metavar="<percentage>", help="End the search when the bounds are this close.")
    ] = "5%",  # type: ignore[assignment]  # the parser reads it
    trial: Annotated[
        float, typer.Option(parser=duration, metavar="<duration>", help="Measured time of each trial.")
    ] = "30s",  # type: ignore[assignment]
    confirm: Annotated[
        float,
        typer.Option(
            parser=duration, metavar="<duration>", help="Measured time of the trial that confirms the lower bound."
        ),
    ] = "2m",  # type: ignore[assignment]
    settle: Annotated[
        float,
        typer.Option(
            parser=duration, metavar="<duration>", help="Time at the start of each trial that is not measured."
        ),
    ] = "5s",  # type: ignore[assignment]
    budget: Annotated[float, typer.Option(parser=duration, metavar="<duration>", help="Time for all trials.")] = "15m",  # type: ignore[assignment]
    host: Annotated[
        str | None,
        typer.Option(help="URL to test; without it and TARGET_HOST, each trial starts the managed target."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the load.")] = 1,
    locustfile: Locustfile = None,
) -> int:
    """Find the highest arrival rate that keeps the rules of a profile.

    The profile's own load is not used: each trial has one arrival rate. A rule such as 'capacity >= 150/s' decides the
    exit code. Exit codes: 0 found, or the rate or the rule holds, 99 no rate holds, or the rate or the rule breaks, 98
    inconclusive, 1 not carried out, 2 usage error.
    """
    from loadgate.project import load_project
    from loadgate.runner.capacity.command import capacity
    from loadgate.runner.capacity.request import CapacityError, CapacityRequest

    if at_least is not None and (unused := [*filter(partial(is_given, context), _ONLY_OF_A_SEARCH)]):
        options = " and ".join(_ONLY_OF_A_SEARCH[name] for name in unused)
        raise CapacityError(f"--at-least tries only its own rate; leave out {options}")
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
