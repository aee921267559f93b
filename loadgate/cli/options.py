"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from loadgate.units import duration_s

_EXPECTED = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number that is not so large",
    "float_parsing": "must be a number",
}
"""The texts for the kinds of Pydantic's errors."""

Locustfile = Annotated[
    str | None,
    typer.Option("--locustfile", "-f", help="Locustfile, comma-separated list, or folder, instead of the project's."),
]


def is_given(context: typer.Context, name: str) -> bool:
    """Return whether an option was given on the command line. `name` is that of the parameter of the function."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def value_message(error: typer.TyperException) -> str:
    """Return what is wrong with the value of an option, as in `--pairs 1: must be at least 2`. "" for other errors."""
    message, names = getattr(error, "message", ""), getattr(getattr(error, "param", None), "opts", ())
    if not isinstance(error, typer.BadParameter) or not message or not names:
        return ""
    from pydantic import ValidationError

    option = max(names, key=len)
    if isinstance(error.__cause__, ValidationError):
        (first, *_) = error.__cause__.errors()
        if expected := _EXPECTED.get(first["type"]):
            return f"{option} {first['input']}: {expected.format(**first.get('ctx', {}))}"
        message = message.removeprefix("Value error, ")
    return f"{option}: {message}"


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
