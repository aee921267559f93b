"""The circuit breaker, with a simulated clock."""

from __future__ import annotations

import pytest

from inference_core.llm.errors import CircuitOpenError
from inference_core.llm.gateway.breaker import CircuitBreaker


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("p", failures_allowed=3, open_s=30, clock=clock)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed()


def test_it_opens_after_so_many_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    assert not breaker.is_open
    breaker.enter()
    breaker.succeeded()
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open


def test_open_it_refuses_and_says_for_how_long(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s = 10.5
    with pytest.raises(CircuitOpenError) as raised:
        breaker.enter()
    assert raised.value.retry_after_s == 20


def test_after_a_while_one_call_passes_and_its_success_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s = 30
    breaker.enter()
    with pytest.raises(CircuitOpenError):
        breaker.enter()
    breaker.succeeded()
    fail(breaker, 2)
    assert not breaker.is_open


def test_its_failure_opens_it_for_as_long_again(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s = 30
    breaker.enter()
    breaker.failed()
    assert breaker.is_open
    clock.now_s = 59
    assert breaker.is_open
    clock.now_s = 60
    assert not breaker.is_open


def test_the_first_token_of_the_trial_lets_others_pass_but_one_more_failure_opens_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now_s = 30
    breaker.enter()
    breaker.answered()
    breaker.enter()
    breaker.failed()
    assert breaker.is_open


def test_a_call_that_was_given_up_leaves_room_for_the_next(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s = 30
    breaker.enter()
    breaker.left()
    breaker.enter()
    breaker.succeeded()
    assert not breaker.is_open
