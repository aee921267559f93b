"""How durations, shares, rates, sizes and counts are read and written."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import loadgate
from loadgate import units
from loadgate.rules import Operator
from loadgate.units import compact_duration, duration_s

PACKAGE = Path(loadgate.__file__).parent
SUITE = Path(__file__).parents[1] / "performance"
# What is written for other programs: file formats and coordinates.
FOR_PROGRAMS = {"recorder/hdr.py", "report/junit.py", "report/series_csv.py"}
FOR_PROGRAMS |= {"report/html/requests.py", "units.py"}
NUMBER_FORMAT = re.compile(r"[,_]|\.\d|[eEfFgGn%]$")

LATENCIES = [
    (0, "0"), (0.0843, "0.0843"), (0.8432, "0.843"), (2.125, "2.13"), (2.675, "2.68"), (4.592, "4.59"), (9.995, "10.0"),
    (12, "12.0"), (99.94, "99.9"), (99.97, "100"), (104.9, "105"), (999.6, "1,000"), (1625.5, "1,626"),
    (12_345_678.9, "12,345,679"),
]  # fmt: skip
SIZES = [
    (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (1500, "1.50 kB"), (999_400, "999 kB"), (999_500, "1.00 MB"),
    (123_456_789, "123 MB"), (4_090_000_000, "4.09 GB"), (10**15, "1,000 TB"),
]  # fmt: skip
MEAN_COUNTS = [(0, "0"), (12, "12"), (12.0, "12"), (12.44, "12.4"), (0.25, "0.250"), (12_345.6, "12,346")]
CORES = [(0, "0 cores"), (0.82, "0.820 cores"), (1.984, "1.98 cores"), (64, "64.0 cores")]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 2m 3s", 3723),
        ("250ms", 0.25),
        ("1s500ms", 1.5),
        ("1.5m", 90),
        ("90", 90),
        (" 90 ", 90),
        ("7M", 420),
        (60, 60),
        (0.5, 0.5),
    ],
)
def test_a_duration_is_read(text: str | float, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "5 minutes", "5x", "m5", "-5s", "1m1h", "1m1m", "1e3", "nan", "5s!", None, True, [], 0, -1, "0", "0s",
     "1min", "5us", float("nan"), float("inf")],
)  # fmt: skip
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="duration") as refusal:
        duration_s(text)

    assert repr(text) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "1m30s"), (5400, "1h30m"), (0.25, "250ms"), (60, "1m"), (1.5, "1s500ms"), (0, "0s")]
)
def test_a_duration_has_a_compact_form(seconds: float, text: str) -> None:
    assert compact_duration(seconds) == text
    if seconds:
        assert duration_s(text) == seconds


@pytest.mark.parametrize(("value", "text"), LATENCIES)
def test_a_measured_number_has_three_digits(value: float, text: str) -> None:
    assert units.figure(value) == text
    assert units.milliseconds(value) == f"{text} ms"
    assert units.per_second(value) == f"{text}/s"
    assert units.quantity(value, "%") == f"{text} %"


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0, "0 %"), (0.00625, "0.625 %"), (0.07, "7.00 %"), (0.5, "50.0 %"), (1.0, "100 %")]
)
def test_a_share_is_a_percentage(fraction: float, text: str) -> None:
    assert units.percentage(fraction) == text


@pytest.mark.parametrize(
    ("fraction", "relative", "share"),
    [
        (0.12, "+12.0 %", "+12.0 points"), (-0.0321, "-3.21 %", "-3.21 points"), (0.0, "0 %", "0 points"),
        (None, "-", "-"),
    ],
)  # fmt: skip
def test_a_change_has_its_sign(fraction: float | None, relative: str, share: str) -> None:
    assert (units.change(fraction), units.points(fraction)) == (relative, share)


@pytest.mark.parametrize(("value", "text"), SIZES)
def test_a_size_has_the_largest_suitable_unit(value: int, text: str) -> None:
    assert units.size(value) == text


@pytest.mark.parametrize(("value", "text"), MEAN_COUNTS)
def test_a_mean_of_counts_has_decimals_only_if_it_is_not_whole(value: float, text: str) -> None:
    assert units.mean_count(value) == text


@pytest.mark.parametrize(("value", "text"), CORES)
def test_a_cpu_use_is_a_number_of_cores(value: float, text: str) -> None:
    assert units.cores(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "0.25 s"), (12.04, "12 s"), (30, "30 s"), (58.24, "58.2 s"), (59.97, "1 min"), (60, "1 min"),
     (90.5, "1 min 31 s"), (300, "5 min"), (3600, "1 h"), (3725.2, "1 h 2 min 5 s"), (90_000, "25 h")],
)  # fmt: skip
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (7.9, "0:07"), (750, "12:30"), (3723, "1:02:03"), (86_400, "24:00:00")]
)
def test_a_time_since_a_start(seconds: float, text: str) -> None:
    assert units.clock(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(100.0, "ms", "100 ms"), (99.95, "%", "99.95 %"), (1500, "ms", "1,500 ms"), (0.1, "/s", "0.1/s"), (1e15, "",
     "1,000,000,000,000,000"), (0.000001, "ms", "0.000001 ms")],
)  # fmt: skip
def test_a_limit_is_shown_exactly_as_given(value: float, unit: str, text: str) -> None:
    assert units.given(value, unit) == text
    assert units.plain(value) == units.given(value).replace(",", "")


def test_a_share_that_is_a_setting_has_no_rounding_errors() -> None:
    assert units.given_percentage(0.07) == "7 %"


@pytest.mark.parametrize(
    "write",
    [units.duration, units.milliseconds, units.percentage, units.given_percentage, units.per_second, units.size,
     units.figure, units.count, units.given, units.cores, units.mean_count],
)  # fmt: skip
def test_an_unknown_value_is_a_dash(write: Callable[[None], str]) -> None:
    assert write(None) == "-"


def number_in(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


LIMITS = st.one_of(st.integers(0, 10**6).map(float), st.floats(0.001, 1e6), st.decimals(0, 1000, places=2).map(float))
# Most values of interest lie close to the limit, on either side or on it.
SHIFTS = st.one_of(st.sampled_from([0.0, 1e-16, -1e-16]), st.floats(-0.01, 0.01), st.floats(-1, 5))


@given(LIMITS, SHIFTS, st.sampled_from(list(Operator)), st.sampled_from(["ms", "%", "/s", ""]))
@example(100.0, -0.0004, Operator.LT, "ms")
@settings(max_examples=500)
def test_shown_values_never_contradict_the_verdict(limit: float, shift: float, operator: Operator, unit: str) -> None:
    value = limit * (1 + shift)
    shown = number_in(units.quantity(value, unit, limit))
    assert operator.holds(shown, number_in(units.given(limit, unit))) == operator.holds(value, limit)
    assert shown == pytest.approx(value, rel=0.006)


@given(st.floats(min_value=0.001, max_value=1e9), st.sampled_from(["ms", "/s", "%"]))
def test_a_value_far_from_its_limit_has_three_digits(value: float, unit: str) -> None:
    assert units.quantity(value, unit, value * 2) == units.quantity(value, unit)


def formatted_numbers(path: Path) -> list[str]:
    """The replacement fields of a file's f-strings that say how to write a number."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = "".join(str(part.value) for part in ast.walk(node.format_spec) if isinstance(part, ast.Constant))
            found += [f"{path.name}:{node.lineno}: {spec}"] if NUMBER_FORMAT.search(spec) else []
    return found


def test_no_other_module_formats_numbers() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).as_posix() not in FOR_PROGRAMS]
    assert [found for path in (*paths, *SUITE.rglob("*.py")) for found in formatted_numbers(path)] == []
    assert formatted_numbers(PACKAGE / "recorder" / "hdr.py")  # they would be found


@pytest.mark.parametrize("method", ["toFixed", "toPrecision", "toLocaleString", "Intl."])
def test_the_page_formats_numbers_in_one_module(method: str) -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (PACKAGE / "report" / "page" / "js").iterdir()}
    assert [name for name, text in scripts.items() if method in text] in ([], ["format.js"])


@pytest.mark.parametrize(
    ("per_s", "interval", "of_bytes", "text"),
    [
        (1000.0, None, True, "3.60 MB/h"),
        (1000.0, (500.0, 1500.0), True, "3.60 MB/h [1.80, 5.40]"),
        (-10.0, (-2000.0, 10.0), True, "-0.0360 MB/h [-7.20, 0.0360]"),
        (0.0, (-1 / 3600, 1 / 3600), False, "0/h [-1.00, 1.00]"),
        (1.0, None, False, "3,600/h"),
    ],
)
def test_a_growth_is_shown_for_an_hour(
    per_s: float, interval: tuple[float, float] | None, of_bytes: bool, text: str
) -> None:
    assert units.growth(per_s, interval, of_bytes=of_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 min"),
        (90, "1.50 min"),
        (7199, "120 min"),
        (7200, "2.00 h"),
        (259_199, "72.0 h"),
        (432_000, "5.00 days"),
        (315_576_000, "3,653 days"),
        (315_576_001, "more than 10 years"),
        (float("inf"), "more than 10 years"),
    ],
)
def test_a_time_until_a_limit_has_one_unit(seconds: float, text: str) -> None:
    assert units.outlook(seconds) == text


def test_the_interval_of_a_change_shows_unknown_bounds() -> None:
    assert units.change_range(0.13, 0.21) == "+13.0 to +21.0 %"
    assert units.change_range(None, 0.005, of_share=True) == "? to +0.500 points"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.0000392, 0.325, "-0.004 to +32.5 %"),
        (-0.0095, 0.165, "-1.0 to +16.5 %"),
        (-0.24, 0.594, "-24.0 to +59.4 %"),
        (-0.00159, 0.0323, "-0.16 to +3.23 %"),
        (0.0, 0.0323, "0 to +3.23 %"),
        (0.0, 0.0, "0 to 0 %"),
        (-0.5, 23.75, "-50 to +2,375 %"),
    ],
)
def test_the_bounds_of_a_change_have_the_same_decimals(low: float, high: float, text: str) -> None:
    assert units.change_range(low, high) == text
