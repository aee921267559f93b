"""Test the error log: exact counts and a limited number of kinds."""

import json

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.recorder.errors import MAX_KINDS, MAX_TEXT_CHARS, OTHER, ErrorCount, ErrorLog


def test_errors_are_counted_by_name_and_text_with_their_first_and_last_time() -> None:
    log = ErrorLog()
    log.record("ping", "500", 12.0)
    log.record("ping", "500", 10.0)
    log.record("ping", "500", 11.0)
    log.record("root", "500", 13.0)

    assert log.most_frequent() == [ErrorCount("ping", "500", 3, 10.0, 12.0), ErrorCount("root", "500", 1, 13.0, 13.0)]


def test_errors_beyond_the_limit_are_counted_as_other_errors_of_their_name() -> None:
    log = ErrorLog()
    for number in range(MAX_KINDS + 50):
        log.record("ping", f"error {number}", float(number))
    log.record("ping", "error 0", 1000.0)

    kinds = log.most_frequent()
    assert len(kinds) == MAX_KINDS + 1
    assert kinds[0] == ErrorCount("ping", OTHER, 50, float(MAX_KINDS), MAX_KINDS + 49.0)
    assert sum(kind.count for kind in kinds) == MAX_KINDS + 51


def test_long_texts_and_line_ends_are_shortened() -> None:
    log = ErrorLog()
    log.record("ping", "a\nb\t c", 1.0)
    log.record("ping", "x" * 10_000, 1.0)
    log.record("ping", "x" * 10_001, 2.0)
    log.record("ping", "", 1.0)

    assert sorted((kind.text[:5], len(kind.text), kind.count) for kind in log.most_frequent()) == [
        ("(no m", 12, 1),
        ("a b c", 5, 1),
        ("xxxxx", MAX_TEXT_CHARS, 2),
    ]


def test_merging_adds_counts_and_widens_times() -> None:
    one, two = ErrorLog(), ErrorLog()
    one.record("ping", "500", 5.0)
    two.record("ping", "500", 2.0)
    two.record("ping", "500", 9.0)

    one.merge_json(json.loads(json.dumps(two.to_json())))

    assert one.most_frequent() == [ErrorCount("ping", "500", 3, 2.0, 9.0)]


def test_merging_keeps_the_limit_and_the_sum() -> None:
    one = ErrorLog()
    for worker in range(3):
        other = ErrorLog()
        for number in range(MAX_KINDS):
            other.record("ping", f"worker {worker} error {number}", 1.0)
        one.merge_json(other.to_json())

    assert len(one.most_frequent()) == MAX_KINDS + 1
    assert sum(kind.count for kind in one.most_frequent()) == 3 * MAX_KINDS


def test_the_recorder_keeps_the_error_of_a_failure_at_the_time_of_its_end() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("ping", Outcome.FAILURE, start_s=100.0, latency_ms=500, error="no answer"))

    (error,) = recorder.errors()
    assert (error.text, error.count, error.first_s, error.last_s) == ("no answer", 1, 100.5, 100.5)
