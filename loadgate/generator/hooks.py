"""Locust event hooks that call the gate before and after the suite's listeners, even if a listener fails."""

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
"""Exceptions with which listeners and tasks control Locust."""

Listener = Callable[..., None]
OnError = Callable[[str, Listener, BaseException], None]
"""Called with the name of the event, the listener and its exception."""


class GateHook(EventHook):
    """A hook of Locust that also calls the gate.

    `first` is called before the listeners, and `last` after them. `on_error` is called for every exception that Locust
    would only log, and for `sys.exit()` in a listener. With `on_error`, `sys.exit()` does not end the process.
    """

    name: str
    first: Listener | None
    last: Listener | None
    on_error: OnError | None

    @classmethod
    def take_over(cls, hook: Any, name: str, **calls: Any) -> None:
        """Convert a hook of Locust to this class and set its calls. Its listeners are kept."""
        become(hook, cls)
        hook.name = name
        hook.first, hook.last, hook.on_error = (calls.get(key) for key in ("first", "last", "on_error"))

    def fire(self, *, reverse: bool = False, **event: Any) -> None:
        """Call the gate and every listener; see `EventHook.fire`.

        A control flow exception of a listener is raised after all listeners have run. Otherwise it could prevent
        Locust's own listener, which updates its tables.
        """
        if self.first is not None:
            self._call(self.first, event)
        control_flow: Exception | None = None
        try:
            for listener in self._handlers[::-1] if reverse else self._handlers.copy():
                control_flow = self._call(listener, event) or control_flow
        finally:
            if self.last is not None:
                self._call(self.last, event)
        if control_flow is not None:
            raise control_flow

    def _call(self, listener: Listener, event: dict[str, Any]) -> Exception | None:
        """Call a listener. Return its control flow exception, if any."""
        try:
            listener(**event)
        except CONTROL_FLOW as control_flow:
            return control_flow
        except Exception as error:  # noqa: BLE001 - as in Locust's hook
            logging.error("Uncaught exception in event handler: \n%s", traceback.format_exc())  # noqa: LOG015, TRY400
            replace(log, unhandled_greenlet_exception=True)
            if self.on_error is not None:
                self.on_error(self.name, listener, error)
        except SystemExit as error:
            if self.on_error is None:
                raise
            self.on_error(self.name, listener, error)
        return None
