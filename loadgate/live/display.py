"""The output of `loadgate run` during a run: a view that is redrawn in place, or a line every ten seconds."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from loadgate.live.plain import RuleChanges, plain_line
from loadgate.live.screen import Screen
from loadgate.live.state import LiveState
from loadgate.live.view import live_view
from loadgate.terminal import can_draw

PLAIN_INTERVAL_S = 10.0
FIRST_LINE_S = 2.0
"""The first line appears early, to show that the run has started."""


class PlainDisplay:
    """A display that prints one line every PLAIN_INTERVAL_S, and one for each rule whose outcome has changed."""

    takes_output = takes_errors = False
    """Whether other processes must not write to standard output and standard error themselves."""

    passes_on_colours = False
    """Whether it takes the output of other processes to a terminal with colours."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._due: float | None = None
        self._changes = RuleChanges()

    def show(self, state: LiveState) -> None:
        """Print the state if the interval has passed."""
        now = self._clock()
        if self._due is None:
            self._due = now + FIRST_LINE_S
        elif now >= self._due:
            self._due = now + PLAIN_INTERVAL_S
            self.say("".join(f"{line}\n" for line in (plain_line(state), *self._changes.lines(state.rules))))

    def say(self, text: str) -> None:
        """Print the text."""
        self._out.write(text)
        self._out.flush()

    def tick(self) -> None:
        """Do nothing, because printed lines need no redraw."""

    def close(self) -> None:
        """Do nothing, because printed lines remain."""


class DrawnDisplay:
    """A display that redraws its view in place."""

    takes_output = passes_on_colours = True

    @property
    def takes_errors(self) -> bool:
        """Return whether standard error is the terminal."""
        return sys.stderr.isatty()

    def __init__(self, out: TextIO) -> None:
        self._screen = Screen(out)

    def show(self, state: LiveState) -> None:
        """Draw the state."""
        self._screen.show(lambda columns, lines: live_view(state, columns, lines))

    def say(self, text: str) -> None:
        """Print the text above the view."""
        self._screen.say(text)

    def tick(self) -> None:
        """Redraw the view if the terminal was resized."""
        self._screen.redraw_if_resized()

    def close(self) -> None:
        """Remove the view."""
        self._screen.clear()


class LoggedDisplay:
    """A display that shows nothing, and appends the output of other processes to a file."""

    takes_output = takes_errors = True
    passes_on_colours = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def show(self, state: LiveState) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Append the text. On a full disk, it is lost: the log of a run must not end the run."""
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)

    def tick(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


Display = PlainDisplay | DrawnDisplay | LoggedDisplay


def display_on(out: TextIO, environment: Mapping[str, str]) -> Display:
    """Return a drawn display for a terminal, a plain one for other outputs."""
    return DrawnDisplay(out) if can_draw(out, environment) else PlainDisplay(out)
