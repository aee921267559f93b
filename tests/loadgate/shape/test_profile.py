"""Load profiles: as the suite declares them, and what is wrong with them before any load is made."""

import math
from typing import Any

import pytest

from loadgate.shape.arrivals import RateSegment, parse_rate
from loadgate.shape.profile import LoadProfile, ProfileError, Stage, find_profile
from loadgate.shape.stages import open_stage_starts, settling

CLASSES = ["HealthCheckUser", "HealthCheckFullUser", "AuthUserFlow", "TasksMonitoringUser"]
WEIGHTS = {"HealthCheckUser": 10, "HealthCheckFullUser": 1, "AuthUserFlow": 15, "TasksMonitoringUser": 1}


def profile(**changes: Any) -> LoadProfile:
    fields: dict[str, Any] = {
        "name": "custom",
        "description": "Custom load profile",
        "users": 30,
        "spawn_rate": 3.0,
        "run_time": "7m",
        "weight_config": WEIGHTS,
    }
    return LoadProfile(**(fields | changes))


def test_a_profile_with_six_fields_is_valid() -> None:
    custom = profile()

    custom.validate(CLASSES)
    assert custom.run_time_s == 420
    assert custom.arrivals() is None
    assert custom.own_limits is None


def test_a_run_time_can_be_a_number_of_seconds() -> None:
    assert profile(run_time=90).run_time_s == 90


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"users": 0}, "users must be a whole number of at least 1, not 0"),
        ({"users": -3}, "not -3"),
        ({"users": 2.5}, "not 2.5"),
        ({"users": "10"}, "not '10'"),
        ({"users": True}, "not True"),
        ({"spawn_rate": 0}, "spawn_rate must be a number of users per second above 0, not 0"),
        ({"spawn_rate": "fast"}, "not 'fast'"),
        ({"spawn_rate": math.nan}, "not nan"),
        ({"run_time": "soon"}, "run_time: 'soon' is not a duration"),
        ({"run_time": "0s"}, "run_time: a duration must be above 0"),
        ({"run_time": None}, "run_time: None is not a duration"),
        (
            {"weight_config": {"HealthChekUser": 1}},
            f"unknown user class HealthChekUser in weight_config; known classes: {', '.join(sorted(CLASSES))}",
        ),
        ({"weight_config": {"AuthUserFlow": -1}}, "the weight of AuthUserFlow must be a whole number"),
        ({"weight_config": {"AuthUserFlow": 1.5}}, "not 1.5"),
        ({"weight_config": {"AuthUserFlow": 0}}, "every class has weight 0"),
        ({"rate": "fast"}, "rate: 'fast' is not an arrival rate"),
        ({"rate": 50}, "rate: 50 is not an arrival rate"),
        ({"rate": "5/s", "stages": [Stage("1m", rate=5)]}, "give either rate or stages"),
        ({"rules": ["auth: p95 < 500"]}, "rule 1, column 16: p95 is a time"),
        ({"thresholds": {"auth": 1}}, "unknown threshold 'auth'"),
        ({"stages": [Stage("1m")]}, "stage 1: give either users or rate"),
        ({"stages": [Stage("1m", users=1, rate=1)]}, "stage 1: give either users or rate"),
        ({"stages": [Stage("1m", users=1), Stage("1m", rate=1)]}, "either all stages have a rate or none"),
        ({"stages": [Stage("1m", users=-1)]}, "stage 1: users must be a whole number of at least 0"),
        ({"stages": [Stage("1m", rate=math.inf)]}, "stage 1: rate must be a number"),
        ({"stages": [Stage("1m", users=1, spawn_rate=0)]}, "stage 1: spawn_rate must be above 0"),
        ({"stages": [Stage("1m", users=1, spawn_rate=1, ramp="5s")]}, "stage 1: give either spawn_rate or ramp"),
        ({"stages": [Stage("1m", users=1, ramp="2m")]}, "stage 1: the ramp (2m) is longer than the stage (1m)"),
        ({"stages": [Stage("1m", users=1), Stage("x", users=1)]}, "stage 2: 'x' is not a duration"),
        ({"stages": [Stage("1m", users=1, name="ramp")]}, "the name 'ramp' is reserved"),
        ({"stages": [Stage("1m", users=1, name=1)]}, "stage 1: name must be text, not 1"),  # type: ignore[arg-type]
        ({"description": None}, "description must be text, not None"),
        ({"stages": [Stage("1m", users=1), "1m"]}, "stage 2: must be a Stage(...), not '1m'"),
        ({"stages": Stage("1m", users=1)}, "stages must be a list of Stage(...), not Stage("),
        ({"weight_config": ["AuthUserFlow"]}, "weight_config must map class names to weights"),
        ({"weight_config": {Stage: 1}}, "unknown user class <class "),
        ({"thresholds": ["auth_p95_ms"]}, "thresholds must map keys to limits"),
        ({"rules": [7]}, "rule 1, column 1: a rule is a string, such as 'auth: p95 < 500ms': 7"),
        ({"stages": [Stage("1m", users=1, name="outside")]}, "the name 'outside' is reserved"),
    ],
)
def test_a_problem_is_one_line_with_the_profile_and_what_to_change(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ProfileError) as refusal:
        profile(**changes).validate(CLASSES)

    assert part in str(refusal.value)
    assert str(refusal.value).startswith("profile 'custom': ")
    assert "\n" not in str(refusal.value)


def test_all_problems_are_reported_together() -> None:
    limits: dict[str, Any] = {"thresholds": {"auth": 1}, "rules": ["auth: p95 < 500", "auth: speed < 1s"]}
    problems = profile(users=0, spawn_rate=0, run_time="x", weight_config={"A": 1}, stages="1m", **limits)

    assert len(problems.problems(CLASSES)) == 8


def test_classes_are_not_checked_before_they_are_known() -> None:
    assert profile(weight_config={"Anything": 1}).problems() == []


def test_stages_replace_the_run_time() -> None:
    spike = profile(stages=[Stage("30s", users=10), Stage("1m", users=100, spawn_rate=50), Stage("30s", users=10)])

    spike.validate(CLASSES)
    assert spike.run_time_s == 120
    assert spike.arrivals() is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"users": 10, "spawn_rate": 2, "run_time": "90s"}, "10 users, 2/s, 1 min 30 s"),
        ({"rate": "50/s", "run_time": "1m"}, "50 arrivals/s, 1 min"),
        ({"rate": "10..200/s over 2m", "run_time": "5m"}, "up to 200 arrivals/s, 5 min"),
        ({"stages": [Stage("1m", rate=10), Stage("30s", rate=40)]}, "up to 40 arrivals/s, 1 min 30 s"),
        ({"stages": [Stage("1m", users=10), Stage("30s", users=40)], "spawn_rate": 1}, "40 users, 1/s, 1 min 30 s"),
    ],
)
def test_a_load_has_a_short_summary(changes: dict[str, Any], text: str) -> None:
    assert profile(**changes).load_text == text


def test_a_rate_makes_an_open_model() -> None:
    arrivals = profile(rate="10..200/s over 2m").arrivals()

    assert arrivals is not None
    assert arrivals.count_before(120) == 12_600


def test_stages_with_rates_ramp_from_one_level_to_the_next() -> None:
    stages = [Stage("30s", rate=10, ramp="10s"), Stage("20s", rate=50), Stage("5s", rate=0, ramp="5s")]
    arrivals = profile(stages=stages).arrivals()

    assert arrivals is not None
    assert arrivals.segments == (
        RateSegment(0, 10, 10),
        RateSegment(10, 10, 20, "stage 1"),
        RateSegment(50, 50, 20, "stage 2"),
        RateSegment(50, 0, 5),
    )
    assert arrivals.start_s(50 + 200 + 1000 + 125) is None


def test_each_stage_marks_the_requests_of_its_own_time() -> None:
    stages = [
        Stage("3s", rate=10, name="a"),
        Stage("4s", rate=10, ramp="1s", name="b"),
        Stage("5s", rate=20, ramp="1s", name="c"),
        Stage("2s", rate=0, ramp="2s", name="down"),
        Stage("2s", rate=0, ramp="2s", name="off"),
    ]
    arrivals = profile(stages=stages).arrivals()

    assert arrivals is not None
    assert open_stage_starts(arrivals) == [(0, "a"), (3, "b"), (7, "ramp"), (8, "c"), (12, "ramp"), (14, "off")]


def test_a_rate_marks_its_ramp_and_then_the_steady_load() -> None:
    assert open_stage_starts(parse_rate("10..20/s over 30s")) == [(0, "ramp"), (30, "steady")]
    assert open_stage_starts(parse_rate("10/s")) == [(0, "steady")]


def test_a_profile_can_have_its_own_rules() -> None:
    own = profile(thresholds={"auth_p95_ms": 900}, rules=["auth: max < 3s"]).own_limits

    assert own == ({"auth_p95_ms": 900}, ["auth: max < 3s"])
    assert profile(rules=[]).own_limits == ({}, ())


def test_a_profile_is_found_by_name_or_the_known_ones_are_named() -> None:
    profiles = {"light": profile(name="light"), "heavy": profile(name="heavy")}

    assert find_profile("heavy", profiles) is profiles["heavy"]
    with pytest.raises(
        ProfileError, match=r"^unknown load profile 'lite'; known profiles: light, heavy; did you mean 'light'\?$"
    ):
        find_profile("lite", profiles)
    with pytest.raises(ProfileError, match="known profiles: none is declared"):
        find_profile("lite", {})


def test_the_mean_rate_is_that_of_all_arrivals() -> None:
    assert LoadProfile("closed").mean_rate_per_s is None
    assert LoadProfile("open", rate="90/min", run_time="1m").mean_rate_per_s == 1.5
    assert LoadProfile("ramp", rate="10..30/s over 20s", run_time="40s").mean_rate_per_s == 25
    assert LoadProfile("staged", stages=(Stage("10s", rate=5), Stage("30s", rate=25))).mean_rate_per_s == 20


def test_the_first_seconds_belong_to_the_ramp_and_all_arrivals_keep_their_starts() -> None:
    for schedule in (parse_rate("10/s"), parse_rate("10..20/s over 3s"), parse_rate("4..40/s over 20s")):
        settled = settling(schedule, 5)
        for index in (0, 7, 60, 200):
            assert settled.start_s(index) == pytest.approx(schedule.start_s(index))
    assert open_stage_starts(settling(parse_rate("10/s"), 5)) == [(0, "ramp"), (5, "steady")]
    assert open_stage_starts(settling(parse_rate("10..20/s over 3s"), 5)) == [(0, "ramp"), (3, "ramp"), (5, "steady")]
    staged = LoadProfile("staged", stages=(Stage("2s", rate=5, name="a"), Stage("4s", rate=5, name="b"))).arrivals()
    assert staged is not None
    assert open_stage_starts(settling(staged, 3)) == [(0, "ramp"), (2, "ramp"), (3, "b")]
