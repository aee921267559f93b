"""The time limit of each wait in a stream, in virtual time, and its effect on other cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from inference_core.llm.errors import ProviderTimeoutError
from inference_core.llm.gateway.time_limits import Deadline, WaitTimer
from tests.support.virtual_time import run_in_virtual_time

Clock = Callable[[], float]


def test_a_wait_ends_at_its_limit_and_not_before() -> None:
    async def main(clock: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        for _ in range(50):
            await timer.wait(asyncio.sleep(0.9), 1, "between_tokens")
        began = clock()
        with pytest.raises(ProviderTimeoutError) as raised:
            await timer.wait(asyncio.sleep(5), 1, "between_tokens")
        assert clock() - began == pytest.approx(1)
        assert raised.value.phase == "between_tokens"

    run_in_virtual_time(main)


def test_a_shorter_limit_after_a_longer_one_counts() -> None:
    async def main(clock: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        await timer.wait(asyncio.sleep(0.1), 30, "first_token")
        began = clock()
        with pytest.raises(ProviderTimeoutError) as raised:
            await timer.wait(asyncio.sleep(50), 2, "between_tokens")
        assert (clock() - began, raised.value.phase) == (pytest.approx(2), "between_tokens")

    run_in_virtual_time(main)


def test_the_deadline_ends_all() -> None:
    async def main(clock: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(3))
        await timer.wait(asyncio.sleep(2), 2.5, "first_token")
        with pytest.raises(ProviderTimeoutError) as raised:
            await timer.wait(asyncio.sleep(2), 2.5, "between_tokens")
        assert (clock(), raised.value.phase) == (pytest.approx(3), "total")

    run_in_virtual_time(main)


def test_time_that_the_reader_takes_between_two_waits_does_not_count() -> None:
    async def main(_: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        for _ in range(3):
            await timer.wait(asyncio.sleep(0.5), 1, "between_tokens")
            await asyncio.sleep(10)

    run_in_virtual_time(main)


def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def main(clock: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        task = asyncio.ensure_future(timer.wait(asyncio.sleep(5), 10, "first_token"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock() == pytest.approx(1)

    run_in_virtual_time(main)


def test_a_timeout_around_it_keeps_its_own_meaning() -> None:
    async def main(_: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await timer.wait(asyncio.sleep(5), 10, "first_token")
        with pytest.raises(ProviderTimeoutError):
            async with asyncio.timeout(10):
                await timer.wait(asyncio.sleep(5), 1, "first_token")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_in_virtual_time(main)


def test_what_pays_no_heed_to_being_cancelled_is_late_all_the_same() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "late"
        return "in time"

    async def main(_: Clock) -> None:
        timer = WaitTimer("p", Deadline.after(100))
        with pytest.raises(ProviderTimeoutError):
            await timer.wait(stubborn(), 1, "first_token")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_in_virtual_time(main)


def test_one_timer_serves_a_whole_stream() -> None:
    async def main(_: Clock) -> None:
        loop = asyncio.get_running_loop()
        timer = WaitTimer("p", Deadline.after(1000))
        set_timers = 0
        call_at = loop.call_at

        def counted(*arguments: object, **more: object) -> asyncio.TimerHandle:
            nonlocal set_timers
            set_timers += 1
            return call_at(*arguments, **more)  # type: ignore[arg-type]

        loop.call_at = counted  # type: ignore[assignment,method-assign]
        for _ in range(500):
            await timer.wait(asyncio.sleep(0), 20, "between_tokens")
        timer.end()
        assert set_timers == 1

    run_in_virtual_time(main)
