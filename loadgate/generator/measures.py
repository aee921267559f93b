"""The hook between users, which know of no gate, and the gate of the process, which records what they measure."""

from __future__ import annotations

from locust.event import EventHook

measured = EventHook()  # type: ignore[no-untyped-call]
"""Fired with `measure=` for every measure."""
