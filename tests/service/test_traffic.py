"""Slots for requests: how many run, how many wait, in which order, and that none is lost."""

from __future__ import annotations

import asyncio

import pytest

from inference_core.core import traffic as traffic_module
from inference_core.core.background import run_until_cancelled
from inference_core.core.traffic import OverloadedError, Slot, Traffic

pytestmark = pytest.mark.anyio


async def test_slots_are_given_in_order_and_beyond_the_queue_refused() -> None:
    traffic = Traffic(limit=1, queue_limit=2)
    assert traffic.try_enter()
    assert not traffic.try_enter()
    order: list[int] = []

    async def wait(number: int) -> None:
        await traffic.enter()
        order.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await traffic.enter()
    for _ in range(3):
        traffic.leave()
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [0, 1]
    assert (traffic.active, len(traffic.waiting)) == (0, 0)


async def test_caller_who_gives_up_takes_no_slot_along() -> None:
    traffic = Traffic(limit=1, queue_limit=5)
    traffic.try_enter()
    quitter = asyncio.create_task(traffic.enter())
    patient = asyncio.create_task(traffic.enter())
    await asyncio.sleep(0)
    quitter.cancel()
    await asyncio.gather(quitter, return_exceptions=True)
    traffic.leave()
    await patient
    assert traffic.active == 1
    traffic.leave()
    assert traffic.active == 0


async def test_caller_cancelled_in_the_moment_of_its_turn_passes_it_on() -> None:
    traffic = Traffic(limit=1, queue_limit=5)
    traffic.try_enter()
    quitter = asyncio.create_task(traffic.enter())
    patient = asyncio.create_task(traffic.enter())
    await asyncio.sleep(0)
    traffic.leave()
    quitter.cancel()
    await asyncio.gather(quitter, return_exceptions=True)
    await asyncio.wait_for(patient, 5)
    traffic.leave()
    assert (traffic.active, len(traffic.waiting)) == (0, 0)


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_module, "LONGEST_WAIT_S", 0.05)
    traffic = Traffic(limit=1, queue_limit=1)
    traffic.try_enter()
    with pytest.raises(OverloadedError):
        await traffic.enter()
    assert len(traffic.waiting) == 0


async def test_slot_is_given_back_once() -> None:
    traffic = Traffic(limit=2, queue_limit=0)
    slot = Slot(traffic)
    traffic.try_enter()
    traffic.try_enter()
    slot.release()
    slot.release()
    assert traffic.active == 1


async def test_background_loop_survives_failures_and_ends_though_a_cancellation_is_lost() -> None:
    turns = 0
    second = asyncio.Event()

    async def look() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise RuntimeError("the first look fails")
        second.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return  # as a client library does that takes it for its own timeout

    async with asyncio.timeout(10):
        async with run_until_cancelled(look, every_s=0, name="look"):
            await second.wait()
    assert turns == 2
