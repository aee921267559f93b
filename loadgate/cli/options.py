"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from loadgate.units import duration_s

Locustfile = Annotated[
    str | None,
    typer.Option("--locustfile", "-f", help="Locustfile, comma-separated list, or folder, instead of the project's."),
]


def duration(text: str) -> float:
    """Return the seconds of an option such as `5m`.

    Raises:
        BadParameter: The text is not a duration above 0.
    """
    try:
        return duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def share(text: str) -> float:
    """Return the share of an option such as `5%`.

    Raises:
        BadParameter: The text is not a percentage.
    """
    number = text.strip().removesuffix("%").strip()
    try:
        found = float(number) / 100
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise typer.BadParameter(f"{text!r} is not a percentage; write it like 5%")
    return found
