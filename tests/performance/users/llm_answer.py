"""One streamed answer of a model, with the checks of its events and the computation of its measures.

TTFT is the time from the sending of the request to the first token event, and E2E is the time to the `end` event. ITL
is the gap between two token events, and TPOT = (E2E - TTFT) / (n - 1). A simulated model states the planned time of
each token, counted from the arrival of the request at the model. The overhead is the measured time minus the planned
time.
"""

import json
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any

from config import LLM_ITL_OVERHEAD_MS, LLM_TTFT_OVERHEAD_MS

LIVE_MODEL = "a live model answered, which can cost money"


def parsed(data: str) -> dict[str, Any]:
    """Return the JSON object of an event, or an empty one if the data is not a JSON object."""
    try:
        event = json.loads(data)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


@dataclass(slots=True)
class StreamedAnswer:
    """The events of one stream. Times are in milliseconds since the request was sent."""

    start: dict[str, Any] | None = None
    token_times_ms: list[float] = field(default_factory=list)
    planned_ms: list[float | None] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    e2e_ms: float | None = None
    order_problem: str | None = None

    def add(self, data: str, at_ms: float) -> None:
        """Add the data of the next event, which arrived at `at_ms`."""
        event = parsed(data)
        kind = event.get("event")
        if self.e2e_ms is not None:
            self.order_problem = "the stream continued after its end event"
        elif (self.start is None) != (kind == "start"):
            self.order_problem = "the stream did not begin with exactly one start event"
        match kind:
            case "start":
                self.start = event
            case "token":
                if not event.get("content") or self.usage is not None:
                    self.order_problem = "the stream contained an empty token, or a token after the usage"
                self.token_times_ms.append(at_ms)
                self.planned_ms.append(event.get("planned_ms"))
            case "usage":
                self.usage = event.get("usage")
            case "error":
                self.error = event
            case "end":
                self.e2e_ms = at_ms
            case _:
                self.order_problem = "the stream contained an unknown event"

    def problem(self) -> str | None:
        """Return what is wrong, or None. The text contains no numbers, so that equal errors are counted together."""
        if self.start is not None and self.start.get("simulated") is not True:
            return LIVE_MODEL
        if self.error is not None:
            return f"the stream reported an error: {self.error.get('code')}"
        if self.order_problem is not None:
            return self.order_problem
        if self.e2e_ms is None or self.usage is None:
            return "the stream had no end event, or no usage"
        if not self.token_times_ms or self.usage.get("output_tokens") != len(self.token_times_ms):
            return "the usage differs from the number of tokens"
        return None

    @property
    def ttft_ms(self) -> float:
        """Time to the first token."""
        return self.token_times_ms[0]

    @property
    def gaps_ms(self) -> list[float]:
        """Times between two consecutive tokens."""
        return [later - sooner for sooner, later in pairwise(self.token_times_ms)]

    @property
    def tpot_ms(self) -> float | None:
        """Time per token after the first, or None for an answer of one token."""
        tokens = len(self.token_times_ms)
        return None if self.e2e_ms is None or tokens < 2 else (self.e2e_ms - self.ttft_ms) / (tokens - 1)

    @property
    def ttft_overhead_ms(self) -> float | None:
        """Measured minus planned TTFT, or None without a planned time."""
        planned = self.planned_ms[0]
        return None if planned is None else self.ttft_ms - planned

    @property
    def gap_overheads_ms(self) -> list[float]:
        """Measured minus planned time of each gap. It is negative after a late token. Empty without planned times."""
        planned = [time_ms for time_ms in self.planned_ms if time_ms is not None]
        if len(planned) < len(self.planned_ms):
            return []
        return [
            served - (later - sooner) for served, (sooner, later) in zip(self.gaps_ms, pairwise(planned), strict=True)
        ]

    @property
    def is_good(self) -> bool:
        """Whether the TTFT overhead and the p95 of the ITL overheads keep their limits."""
        overhead_ms, gaps = self.ttft_overhead_ms, sorted(self.gap_overheads_ms)
        if overhead_ms is None or overhead_ms > LLM_TTFT_OVERHEAD_MS:
            return False
        return not gaps or gaps[ceil(0.95 * len(gaps)) - 1] <= LLM_ITL_OVERHEAD_MS
