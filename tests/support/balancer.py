"""A load balancer as an orchestrator has one: it sends each request to a replica that says it is ready.

The requests come from users of its own; what became of each is kept.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx2

from tests.support.service import PREFIX

# What a user does next, at the replica with this base URL.
Step = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]
ASK_EVERY_S = 0.05


class Balancer:
    """Users over replicas; readiness is asked every 50 ms."""

    def __init__(self, urls: list[str]) -> None:
        self.ready = dict.fromkeys(urls, True)
        self.outcomes: Counter[str] = Counter()
        self.stopped = False
        self._took: list[tuple[float, float]] = []

    @contextmanager
    def under_load(self, users: int, step: Step, *, pause_s: float = 0.0) -> Iterator[None]:
        """Users who do `step` again and again, with a pause between two, while the context lasts."""
        load = threading.Thread(target=lambda: asyncio.run(self._run(users, step, pause_s)), daemon=True)
        load.start()
        try:
            yield
        finally:
            self.stopped = True
            load.join(60)

    def p99_ms(self, since_s: float, until_s: float) -> float:
        """The 99th percentile of the answers that came between two moments of `time.monotonic`."""
        took = [seconds for at_s, seconds in self._took if since_s <= at_s < until_s]
        return statistics.quantiles(took, n=100)[98] * 1000

    async def _run(self, users: int, step: Step, pause_s: float) -> None:
        limits = httpx2.Limits(max_connections=users * 2 + 10)
        async with httpx2.AsyncClient(timeout=30, limits=limits, trust_env=False, verify=False) as client:
            people = (self._user(client, number, step, pause_s) for number in range(users))
            await asyncio.gather(self._watch(client), *people)

    async def _watch(self, client: httpx2.AsyncClient) -> None:
        while not self.stopped:
            for url in self.ready:
                try:
                    response = await client.get(f"{url}{PREFIX}/health/ready")
                    self.ready[url] = response.status_code == 200
                except httpx2.TransportError:
                    self.ready[url] = False
            await asyncio.sleep(ASK_EVERY_S)

    async def _user(self, client: httpx2.AsyncClient, number: int, step: Step, pause_s: float) -> None:
        turn = number
        while not self.stopped:
            urls = [url for url, ready in self.ready.items() if ready]
            if not urls:
                self.outcomes["no replica is ready"] += 1
                await asyncio.sleep(ASK_EVERY_S)
                continue
            turn += 1
            start_s = time.monotonic()
            try:
                response = await step(client, urls[turn % len(urls)])
                self.outcomes[str(response.status_code)] += 1
            except httpx2.TransportError as error:
                self.outcomes[type(error).__name__] += 1
            self._took.append((time.monotonic(), time.monotonic() - start_s))
            await asyncio.sleep(pause_s)
