"""Rate limits hold exactly: for any sequence of times, and for several processes that use one Redis."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from inference_core.core.exceptions import OperatorError
from inference_core.core.rate_limit import MOST_BLOCKS, PACKAGE, Rate, RateError
from tests.support.stack import ROOT

SECOND_US = 1_000_000
START_US = 1_700_000_000 * SECOND_US
# Long enough for a test: keys expire by the real clock.
WINDOW_S = 600
SOURCE = files(PACKAGE).joinpath("lua", "rate_limit.lua").read_text()
AT_A_GIVEN_TIME = SOURCE.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}")

# Several processes run this: each counts requests until it was refused and admitted again, or a number of times.
HAMMER = """
import asyncio, json, sys, time
from inference_core.core.rate_limit import Rate, RateLimitedError, RateLimiter
from inference_core.core.redis.client import open_client
from inference_core.core.settings import Settings

url, name, rate, times = sys.argv[1], sys.argv[2], Rate.parse(sys.argv[3]), int(sys.argv[4])

async def hammer():
    admitted, was_refused, after = [], False, 0
    async with open_client(Settings(_env_file=None), url) as client:
        limiter = RateLimiter(client)
        await client.ping()
        print("ready", flush=True)
        sys.stdin.readline()
        count = 0
        while (count < times) if times else (after < 10):
            count += 1
            sent = time.monotonic()
            try:
                await limiter.admit(name, rate)
            except RateLimitedError:
                was_refused = True
                await asyncio.sleep(0 if times else 0.005)
            else:
                admitted.append((sent, time.monotonic()))
                after += was_refused
    print(json.dumps(admitted))

asyncio.run(hammer())
"""


@pytest.fixture(scope="module")
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def admit_at(redis: Redis, key: str, rate: Rate, now_us: int) -> int:
    """The answer of the script at a time: the us to wait, 0 if it admits a request."""
    arguments = (rate.count, rate.window_s * SECOND_US, rate.block, *divmod(now_us, SECOND_US))
    answer: Any = redis.eval(AT_A_GIVEN_TIME, 1, key, *arguments)
    return int(answer)


def times_of(steps: list[int]) -> list[int]:
    times, now = [], START_US
    for step in steps:
        now += step
        times.append(now)
    return times


steps_between_requests = st.lists(
    st.one_of(
        st.just(0), st.integers(0, 1000), st.integers(0, WINDOW_S * SECOND_US // 10), st.just(WINDOW_S * SECOND_US)
    ),
    min_size=1,
    max_size=60,
)


@settings(suppress_health_check=list(HealthCheck))
@given(count=st.integers(1, 12), steps=steps_between_requests)
def test_S50_a_request_is_admitted_exactly_if_fewer_were_admitted_in_the_window(
    redis: Redis, count: int, steps: list[int]
) -> None:
    rate, key, window_us = Rate(count, WINDOW_S), secrets.token_hex(8), WINDOW_S * SECOND_US
    admitted: list[int] = []
    for now in times_of(steps):
        wait_us = admit_at(redis, key, rate, now)
        recent = [time for time in admitted if time > now - window_us]
        assert wait_us == (recent[-count] + window_us - now if len(recent) >= count else 0)
        if not wait_us:
            admitted.append(now)
    redis.delete(key)


@settings(suppress_health_check=list(HealthCheck), max_examples=20)
@given(extra=st.integers(1, 250), bursts=st.lists(st.integers(0, WINDOW_S * SECOND_US), min_size=1, max_size=4))
def test_S50_a_limit_of_many_requests_holds_in_any_window_with_bounded_memory(
    redis: Redis, extra: int, bursts: list[int]
) -> None:
    rate, key, window_us = Rate(MOST_BLOCKS + extra, WINDOW_S), secrets.token_hex(8), WINDOW_S * SECOND_US
    admitted: list[int] = []
    now = START_US
    for burst in bursts:
        now += burst
        for _ in range(rate.count * 2 // 3):
            now += 7
            if not admit_at(redis, key, rate, now):
                admitted.append(now)
    for first, last in zip(admitted, admitted[rate.count :], strict=False):
        assert last - first >= window_us
    assert len(admitted) >= min(rate.count, len(bursts) * (rate.count * 2 // 3))
    assert redis.llen(key) <= MOST_BLOCKS + 2
    # After the wait that a refusal names, a request is admitted; a moment earlier, it is not.
    while not (wait_us := admit_at(redis, key, rate, now)):
        continue
    assert admit_at(redis, key, rate, now + wait_us - 1) == 1
    assert admit_at(redis, key, rate, now + wait_us) == 0
    redis.delete(key)


def test_S50_a_counter_expires_and_a_clock_that_was_set_back_does_not_lock(redis: Redis) -> None:
    rate, key = Rate(2, WINDOW_S), secrets.token_hex(8)
    assert [admit_at(redis, key, rate, START_US) for _ in range(2)] == [0, 0]
    assert WINDOW_S - 60 < redis.ttl(key) <= WINDOW_S
    slightly_back, far_back = START_US - SECOND_US, START_US - 2 * WINDOW_S * SECOND_US
    assert admit_at(redis, key, rate, slightly_back) == WINDOW_S * SECOND_US
    assert admit_at(redis, key, rate, far_back) == 0


def hammered(redis_url: str, rate: str, times: int, processes: int = 3) -> list[tuple[float, float]]:
    """When each admitted request of several processes was sent and answered, by one clock."""
    command = [sys.executable, "-c", HAMMER, redis_url, secrets.token_hex(8), rate, str(times)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = []
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in started:
            answers.append(process.communicate(timeout=100)[0])
            assert process.returncode == 0
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [(sent, answered) for answer in answers for sent, answered in json.loads(answer)]


def test_S50_several_processes_are_admitted_exactly_so_many_times(redis_url: str) -> None:
    assert len(hammered(redis_url, "150/hour", times=150)) == 150


def test_S50_several_processes_never_exceed_a_limit_in_any_window(redis_url: str) -> None:
    count = 20
    admitted = hammered(redis_url, f"{count}/second", times=0)
    assert len(admitted) > count
    for start, _ in admitted:
        # These were certainly admitted within one window.
        within = [sent for sent, answered in admitted if sent >= start and answered < start + 1]
        assert len(within) <= count


@pytest.mark.parametrize(
    ("text", "count", "window_s"),
    [
        ("1/second", 1, 1),
        ("10/minute", 10, 60),
        ("100/hour", 100, 3600),
        ("1000000/day", 1_000_000, 86_400),
        ("5/30s", 5, 30),
        ("5/15m", 5, 900),
        ("5/12h", 5, 43_200),
        ("5/31d", 5, 2_678_400),
    ],
)
def test_a_rate_is_a_count_and_a_time(text: str, count: int, window_s: int) -> None:
    assert Rate.parse(text) == Rate(count, window_s)


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "10/", "/minute", "0/minute", "-1/minute", "01/minute", "1.5/minute", "10/minutes", "10/MINUTE"),
        *("10 / minute", "10/minute ", "10/minute\n", "10/0s", "10/60", "10/5w", "10/32d", "1000001/day", "٣/minute"),
        *("10/9999999d", "9" * 100_000 + "/minute", "10/minute;DEL"),
    ],
)
def test_another_text_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(RateError) as raised:
        Rate.parse(text)
    assert isinstance(raised.value, OperatorError)
    (line,) = str(raised.value).splitlines()
    assert line.startswith("rate limit ")
    assert "must" in line
    assert len(line) < 140


def test_the_number_of_stored_times_does_not_grow_with_the_count() -> None:
    blocks = [Rate(count, 1).block for count in (1, 100, 101, 200, 201, 1_000_000)]
    assert blocks == [1, 1, 2, 2, 3, 10_000]
    assert all(later >= earlier for earlier, later in pairwise(blocks))
