"""Test the table of the calibration: values beyond the limits, and their formatting."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.comparison import BARS, PERCENTILES, Comparison, Figure, latency_figures, median_of, table


def comparison(**changes: tuple[Figure, ...]) -> Comparison:
    fields = {"latencies": (Figure("p50", 100.9, 100.0),), "counts": (Figure("requests", 10, 10),)} | changes
    return Comparison(case="constant, closed, 1", **fields)


def test_values_within_their_limits_are_no_miss() -> None:
    assert comparison().misses(BARS) == []


@pytest.mark.parametrize(
    ("field", "figure"),
    [
        ("latencies", Figure("p99", 101.1, 100.0)),
        ("latencies", Figure("p50", 98.9, 100.0)),
        ("latencies", Figure("p95", 10.4, 10.0)),
        ("latencies", Figure("p99.9", 102.1, 100.0)),
        ("counts", Figure("failures", 9, 10)),
        ("estimates", Figure("requests over 1 s", 100, 220)),
    ],
)
def test_each_value_beyond_its_limit_is_named(field: str, figure: Figure) -> None:
    (miss,) = comparison(**{field: (figure,)}).misses(BARS)
    assert f"{figure.name} is reported as {figure.reported:g}, in truth {figure.true:g}" in miss


def test_short_latencies_have_an_absolute_tolerance() -> None:
    assert comparison(latencies=(Figure("p95", 10.25, 10.0),)).misses(BARS) == []


def test_true_percentiles_are_nearest_ranks() -> None:
    figures = latency_figures(dict.fromkeys(PERCENTILES, 0.0), list(range(1000, 0, -1)))
    assert [figure.true for figure in figures] == [500, 900, 950, 990, 999]


def test_the_table_marks_a_miss() -> None:
    latencies = tuple(Figure(name, 102.0 if name == "p99" else 100.0, 100.0) for name in PERCENTILES)
    counts = (Figure("requests", 10, 10), Figure("failures", 0, 0))
    text = table([comparison(latencies=latencies, counts=counts)], BARS)
    assert "102.0 (100.0, +2.00%) !" in text
    assert text.count("!") == 1
    assert "10 of 10" in text


def test_the_median_tolerates_one_bad_run_of_three_but_no_wrong_count() -> None:
    errors_ms = (0.5, 9.0, 0.7)
    runs = [comparison(latencies=(Figure("p99", 100 + error, 100.0),)) for error in errors_ms]
    assert median_of(runs).latencies == (Figure("p99", 100.7, 100.0),)
    assert median_of(runs).misses(BARS) == []
    runs[2] = comparison(counts=(Figure("requests", 9, 10),), latencies=runs[2].latencies)
    assert len(median_of(runs).misses(BARS)) == 1
