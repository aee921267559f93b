"""Test the reading of Prometheus' text format, with that of prometheus_client as the reference."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from loadgate.sampler.metrics.exposition import samples

ODD = ('a "b"', "back\\slash", "two\nlines", "{x,y}=1", "", "ü # 5")
SPACES, LETTERS = 1_000_000 * " ", 1_000_000 * "b"


def exposed() -> str:
    registry = CollectorRegistry()
    gauge = Gauge("pool", "A gauge.", ("text", "number"), registry=registry)
    for number, text in enumerate(ODD):
        gauge.labels(text, number).set(number / 3)
    Gauge("pool_size", "Begins like another one.", registry=registry).set(5)
    Counter("loans", "A counter.", registry=registry).inc(1e12)
    Histogram("wait_seconds", "A histogram.", registry=registry).observe(0.2)
    Summary("work_seconds", "A summary.", registry=registry).observe(2)
    Gauge("endless", "Infinite.", registry=registry).set(float("inf"))
    return generate_latest(registry).decode()


def test_the_samples_are_those_that_prometheus_client_reads() -> None:
    text = exposed()
    names = {
        "pool",
        "pool_size",
        "loans_total",
        "wait_seconds_sum",
        "wait_seconds_bucket",
        "work_seconds_count",
        "endless",
    }
    expected = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in names
    ]
    assert len(expected) > len(ODD) + len(names) - 1
    found = [(one.metric, one.labels, one.value) for one in samples(text, sorted(names))]
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_only_wanted_metrics_are_read() -> None:
    assert [found.metric for found in samples(exposed(), ["pool_size"])] == ["pool_size"]


def test_exemplars_and_time_stamps_are_ignored() -> None:
    text = 'a{b="c"} 5 1395066363000\na_bucket{le="1"} 7 # {trace="x"} 0.4\nd 1e3\n'
    assert [found.value for found in samples(text, ["a", "a_bucket", "d"])] == [5, 7, 1000]


def test_lines_that_are_no_samples_are_skipped() -> None:
    text = 'a\na{\na{b="c} 5\na five\n# a 5\n\x00\na 5\r\nab 4'
    assert [(found.metric, found.value) for found in samples(text, ["a"])] == [("a", 5)]


def test_a_series_is_known_by_its_name_and_labels() -> None:
    first, second = samples('a{b="1"} 5\na{b="2"} 5', ["a"])
    assert first.series != second.series


@pytest.mark.parametrize(
    "line",
    ["a{" + SPACES + "b}", "a{" + LETTERS + "}", "a{" + 500_000 * "b=" + "} 1", "a" + SPACES + "#", 'a{b="' + LETTERS],
    ids=["spaces", "letters", "equal signs", "spaces without value", "quotation without end"],
)
def test_a_long_line_takes_time_in_proportion_to_its_length(line: str) -> None:
    # In time that grows with the square of the length, each of these lines takes hours.
    assert [*samples(f"{line} 1", ["a"])] == []


def test_labels_that_cannot_be_read_do_not_select_a_series() -> None:
    text = 'a{b="c",=} 1\na{"b.c"="d"} 2\na{ } 4\na{ b = "c" , } 5'
    assert [(found.labels, found.value) for found in samples(text, ["a"])] == [({}, 4), ({"b": "c"}, 5)]
