"""Test what a disturbance left behind."""

from loadgate.analysis.recovery.leftover import left_over, left_over_sentence
from loadgate.analysis.traffic import Span, StageSpans
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceSeries

SPANS = StageSpans("rush", Span(0, 60), Span(60, 90), Span(90, 180))
MEMORY = ResourceColumn("api", "memory")


def series(before: float, after: float, noise: float = 1.0, column: ResourceColumn = MEMORY) -> ResourceSeries:
    times = [second + 0.5 for second in range(180)]
    return ResourceSeries(
        column,
        times,
        [(before if time_s < 90 else after) + noise * (second % 5) for second, time_s in enumerate(times)],
    )


def test_the_difference_of_the_levels_is_left() -> None:
    (found,) = left_over([series(100, 150)], SPANS)
    assert (found.before, found.after, found.difference, found.is_clear) == (102, 152, 50, True)


def test_a_difference_within_the_noise_is_not_clear() -> None:
    (found,) = left_over([series(100, 103)], SPANS)
    assert not found.is_clear


def test_flows_and_short_series_are_left_out() -> None:
    flow = ResourceColumn("api", "cpu", ColumnKind.FLOW)
    short = ResourceSeries(MEMORY, [10.0, 170.0], [1.0, 2.0])
    assert left_over([series(1, 2, column=flow), short], SPANS) == []


def test_the_sentence_agrees_with_a_plural_and_names_both_levels() -> None:
    (found,) = left_over([series(40, 52, noise=0, column=ResourceColumn("api", "open_files"))], SPANS)
    assert left_over_sentence(found, "rush") == "api open files ended 12 higher than before rush (52 instead of 40)."
