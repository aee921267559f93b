"""Test the quantities that scrapes show: gauges as levels, counters as flows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgate.sampler.configuration import MetricSource
from loadgate.sampler.metrics.exposition import samples
from loadgate.sampler.metrics.quantities import MAX_FALLS, Quantities

POOL = MetricSource("db", "used", "", "wait", used='pool{state=~"a|b"}', limit='pool{state="size"}', wait="w")
LOANS = MetricSource("api", "loans", "", rate="loans_total", unit="count")


def read(quantities: Quantities, at_s: float, text: str) -> dict[tuple[int, str], float]:
    found = quantities.read(at_s, samples(text, quantities.metrics))
    return {(second, reading.quantity): reading.value for second, reading in found}


def test_matching_gauges_are_summed() -> None:
    text = 'pool{state="a"} 2\npool{state="b"} 3\npool{state="size"} 20\npool{state="c"} 7'
    assert read(Quantities([POOL]), 100.4, text) == {(100, "used"): 5, (100, "used.limit"): 20}


def test_a_series_that_is_exposed_twice_counts_once() -> None:
    text = 'pool{state="a"} 2\npool{state="a"} 2\npool{state="b"} 2'
    assert read(Quantities([POOL]), 100.4, text) == {(100, "used"): 4}


def test_a_gauge_that_is_no_finite_number_is_a_gap() -> None:
    for value in ("NaN", "+Inf", "-Inf"):
        text = f'pool{{state="a"}} {value}\npool{{state="size"}} 20'
        assert read(Quantities([POOL]), 100.4, text) == {(100, "used.limit"): 20}


def test_a_wait_is_the_difference_of_sum_and_count() -> None:
    quantities = Quantities([POOL])
    assert read(quantities, 100.0, "w_sum 5\nw_count 100") == {}
    assert read(quantities, 101.0, "w_sum 5.5\nw_count 110") == {(100, "wait.sum"): 0.5, (100, "wait.count"): 10}


def test_a_missed_scrape_keeps_the_total() -> None:
    quantities = Quantities([LOANS])
    read(quantities, 100.0, "loans_total 0")
    assert read(quantities, 102.0, "loans_total 8") == {(100, "loans"): 4, (101, "loans"): 4}


def test_a_counter_that_falls_starts_anew() -> None:
    quantities = Quantities([LOANS])
    read(quantities, 100.0, "loans_total 50")
    assert read(quantities, 101.0, "loans_total 3") == {(100, "loans"): 3}
    assert read(quantities, 102.0, "loans_total 4") == {(101, "loans"): 1}


def test_a_counter_that_falls_again_and_again_is_not_measured() -> None:
    quantities = Quantities([LOANS])
    for second in range(2 * MAX_FALLS + 3):
        read(quantities, 100.0 + second, f"loans_total {50 if second % 2 else 3}")
    assert quantities.split() == ["loans_total"]
    assert read(quantities, 120.0, "loans_total 60") == {}


def test_series_that_appear_count_from_zero_and_missing_ones_keep_their_value() -> None:
    quantities = Quantities([LOANS])
    assert read(quantities, 100.0, "other 1") == {}
    assert read(quantities, 101.0, 'loans_total{kind="a"} 2') == {(100, "loans"): 2}
    assert read(quantities, 102.0, 'loans_total{kind="b"} 1') == {(101, "loans"): 1}
    text = 'loans_total{kind="a"} 3\nloans_total{kind="b"} 1'
    assert read(quantities, 103.0, text) == {(102, "loans"): 1}


def test_the_number_of_series_is_bounded_if_the_labels_change_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgate.sampler.metrics.quantities.MAX_SERIES", 10)
    quantities = Quantities([LOANS])
    read(quantities, 100.0, 'loans_total{id="0"} 5')
    for number in range(1, 10):
        assert read(quantities, 100.0 + number, f'loans_total{{id="{number}"}} 1') == {(99 + number, "loans"): 1}
    assert read(quantities, 110.0, 'loans_total{id="0"} 7') == {(109, "loans"): 2}
    read(quantities, 111.0, 'loans_total{id="10"} 1')
    # The values of the missing series are forgotten.
    assert read(quantities, 112.0, 'loans_total{id="0"} 7') == {(111, "loans"): 7}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "1e999"])
def test_a_counter_that_is_no_finite_number_is_a_gap(value: str) -> None:
    quantities = Quantities([LOANS])
    read(quantities, 100.0, "loans_total 5")
    assert read(quantities, 101.0, f"loans_total {value}") == {}
    assert read(quantities, 102.0, "loans_total 7") == {(100, "loans"): 1, (101, "loans"): 1}


def test_after_a_change_of_the_clock_differences_start_anew() -> None:
    quantities = Quantities([LOANS])
    read(quantities, 100.0, "loans_total 5")
    quantities.forget()
    assert read(quantities, 5000.0, "loans_total 7") == {}
    assert read(quantities, 5001.0, "loans_total 8") == {(5000, "loans"): 1}


def test_selectors_without_samples_are_named_but_no_limits() -> None:
    quantities = Quantities([POOL, LOANS])
    read(quantities, 100.0, "loans_total 5")
    assert quantities.never_seen() == [
        ("pool", "db", "used"),
        ("w_sum", "db", "wait.sum"),
        ("w_count", "db", "wait.count"),
    ]


def test_an_optional_quantity_without_samples_is_not_named() -> None:
    quantities = Quantities([replace(POOL, optional=True), LOANS])
    read(quantities, 100.0, "other 5")
    assert quantities.never_seen() == [("loans_total", "api", "loans")]
