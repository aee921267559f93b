"""Output, errors and settings of the commands of `inference-core`."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from inference_core.core.exceptions import OperatorError, ServiceError

if TYPE_CHECKING:
    from inference_core.core.settings import Settings


def new_commands(*, add_completion: bool = False) -> typer.Typer:
    """Return an empty set of commands with the help style of `inference-core`.

    `add_completion` adds the options that install the completion of the shell. Only the whole command line has them.
    """
    return typer.Typer(
        no_args_is_help=True,
        add_completion=add_completion,
        pretty_exceptions_enable=False,
        # Plain text, as wide as the terminal.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def say(line: str) -> None:
    """Print one line immediately, also into a pipe."""
    print(line, flush=True)


def complain(text: object) -> None:
    """Print the lines of a text on stderr, each after the name of the command."""
    for line in str(text).splitlines():
        typer.echo(f"inference-core: {line}", err=True)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print the text of errors that the user can correct on stderr, and exit with code 1."""
    try:
        yield
    except (OperatorError, ServiceError) as error:
        complain(error)
        raise typer.Exit(1) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader of the output has ended, and Typer exits quietly
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        raise typer.Exit(1) from None


def read_settings() -> Settings:
    """Return the settings of the current service. Print a line for each name in `.env` that is probably misspelt.

    Raises:
        SettingsError, FeatureError: The settings or the service are not valid.
    """
    from inference_core.core.current_service import current_service
    from inference_core.core.service_settings import settings_class
    from inference_core.core.settings import load_settings, misspelt_settings

    kind = settings_class(current_service())
    settings = load_settings(kind)
    for line in misspelt_settings(kind):
        complain(line)
    return settings
