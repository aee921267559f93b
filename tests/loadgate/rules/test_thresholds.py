"""Test thresholds as a plain dictionary."""

import pytest

from loadgate.rules import ThresholdError, from_thresholds, parse_rules


def test_typical_thresholds_become_strict_rules() -> None:
    thresholds = {"health_p95_ms": 100, "auth_p95_ms": 500, "tasks_p95_ms": 200, "overall_failure_rate": 0.01}

    assert from_thresholds(thresholds) == parse_rules(
        ["health: p95 < 100ms", "auth: p95 < 500ms", "tasks: p95 < 200ms", "overall: failures < 1%"]
    )


@pytest.mark.parametrize(
    ("key", "limit", "rule"),
    [
        ("database_p95_ms", 150.5, "database: p95 < 150.5ms"),
        ("my_own_group_p99_9_ms", 7, "my_own_group: p99.9 < 7ms"),
        ("auth_p99.9_ms", 7, "auth: p99.9 < 7ms"),
        ("auth_mean_ms", 7, "auth: mean < 7ms"),
        ("auth_max_ms", 7, "auth: max < 7ms"),
        ("auth_failure_rate", 0.07, "auth: failures < 7%"),
        ("auth_failure_rate", 0, "auth: failures <= 0%"),
        ("overall_p50_ms", 7, "overall: p50 < 7ms"),
    ],
)
def test_other_groups_and_percentiles_are_supported(key: str, limit: float, rule: str) -> None:
    assert from_thresholds({key: limit}) == parse_rules([rule])


@pytest.mark.parametrize(
    ("key", "limit", "part"),
    [
        ("healht", 1, "; the known forms are <group>_p<NN>_ms"),
        ("health_p95", 1, "unknown threshold"),
        ("health_p99.99999999999999_ms", 1, "unknown threshold"),
        ("_p95_ms", 1, "unknown threshold"),
        (7, 1, "unknown threshold 7"),
        ("health_p95_ms", "100", "must be a number of at least 0, not '100'"),
        ("health_p95_ms", None, "not None"),
        ("health_p95_ms", True, "not True"),
        ("health_p95_ms", float("nan"), "not nan"),
        ("health_p95_ms", -1, "not -1"),
        ("health_p95_ms", 0, "above 0 ms"),
        ("health_p0_ms", 5, "a percentile is above 0"),
        ("overall_failure_rate", 1.5, "a fraction between 0 and 1"),
    ],
)
def test_a_bad_entry_is_one_line_that_names_the_key(key: str, limit: float, part: str) -> None:
    with pytest.raises(ThresholdError) as refusal:
        from_thresholds({key: limit})

    assert part in str(refusal.value)
    assert repr(key) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_bad_entries_are_named_at_once() -> None:
    with pytest.raises(ThresholdError) as refusal:
        from_thresholds({"one": 1, "health_p95_ms": 100, "two": 2})

    assert [line.split("'")[1] for line in str(refusal.value).splitlines()] == ["one", "two"]
