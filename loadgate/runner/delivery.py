"""Deliver the folder of a run from a machine that nobody can look into: send it to a URL, or keep it for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from loadgate.credentials import without_credentials
from loadgate.environment import named, quoted
from loadgate.errors import CommandError
from loadgate.paths import shown_path
from loadgate.runner.signals import Signals
from loadgate.units import duration

PUT_URL_VARIABLE = "LOADGATE_PUT_URL"
PUT_TOKEN_VARIABLE = "LOADGATE_PUT_TOKEN"  # noqa: S105 - the name of the variable with the token
"""The bearer token of the URL. It is read from the environment only, so that no process list shows it."""

POLL_S = 0.1

Say = Callable[[str], None]


class DeliveryError(CommandError):
    """Raised if the folder of a run cannot be sent. The text is one line."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happens to the folder of a run after its end.

    It is sent to `put_url` with PUT as one archive, unless the URL is empty, and then kept for `keep_s`.
    """

    put_url: str = ""
    put_token: str = field(default="", repr=False)
    keep_s: float = 0.0

    def problem(self) -> str | None:
        """Return one line that says why the folder cannot be delivered. `None` if it can."""
        if not self.put_url:
            return None
        if not all("!" <= char <= "~" for char in self.put_token):
            return f"{PUT_TOKEN_VARIABLE} contains a character that a header cannot contain"
        problem = put_problem(self.put_url)
        return named(problem, self.put_url, PUT_URL_VARIABLE) if problem else None


def put_problem(url: str) -> str | None:
    """Return one line that says why an archive cannot be sent to `url`. `None` if it can."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if is_valid and all("!" <= char <= "~" for char in url):
        return None
    return f"the URL {quoted(shown_url(url))} for the run folder is not an http:// or https:// address"


def shown_url(url: str) -> str:
    """Return a URL without credentials: user name, password, and the query, which can be a signature."""
    return without_credentials(url).partition("?")[0].partition("#")[0]


def deliver(folder: Path, delivery: Delivery, signals: Signals, say: Say) -> bool:
    """Deliver the folder of a run. Return whether nothing failed.

    Ctrl-C ends the sending. SIGTERM does not, because those who send it wait for the end: Docker Compose terminates the
    master when its workers end. Any signal ends the time for which the folder is kept.
    """
    is_delivered = True
    if delivery.put_url:
        from loadgate.runner.upload import put  # noqa: PLC0415 - most runs need no HTTP client of their own

        try:
            put(folder, delivery, signals.is_interrupted, say)
        except DeliveryError as error:
            say(f"loadgate: the run folder was not stored: {error}")
            is_delivered = False
    if delivery.keep_s:
        say(f"the run folder is kept for {duration(delivery.keep_s)}, or until SIGTERM: {shown_path(folder)}")
        end_at = time.monotonic() + delivery.keep_s
        while time.monotonic() < end_at and not signals.waiting():
            time.sleep(POLL_S)
    return is_delivered
