"""Format and parse durations, shares, rates, sizes and counts. All numbers for people are formatted here.

    kind                    function          examples
    latency                 milliseconds      `0.843 ms`  `12.0 ms`  `105 ms`  `1,625 ms`
    share, of a fraction    percentage        `0 %`  `0.625 %`  `12.0 %`
    change, of a fraction   change            `+12.0 %`  `-3.20 %`
    change of a share       points            `+0.610 points`, percentage points
    interval of a change    change_range      `+9.10 to +14.9 %`  `-0.100 to +0.100 points`
    rate                    per_second        `0.426/s`  `42.6/s`  `1,625/s`
    size, of bytes          size              `512 B`  `1.50 kB`  `105 MB`, in powers of 1000 as in rules
    CPU use                 cores             `0.426 cores`
    growth, of a second     growth            `3.10 MB/h [2.20, 4.00]`  `12.0/h`
    number without a unit   figure            `0.426`  `42.6`  `1,625`
    count                   count             `7`  `12,345`
    mean of counts          mean_count        `12`  `12.4`
    length of time          duration          `0.25 s`  `58.2 s`  `1 min`  `1 h 2 min 5 s`
    estimated time          rough_duration    `45 s`  `12 min`  `1 h 5 min`
    time until a limit      outlook           `45.0 min`  `30.5 h`  `5.20 days`  `more than 10 years`
    time since a start      clock             `0:07`  `12:30`  `1:02:03`
    limit, setting          given             `< 99.95 ms`: exactly as it was given
    time in a command       compact_duration  `250ms`  `1h30m`, which `duration_s` reads

A measured number has three significant digits, and no decimals from 100 on. Next to a limit, it has enough digits to
show whether it is above or below: 99.96 with a limit of 100 is `99.96`, not `100`. Zero is `0`, and an unknown
value is `-`. `report/page/js/format.js` follows the same rules.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

UNIT_S = {"h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
"""The units of time in rules, rates and durations, in seconds."""

UNKNOWN = "-"
_SUFFIX = {
    "ms": " ms", "s": " s", "d": " d", "%": " %", "/s": "/s", "/h": "/h", "MB/h": " MB/h", "x": "x", "cores": " cores",
    "": "",
}  # fmt: skip
_DIGITS = 3
# A float has at most 17 significant digits, and at most 309 digits before the decimal point.
_EXACT_DIGITS = 17
_WIDE = Context(prec=400, rounding=ROUND_HALF_UP)
_YEAR_S = 365.25 * 86_400
_SIZES = ("B", "kB", "MB", "GB", "TB")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")


def duration_s(text: str | float) -> float:
    """Return the seconds of `90`, `"90"`, `30s`, `5m`, `1h30m` or `250ms`. Raises ValueError for others and for 0."""
    seconds = _seconds(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"a duration must be above 0; got {text!r}")
    return seconds


def _seconds(text: str | float) -> float:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")  # noqa: TRY004 - bad input
    if not isinstance(text, str):
        return float(text)
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        return float(compact)
    parts = _PART.findall(compact) if _WHOLE.fullmatch(compact) else []
    units = [unit for _, unit in parts]
    if not parts or units != sorted(set(units), key=lambda unit: -UNIT_S[unit]):
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")
    return sum(float(number) * UNIT_S[unit] for number, unit in parts)


def compact_duration(seconds: float) -> str:
    """Return the shortest text that `duration_s` reads: 90 -> `1m30s`, 0.25 -> `250ms`."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole_s, milliseconds = divmod(rest, 1000)
    parts = [(hours, "h"), (minutes, "m"), (whole_s, "s"), (milliseconds, "ms")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def duration(seconds: float | None) -> str:
    """Return a length of time. From one minute on, it is rounded to whole seconds."""
    if seconds is None:
        return UNKNOWN
    short = _rounded(_decimal(seconds), _DIGITS)
    if short < 60:
        return f"{short.normalize():f} s"
    whole_s = int(seconds + 0.5)
    parts = [(whole_s // 3600, "h"), (whole_s // 60 % 60, "min"), (whole_s % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def age(seconds: float | None) -> str:
    """Return how long ago something was, in one unit and rounded down. A time in the future is `0 s`."""
    if seconds is None:
        return UNKNOWN
    whole_s = max(0, int(seconds))
    for size_s, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole_s >= size_s:
            return f"{whole_s // size_s:,} {unit}"
    return f"{whole_s} s"


def rough_duration(seconds: float) -> str:
    """Return an estimated length of time: whole seconds below two minutes, else whole minutes."""
    return duration(max(1, round(seconds)) if seconds < 120 else 60 * round(seconds / 60))


def clock(seconds: float) -> str:
    """Return the time since a start, rounded down to whole seconds."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def milliseconds(value_ms: float | None) -> str:
    """Return a latency."""
    return quantity(value_ms, "ms")


def percentage(fraction: float | None, limit: float | None = None) -> str:
    """Return a fraction as a percentage, with enough digits to distinguish it from `limit`."""
    return quantity(_percent(fraction), "%", _percent(limit))


def given_percentage(fraction: float | None) -> str:
    """Return a limit or a setting, given as a fraction, as a percentage."""
    return given(_percent(fraction), "%")


def change(fraction: float | None) -> str:
    """Return a relative change, given as a fraction, as a percentage with its sign."""
    return _signed(percentage(fraction), fraction)


def points(fraction: float | None) -> str:
    """Return a difference of two shares, given as a fraction, in percentage points with its sign."""
    return UNKNOWN if fraction is None else f"{_signed(figure(_percent(fraction)), fraction)} points"


def change_range(low: float | None, high: float | None, *, of_share: bool = False) -> str:
    """Return the interval of a change, as in `+13.0 to +21.0 %`. A bound that is not known is a question mark.

    Both bounds have the decimals of the larger one. A bound that would be 0 has one digit, so that its sign remains.
    """
    known = [_decimal(bound).scaleb(2) for bound in (low, high) if bound is not None]
    place = max((_last_place(bound, _DIGITS) for bound in known if bound), default=0)

    def text(bound: float | None) -> str:
        if bound is None:
            return "?"
        exact = _decimal(bound).scaleb(2)
        shown = exact.quantize(Decimal(1).scaleb(place), context=_WIDE) or _rounded(exact, 1)
        return _signed(f"{shown:,f}", bound)

    return f"{text(low)} to {text(high)} {'points' if of_share else '%'}"


def _signed(text: str, value: float | None) -> str:
    return f"+{text}" if value is not None and value > 0 else text


def per_second(value: float | None) -> str:
    """Return a rate."""
    return quantity(value, "/s")


def size(value_bytes: float | None) -> str:
    """Return a number of bytes."""
    if value_bytes is None:
        return UNKNOWN
    step = 0
    # 999.5 kB would be rounded to 1,000 kB.
    while value_bytes >= 999.5 and step < len(_SIZES) - 1:
        value_bytes, step = value_bytes / 1000, step + 1
    return f"{figure(value_bytes) if step else count(round(value_bytes))} {_SIZES[step]}"


def signed_size(value_bytes: float | None) -> str:
    """Return a difference of bytes with its sign."""
    if value_bytes is None:
        return UNKNOWN
    return f"{'-' if value_bytes < 0 else '+' if value_bytes > 0 else ''}{size(abs(value_bytes))}"


def cores(value: float | None) -> str:
    """Return a CPU use: CPU seconds per second."""
    return quantity(value, "cores")


def growth(per_s: float, interval_per_s: tuple[float, float] | None = None, *, of_bytes: bool) -> str:
    """Return a growth per second as one per hour, like the limits of rules, with its interval."""
    factor, unit = (3600 / 1e6, "MB/h") if of_bytes else (3600.0, "/h")
    shown = quantity(per_s * factor, unit)
    if interval_per_s is None:
        return shown
    return f"{shown} [{', '.join(figure(bound * factor) for bound in interval_per_s)}]"


def outlook(seconds: float) -> str:
    """Return a long and uncertain length of time, in one unit."""
    if seconds > 10 * _YEAR_S:
        return "more than 10 years"
    if seconds >= 3 * 86_400:
        return f"{figure(seconds / 86_400)} days"
    return f"{figure(seconds / 3600)} h" if seconds >= 2 * 3600 else f"{figure(seconds / 60)} min"


def figure(value: float | None) -> str:
    """Return a measured number without its unit."""
    return UNKNOWN if value is None else _shown(_decimal(value))


def count(number: int | None) -> str:
    """Return a count."""
    return UNKNOWN if number is None else f"{number:,}"


def mean_count(value: float | None) -> str:
    """Return a count or a mean of counts. A whole number has no decimals."""
    return count(int(value)) if value is not None and float(value).is_integer() else figure(value)


def quantity(value: float | None, unit: str, limit: float | None = None) -> str:
    """Return a measured value with its unit ("" for a count), and with digits that distinguish it from `limit`."""
    if value is None:
        return UNKNOWN
    if not unit:
        return given(value)
    return _shown(_decimal(value), None if limit is None else _decimal(limit)) + _SUFFIX[unit]


def given(value: float | None, unit: str = "") -> str:
    """Return a limit or a setting with exactly the digits that it was given."""
    return UNKNOWN if value is None else f"{_decimal(value).normalize():,f}{_SUFFIX[unit]}"


def plain(value: float) -> str:
    """Return the number like `given` but without separators, for the grammar of rules and for programs."""
    return given(value).replace(",", "")


def _shown(value: Decimal, limit: Decimal | None = None) -> str:
    for digits in range(_DIGITS, _EXACT_DIGITS):
        rounded = _rounded(value, digits)
        if limit is None or rounded.compare(limit) == value.compare(limit):
            return f"{rounded:,f}"
    return f"{value:,f}"


def _rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(_last_place(value, digits)), context=_WIDE) if value else Decimal(0)


def _last_place(value: Decimal, digits: int) -> int:
    """Return the exponent of the last shown digit of a value that is not 0."""
    magnitude = Context(prec=digits, rounding=ROUND_HALF_UP).plus(value).adjusted()
    return min(0, magnitude - digits + 1)


def _decimal(value: float) -> Decimal:
    """Return the shortest decimal that represents a float. Browsers start from the same decimal when they round."""
    return Decimal(repr(float(value)))


def _percent(fraction: float | None) -> float | None:
    """Return the percentage without binary rounding errors: 0.07 * 100 is 7.000000000000001."""
    return None if fraction is None else float(_decimal(fraction).scaleb(2))
