"""Test what each mode of the leaking stub holds at each time, without a clock or a server."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from benchmarks.calibrate.stubs.memory import MB, heap_bytes
from benchmarks.calibrate.stubs.modes import MODES, Held

TICKS = [tick / 2 for tick in range(600)]
"""Five minutes, in seconds."""
ERROR_BYTES = 33_000
"""The size of the largest small block."""


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held(random.Random(7))
    yield held
    for memory in (held.native, held.large):
        memory.hold(0)


def course(mode: str, held: Held, ticks: Sequence[float] = TICKS) -> list[int]:
    """The bytes held at each tick."""
    advance = MODES[mode].start(held)
    levels = []
    for time_s in ticks:
        advance(time_s)
        levels.append(held.python.held_bytes + held.native.held_bytes + held.large.held_bytes)
    return levels


@pytest.mark.parametrize("mode", ["python-leak", "native-leak"])
def test_leaks_take_one_mb_a_minute(mode: str, held: Held) -> None:
    for time_s, level in zip(TICKS, course(mode, held), strict=True):
        assert 0 <= level - time_s / 60 * MB <= ERROR_BYTES


def test_a_cache_is_full_after_two_minutes_and_stays_so(held: Held) -> None:
    levels = course("cache", held)
    assert levels[120] == pytest.approx(10 * MB, abs=ERROR_BYTES)
    assert all(20 * MB <= level <= 20 * MB + 1000 for level in levels[240:])


def test_a_full_cache_replaces_its_oldest_entries(held: Held) -> None:
    advance = MODES["cache"].start(held)
    advance(120.0)
    oldest = held.python._batches[0]
    advance(121.0)
    assert all(batch is not oldest for batch in held.python._batches)
    assert held.python.held_bytes == pytest.approx(20 * MB, abs=ERROR_BYTES)


def test_a_sawtooth_rises_to_60_mb_on_average_and_falls_to_nothing(held: Held) -> None:
    levels = course("sawtooth", held)
    tops = [before for before, after in pairwise(levels) if after < before]
    bottoms = [after for before, after in pairwise(levels) if after < before]
    assert 12 <= len(tops) <= 20
    assert all(43 * MB < top < 76 * MB for top in tops)
    assert 50 * MB < sum(tops) / len(tops) < 70 * MB
    assert bottoms == [0] * len(bottoms)


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_one_of_30_mb_between_the_first_and_the_fourth_minute(seed: int) -> None:
    levels = course("step", Held(random.Random(seed)))
    rises = [place for place, (before, after) in enumerate(pairwise(levels)) if after != before]
    assert len(rises) == 1
    assert 60 <= TICKS[rises[0] + 1] <= 240.5
    assert levels[-1] == pytest.approx(30 * MB, abs=ERROR_BYTES)


def test_a_warm_up_approaches_20_mb_with_90_s(held: Held) -> None:
    for time_s, level in zip(TICKS, course("warm-up", held), strict=True):
        assert level == pytest.approx(20 * MB * (1 - math.exp(-time_s / 90)), abs=ERROR_BYTES)


def test_arena_leaves_nothing_in_use_that_its_bursts_took(held: Held) -> None:
    in_use_before, _ = heap_bytes()
    levels = course("arena", held)
    bursts = [level for level in levels if level > ERROR_BYTES]
    assert len(bursts) == 60
    assert all(6 * MB <= level <= 31 * MB for level in bursts)
    assert max(bursts[:3]) < 12 * MB
    assert max(bursts) > 25 * MB
    in_use, kept = heap_bytes()
    assert in_use - in_use_before < 3 * MB
    assert kept - in_use > 15 * MB


def test_none_holds_nothing(held: Held) -> None:
    assert set(course("none", held)) == {0}


@pytest.mark.parametrize("mode", ["step", "arena", pytest.param("sawtooth", marks=pytest.mark.full)])
def test_a_seed_gives_the_same_course_each_time(mode: str) -> None:
    courses = []
    for seed in (1, 1, 2):
        held = Held(random.Random(seed))
        courses.append(course(mode, held, TICKS[:300:10]))
        held.large.hold(0)
        held.native.hold(0)
    first, again, other = courses
    assert again == pytest.approx(first, abs=ERROR_BYTES)
    assert other != pytest.approx(first, abs=ERROR_BYTES)


def test_only_what_grows_without_end_is_called_a_leak() -> None:
    assert {name for name, mode in MODES.items() if mode.leaks} == {name for name in MODES if name.endswith("-leak")}
