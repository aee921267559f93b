"""One streamed answer of a model: whether it keeps the service's promises, and the times that are measured of it.

TTFT is the time from sending to the first token event, E2E to the `end` event, ITL the gap between two token events,
and TPOT = (E2E - TTFT) / (n - 1). A simulated model says with each token when it was planned, counted from the arrival
of the request there: what was served minus what was planned is the overhead of everything around the model.
"""

import json
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any

from config import LLM_ITL_OVERHEAD_MS, LLM_TTFT_OVERHEAD_MS

LIVE_MODEL = "answered by a model that may cost money"


def parsed(data: str) -> dict[str, Any]:
    """The JSON object of an event; an empty one where it is none."""
    try:
        event = json.loads(data)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


@dataclass(slots=True)
class StreamedAnswer:
    """What came of one stream; times in milliseconds from its sending."""

    start: dict[str, Any] | None = None
    token_times_ms: list[float] = field(default_factory=list)
    planned_ms: list[float | None] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    e2e_ms: float | None = None
    disorder: str | None = None

    def take(self, data: str, at_ms: float) -> None:
        """Take the data of the next event."""
        event = parsed(data)
        kind = event.get("event")
        if self.e2e_ms is not None:
            self.disorder = "an event came after the end"
        elif (self.start is None) != (kind == "start"):
            self.disorder = "the stream did not begin with one start"
        match kind:
            case "start":
                self.start = event
            case "token":
                if not event.get("content") or self.usage is not None:
                    self.disorder = "an empty token came, or one after the usage"
                self.token_times_ms.append(at_ms)
                self.planned_ms.append(event.get("planned_ms"))
            case "usage":
                self.usage = event.get("usage")
            case "error":
                self.error = event
            case "end":
                self.e2e_ms = at_ms
            case _:
                self.disorder = "an event came that nobody knows"

    def problem(self) -> str | None:
        """What is wrong with it, without figures, so that equal faults count together."""
        if self.start is not None and self.start.get("simulated") is not True:
            return LIVE_MODEL
        if self.error is not None:
            return f"the stream said: {self.error.get('code')}"
        if self.disorder is not None:
            return self.disorder
        if self.e2e_ms is None or self.usage is None:
            return "the stream had no end, or no usage"
        if not self.token_times_ms or self.usage.get("output_tokens") != len(self.token_times_ms):
            return "usage counts other tokens than came"
        return None

    @property
    def ttft_ms(self) -> float:
        """Time to the first token."""
        return self.token_times_ms[0]

    @property
    def gaps_ms(self) -> list[float]:
        """The times between two tokens."""
        return [later - sooner for sooner, later in pairwise(self.token_times_ms)]

    @property
    def tpot_ms(self) -> float | None:
        """Time per token after the first; None for an answer of one token."""
        tokens = len(self.token_times_ms)
        return None if self.e2e_ms is None or tokens < 2 else (self.e2e_ms - self.ttft_ms) / (tokens - 1)

    @property
    def ttft_overhead_ms(self) -> float | None:
        """Served minus planned; None where no plan is known."""
        planned = self.planned_ms[0]
        return None if planned is None else self.ttft_ms - planned

    @property
    def gap_overheads_ms(self) -> list[float]:
        """Served minus planned for each gap, negative where a late token was caught up with; empty without a plan."""
        planned = [time_ms for time_ms in self.planned_ms if time_ms is not None]
        if len(planned) < len(self.planned_ms):
            return []
        return [
            served - (later - sooner) for served, (sooner, later) in zip(self.gaps_ms, pairwise(planned), strict=True)
        ]

    @property
    def is_good(self) -> bool:
        """Whether it meets every limit: the overhead of its TTFT, and that of its ITL at its own p95."""
        overhead_ms, gaps = self.ttft_overhead_ms, sorted(self.gap_overheads_ms)
        if overhead_ms is None or overhead_ms > LLM_TTFT_OVERHEAD_MS:
            return False
        return not gaps or gaps[ceil(0.95 * len(gaps)) - 1] <= LLM_ITL_OVERHEAD_MS
