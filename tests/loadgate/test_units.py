"""Durations as people write them."""

import pytest

from loadgate.units import duration_s, format_duration


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
     float("nan"), float("inf")],
)  # fmt: skip
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="duration") as refusal:
        duration_s(text)

    assert repr(text) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "1m30s"), (5400, "1h30m"), (0.25, "250ms"), (60, "1m"), (1.5, "1s500ms"), (0, "0s")]
)
def test_a_duration_is_written_the_short_way(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    if seconds:
        assert duration_s(text) == seconds
