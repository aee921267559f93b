"""The commands of accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from inference_core.core.commands import complain, new_commands, one_line_errors, read_settings, say
from inference_core.core.exceptions import InvalidInputError, OperatorError

commands = new_commands()


def ask(prompt: str, check: Callable[[str], None], *, is_secret: bool = False) -> str:
    """Prompt until an answer is valid. Without a terminal, the first answer counts, and a secret has two lines.

    Raises:
        InvalidInputError: The answer is not valid, and nobody can type another one.
        OperatorError: Nothing was typed.
    """
    is_terminal = sys.stdin.isatty()
    while True:
        try:
            return _answer(prompt, check, is_secret=is_secret, is_terminal=is_terminal)
        except InvalidInputError as error:
            if not is_terminal:
                raise
            complain(error)
        except typer.Abort:
            typer.echo()
            raise OperatorError(
                f"no {prompt.lower()} was given; type one" + (", or set SUPERUSER_PASSWORD" if is_secret else "")
            ) from None


def _answer(prompt: str, check: Callable[[str], None], *, is_secret: bool, is_terminal: bool) -> str:
    hidden = is_secret and is_terminal  # getpass warns if there is no terminal
    answer = str(typer.prompt(prompt, hide_input=hidden))
    check(answer)
    if is_secret and typer.prompt("Repeat for confirmation", hide_input=hidden) != answer:
        raise InvalidInputError("The two entries differ.")
    return answer


@commands.command(name="create-superuser")
def create_superuser_command(
    username: Annotated[str, typer.Option(help="3 to 50 letters and digits. Prompted for if not given.")] = "",
    email: Annotated[str, typer.Option(help="Prompted for if not given.")] = "",
    password: Annotated[
        str,
        typer.Option(
            envvar="SUPERUSER_PASSWORD",
            help="Prompted for if not given. The environment variable keeps it out of the shell history.",
        ),
    ] = "",
) -> None:
    """Create an account with all permissions.

    It is created in the database of DATABASE_URL. Each answer is checked when it is given.
    """
    import asyncio

    from inference_core.auth.accounts.identifiers import read_username
    from inference_core.auth.admin.superusers import check_value, create_superuser
    from inference_core.auth.settings import AuthSettings
    from inference_core.core.current_service import current_service
    from inference_core.core.db.migrations.run import upgrade

    with one_line_errors():
        settings = read_settings()
        username = username or ask("Username", partial(check_value, "username"))
        email = email or ask("Email", partial(check_value, "email"))
        password = password or ask("Password", partial(check_value, "password"), is_secret=True)
        upgrade(current_service(), settings)
        user_id = asyncio.run(
            create_superuser(settings.of(AuthSettings), username=username, email=email, password=password)
        )
    say(f"created superuser {read_username(username)} with id {user_id}")
