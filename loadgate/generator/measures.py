"""The event through which users report measures to the recorder of their process."""

from __future__ import annotations

from locust.event import EventHook

measured = EventHook()  # type: ignore[no-untyped-call]
"""Fired with `measure=` for every measure."""
