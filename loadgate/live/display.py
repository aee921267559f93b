"""Where `loadgate run` shows how a run goes: drawn in place on a terminal, or as a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

from loadgate.live.plain import plain_line
from loadgate.live.screen import Screen, can_draw
from loadgate.live.state import LiveState
from loadgate.live.view import live_view

PLAIN_INTERVAL_S = 10.0
FIRST_LINE_S = 2.0
"""When the first line comes: there is something to say by then."""


class Display(Protocol):
    """One run's display."""

    draws: bool
    """Whether other processes must not write to the terminal meanwhile."""

    def show(self, state: LiveState) -> None:
        """Show a new state."""

    def say(self, text: str) -> None:
        """Show lines of text, which end with their line."""

    def tick(self) -> None:
        """Call it now and then."""

    def close(self) -> None:
        """Show no state any more."""


class PlainDisplay:
    """A line of text every PLAIN_INTERVAL_S."""

    draws = False

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._due: float | None = None

    def show(self, state: LiveState) -> None:
        """Print the state if it is time to."""
        now = self._clock()
        if self._due is None:
            self._due = now + FIRST_LINE_S
        elif now >= self._due:
            self._due = now + PLAIN_INTERVAL_S
            self.say(f"{plain_line(state)}\n")

    def say(self, text: str) -> None:
        """Print the text."""
        self._out.write(text)
        self._out.flush()

    def tick(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class DrawnDisplay:
    """A view that is drawn anew in place."""

    draws = True

    def __init__(self, out: TextIO) -> None:
        self._screen = Screen(out)

    def show(self, state: LiveState) -> None:
        """Draw the state."""
        self._screen.show(lambda columns, lines: live_view(state, columns, lines))

    def say(self, text: str) -> None:
        """Print the text above the view."""
        self._screen.say(text)

    def tick(self) -> None:
        """Fit the view into a terminal that was resized."""
        self._screen.redraw_if_resized()

    def close(self) -> None:
        """Take the view away."""
        self._screen.clear()


def display_on(out: TextIO, environment: Mapping[str, str]) -> Display:
    """Return the display that suits an output."""
    return DrawnDisplay(out) if can_draw(out, environment) else PlainDisplay(out)
