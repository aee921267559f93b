"""Serve plans in real time, with limited concurrency and a queue. The speed decreases with the load."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from inference_core.llm.simulator.faults import (
    REFUSALS,
    Fault,
    FaultKind,
    SimulatedFailure,
    breaks_at,
    delay_ms,
    draw_fault,
    parse_fault,
)
from inference_core.llm.simulator.plan import Plan, make_plan
from inference_core.llm.simulator.speeds import SPEEDS, Speed
from inference_core.llm.tokens import typical_prompt_tokens
from inference_core.llm.types import ChatRequest, ModelCall, Token

# Number of overdue tokens to send before other tasks run.
TOKENS_PER_TURN = 16


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """The options of the simulator.

    Attributes:
        speed: A name of `SPEEDS`.
        max_num_seqs: Maximum number of concurrent requests.
        max_queued: Maximum number of waiting requests. Further requests exceed the rate limit.
        load_factor: At full concurrency, every request takes `1 + load_factor` times as long as on an idle machine.
        fault_rates: The share of requests that fail, by kind, drawn in order of arrival from the seed.
        honour_faults: Whether a request may ask for a fault.
    """

    speed: str = "fast"
    seed: int = 0
    max_num_seqs: int = 256
    max_queued: int = 1024
    load_factor: float = 1.0
    fault_rates: Mapping[FaultKind, float] = field(default_factory=dict)
    honour_faults: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A running request: its plan, the time in the queue, and its slowdown compared to an idle machine."""

    plan: Plan
    queued_ms: float
    slowdown: float
    fault: Fault | None
    arrived: float
    clock: Callable[[], float]

    async def tokens(self) -> AsyncGenerator[Token, None]:
        """Yield each token when it is due. A reader that is slower than the plan gets the next token immediately."""
        extra_ms = 0.0
        for index, (content, due_ms) in enumerate(zip(self.plan.tokens, self.plan.due_ms, strict=True)):
            if self.fault:
                if breaks_at(self.fault, index):
                    raise SimulatedFailure(self.fault)
                extra_ms += delay_ms(self.fault, index)
            planned_ms = self.queued_ms + self.slowdown * due_ms + extra_ms
            # Relative to the arrival and not to the last token, so that timer delays do not accumulate.
            wait_s = self.arrived + planned_ms / 1000 - self.clock()
            if wait_s > 0 or index % TOKENS_PER_TURN == 0:
                await asyncio.sleep(max(0.0, wait_s))
            yield Token(content, planned_ms)
        if self.fault and breaks_at(self.fault, math.inf):
            raise SimulatedFailure(self.fault)


class Engine:
    """A simulated machine. `running` and `queued` are its current load."""

    def __init__(self, options: SimulatorOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self.speed: Speed = SPEEDS[options.speed]
        self.running = 0
        self.queued = 0
        self._clock = clock
        self._places = asyncio.Semaphore(options.max_num_seqs)
        self._chance = random.Random(options.seed)  # noqa: S311  # a simulation, not a secret

    def slowdown(self) -> float:
        """Return the factor by which a request that starts now is slower than on an idle machine.

        The request keeps this factor until its end.
        """
        share = (self.running - 1) / max(1, self.options.max_num_seqs - 1)
        return 1 + self.options.load_factor * share

    @asynccontextmanager
    async def answer(self, request: ChatRequest, call: ModelCall) -> AsyncIterator[Answer]:
        """Start a request when a place is free, and hold the place until the context ends.

        Raises:
            SimulatedFailure: Here before the first token, or between two tokens while the answer is read.
            BadFaultError: The request asks for an unknown fault.
        """
        arrived = self._clock()
        fault = self._fault_of(request)
        if fault and fault.kind in REFUSALS:
            raise SimulatedFailure(fault)
        plan = self._plan(request, call)
        async with self._place():
            queued_ms = 1000 * (self._clock() - arrived)
            yield Answer(plan, queued_ms, self.slowdown(), fault, arrived, self._clock)

    def _plan(self, request: ChatRequest, call: ModelCall) -> Plan:
        room = None
        if call.context_tokens is not None:
            room = call.context_tokens - typical_prompt_tokens(request.messages)
            if room < (request.params.max_tokens or 1):
                raise SimulatedFailure(Fault("context_too_long"))
        return make_plan(self.options.seed, request, call.name, self.speed, room)

    def _fault_of(self, request: ChatRequest) -> Fault | None:
        if request.fault and self.options.honour_faults:
            return parse_fault(request.fault)
        return draw_fault(self._chance, self.options.fault_rates)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._places.locked() and self.queued >= self.options.max_queued:
            raise SimulatedFailure(Fault("rate_limited", 1))
        self.queued += 1
        try:
            await self._places.acquire()
        finally:
            self.queued -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._places.release()
