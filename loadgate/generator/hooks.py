"""Locust's event hooks, in which the gate is called before and after the suite's listeners, whatever those do."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from locust import log
from locust.event import EventHook
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadgate.generator.locust_patches import become, replace

CONTROL_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser)
"""What Locust lets a listener or a task raise on purpose."""

Listener = Callable[..., None]
OnError = Callable[[str, Listener, BaseException], None]
"""Called with the name of the event, the listener and what it raised."""


class WatchedHook(EventHook):
    """A hook of Locust that also calls the gate.

    `first` is called before the listeners and `last` after them. `on_error` hears of every exception that Locust only
    logs; where it is given, a `sys.exit()` in a listener counts as one instead of ending the process past the verdict.
    """

    name: str
    first: Listener | None
    last: Listener | None
    on_error: OnError | None

    @classmethod
    def take_over(cls, hook: Any, name: str, **calls: Any) -> None:
        """Turn a hook of Locust into this one; listeners that it has stay. A hook taken over before gets new calls."""
        become(hook, cls)
        hook.name = name
        hook.first, hook.last, hook.on_error = (calls.get(key) for key in ("first", "last", "on_error"))

    def fire(self, *, reverse: bool = False, **event: Any) -> None:
        """Call the gate and every listener; see `EventHook.fire`.

        What a listener raises to steer the task is raised once all have been called: Locust's own, which counts for its
        tables, may come after it.
        """
        if self.first is not None:
            self._call(self.first, event)
        steering: Exception | None = None
        try:
            for listener in self._handlers[::-1] if reverse else self._handlers.copy():
                steering = self._call(listener, event) or steering
        finally:
            if self.last is not None:
                self._call(self.last, event)
        if steering is not None:
            raise steering

    def _call(self, listener: Listener, event: dict[str, Any]) -> Exception | None:
        """Call a listener; return what it raised to steer the task."""
        try:
            listener(**event)
        except CONTROL_FLOW as steering:
            return steering
        except Exception as error:  # noqa: BLE001 - as Locust's own hook does
            logging.error("Uncaught exception in event handler: \n%s", traceback.format_exc())  # noqa: LOG015, TRY400
            replace(log, unhandled_greenlet_exception=True)
            if self.on_error is not None:
                self.on_error(self.name, listener, error)
        except SystemExit as error:
            if self.on_error is None:
                raise
            self.on_error(self.name, listener, error)
        return None
