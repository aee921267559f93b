"""Durations as people write them: `30s`, `5m`, `1h30m`, `250ms`."""

import re

_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")


def duration_s(text: str | float) -> float:
    """Seconds from `90`, `"90"`, `30s`, `5m`, `1h30m` or `250ms`. Raises ValueError for anything else, 0 included."""
    seconds = _seconds(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"a duration is longer than nothing; got {text!r}")
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
    if not parts or units != sorted(set(units), key=lambda unit: -_UNIT_S[unit]):
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The shortest such text: 90 -> `1m30s`, 0.25 -> `250ms`."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole_s, milliseconds = divmod(rest, 1000)
    parts = [(hours, "h"), (minutes, "m"), (whole_s, "s"), (milliseconds, "ms")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
