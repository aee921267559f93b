"""Open-model arrivals: intended starts against numerical integration, and shares without gaps or doubles."""

import math

import pytest

from loadgate.shape.arrivals import ArrivalSchedule, RateSegment, parse_rate

FOREVER = math.inf


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("50/s", [RateSegment(50, 50, FOREVER)]),
        (" 0.5 / s ", [RateSegment(0.5, 0.5, FOREVER)]),
        ("90/min", [RateSegment(1.5, 1.5, FOREVER)]),
        ("10..200/s over 2m", [RateSegment(10, 200, 120), RateSegment(200, 200, FOREVER)]),
        ("0 .. 20/s over 1m30s", [RateSegment(0, 20, 90), RateSegment(20, 20, FOREVER)]),
        ("20..0/S OVER 10s", [RateSegment(20, 0, 10), RateSegment(0, 0, FOREVER)]),
    ],
)
def test_valid_rates_are_parsed(text: str, segments: list[RateSegment]) -> None:
    assert parse_rate(text) == ArrivalSchedule(tuple(segments))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is not an arrival rate; write a rate such as 50/s"),
        ("50", "is not an arrival rate"),
        ("-5/s", "is not an arrival rate"),
        ("fast", "is not an arrival rate"),
        ("50/h", "is not an arrival rate"),
        ("10..200/s", "needs two rates and a duration"),
        ("50/s over 2m", "needs two rates and a duration"),
        ("10..20/s over soon", "'soon' is not a duration"),
        ("10..20/s over 0s", "a duration must be above 0"),
        ("0/s", "a rate of 0 generates no load"),
        ("0..0/s over 1m", "a rate of 0 generates no load"),
        ("10..20/s over 2m and on", "is not an arrival rate"),
    ],
)
def test_an_invalid_rate_is_one_line_with_examples(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        parse_rate(text)

    assert part in str(refusal.value)
    assert repr(text) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("rate", [0.1, 1, 3, 50, 333.3, 10_000])
def test_a_constant_rate_is_evenly_spaced(rate: float) -> None:
    schedule = parse_rate(f"{rate}/s")

    assert schedule.start_s(0) == 0
    for index in (1, 2, 7, 1000, 1_000_000):
        assert schedule.start_s(index) == pytest.approx(index / rate, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "elapsed_s", "count"),
    [
        ("50/s", 0, 0),
        ("50/s", 0.001, 1),
        ("50/s", 0.02, 1),
        ("50/s", 0.0201, 2),
        ("50/s", 60, 3000),
        ("0.1/s", 3, 1),
        ("0.1/s", 30, 3),
        ("0..10/s over 10s", 10, 50),
        ("10..200/s over 2m", 120, 12_600),
        ("10..200/s over 2m", 121, 12_800),
        ("20..0/s over 10s", 10, 100),
        ("20..0/s over 10s", 1000, 100),
    ],
)
def test_the_number_of_arrivals_before_a_time(text: str, elapsed_s: float, count: int) -> None:
    assert parse_rate(text).count_before(elapsed_s) == count


SCHEDULES = {
    "constant": parse_rate("50/s"),
    "ramp up": parse_rate("10..200/s over 10s"),
    "ramp up from nothing": parse_rate("0..30/s over 10s"),
    "ramp down": parse_rate("40..5/s over 10s"),
    "ramp down to nothing": parse_rate("40..0/s over 10s"),
    "almost constant": parse_rate("50..50.0001/s over 10s"),
    "base, pause and spike": ArrivalSchedule(
        (RateSegment(5, 5, 4), RateSegment(5, 0, 2), RateSegment(0, 0, 3), RateSegment(80, 80, 1), RateSegment(5, 5, 4))
    ),
    "nothing at first": ArrivalSchedule((RateSegment(0, 0, 2), RateSegment(10, 10, 2))),
}


def rate_at(schedule: ArrivalSchedule, elapsed_s: float) -> float:
    for segment in schedule.segments:
        if elapsed_s < segment.duration_s:
            return segment.first + segment.slope * elapsed_s
        elapsed_s -= segment.duration_s
    return 0.0


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_arrival_i_starts_when_the_area_under_the_rate_reaches_i(schedule: ArrivalSchedule) -> None:
    starts: list[float] = []
    while (start_s := schedule.start_s(len(starts))) is not None and start_s < 14:
        starts.append(start_s)

    assert starts == sorted(starts)
    step_s = 0.0005
    area, at_s = 0.0, 0.0
    for index, start_s in enumerate(starts):
        while at_s < start_s - 1e-9:
            width_s = min(step_s, start_s - at_s)
            area += rate_at(schedule, at_s + width_s / 2) * width_s
            at_s += width_s
        assert area == pytest.approx(index, abs=0.06)
    assert schedule.count_before(14) == len(starts)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_counting_and_timing_agree_at_every_arrival(schedule: ArrivalSchedule) -> None:
    for index in range(60):
        start_s = schedule.start_s(index)
        if start_s is not None:
            assert schedule.count_before(start_s + 1e-4) >= index + 1
            assert schedule.count_before(start_s - 1e-4) <= index


def test_a_schedule_that_has_ended_has_no_more_arrivals() -> None:
    schedule = ArrivalSchedule((RateSegment(10, 10, 2),))

    assert schedule.start_s(19) == pytest.approx(1.9)
    assert schedule.start_s(20) is None
    assert ArrivalSchedule().start_s(0) is None
    assert ArrivalSchedule().count_before(100) == 0
