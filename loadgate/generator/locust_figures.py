"""Show Locust's own numbers with three significant digits."""

from __future__ import annotations

import math
from collections.abc import Sequence

from locust import stats
from locust.stats import StatsCSV, StatsEntry

from loadgate.generator.locust_patches import replace
from loadgate.units import figure, percentage


def show_precise_figures() -> None:
    """Patch Locust's tables, CSV files, reports and web UI to show times with three significant digits."""
    replace(stats, bucket_response_time=fine_bucket)
    replace(StatsEntry, to_string=_fine_row, percentile=_fine_percentiles, to_dict=_fine_dict)
    replace(StatsCSV, _percentile_fields=_fine_fields)


def fine_bucket(response_time: float) -> float:
    """Round for Locust's histogram: to 0.01 ms below 10 ms, to 0.1 ms below 1 s, to 1 ms below 10 s, to 10 ms above.

    Locust's rounding to two digits turns 104.9 ms into 100 ms. These steps keep its histograms below 20,000 entries up
    to 10 s.
    """
    if response_time < 10:
        return round(response_time, 2)
    if response_time < 1000:
        return round(response_time, 1)
    return round(response_time) if response_time < 10_000 else round(response_time, -1)


_dict = StatsEntry.to_dict


def _narrow(value: float | None) -> str:
    """Return a time or a rate for Locust's narrow columns: `0.843`, `105`, `1625`."""
    if value is not None and not math.isfinite(value):
        return str(value)  # the suite fired an event with an infinite time or NaN
    return figure(value or 0.0).replace(",", "")


def _fine_row(entry: StatsEntry, current: bool = True) -> str:
    rates = (entry.current_rps, entry.current_fail_per_sec) if current else (entry.total_rps, entry.total_fail_per_sec)
    times = (entry.avg_response_time, entry.min_response_time, entry.max_response_time, entry.median_response_time)
    average, shortest, longest, median = map(_narrow, times)
    name_width = stats.STATS_NAME_WIDTH - stats.STATS_TYPE_WIDTH + 4
    failures = f"{entry.num_failures}({percentage(entry.fail_ratio).replace(' ', '')})"
    return (
        f"{_padded(entry.method, stats.STATS_TYPE_WIDTH)} {_padded(entry.name, name_width)} "
        f"{entry.num_requests:>7} {failures:>12} "
        f"|{average:>7} {shortest:>7} {longest:>7}{median:>7} | {_narrow(rates[0]):>7} {_narrow(rates[1]):>11}"
    )


def _padded(text: str | None, width: int) -> str:
    """Pad the text with spaces. Locust's width for names is negative on a terminal of less than 84 columns."""
    return (text or "").ljust(width)


def _fine_percentiles(entry: StatsEntry) -> str:
    times = [_narrow(entry.get_response_time_percentile(percent)) for percent in stats.PERCENTILES_TO_REPORT]
    cells = " ".join(f"{cell:>6}" for cell in [*times[1:], entry.num_requests])
    names = f"{_padded(entry.method, stats.STATS_TYPE_WIDTH)} {_padded(entry.name, stats.STATS_NAME_WIDTH)}"
    return f"{names} {times[0]:>8} {cells}"


def _fine_dict(entry: StatsEntry, escape_string_values: bool = False) -> dict[str, int | float | str]:
    extremes = {"min_response_time": entry.min_response_time, "max_response_time": entry.max_response_time}
    return {**_dict(entry, escape_string_values), **{name: _rounded(value or 0) for name, value in extremes.items()}}


def _rounded(value_ms: float) -> float:
    """Return the time with the digits of the tables, because the web UI and the HTML report show all digits."""
    return float(_narrow(value_ms))


def _fine_fields(table: StatsCSV, entry: StatsEntry, use_current: bool = False) -> Sequence[float | str]:
    if not entry.num_requests:
        return table.percentiles_na
    is_current = use_current and entry.use_response_times_cache
    read = entry.get_current_response_time_percentile if is_current else entry.get_response_time_percentile
    return [read(percent) or 0 for percent in table.percentiles_to_report]
