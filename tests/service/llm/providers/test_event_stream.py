"""The reader of server-sent events, with all line ends and pieces of any size."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from inference_core.llm.providers.event_stream import MAX_EVENT_BYTES, Event, EventReader, EventTooLargeError

STREAM = (
    "event: a\ndata: one\n\n: comment\ndata:two\ndata: é\u2028😀\nid: 5\nretry: x\n\ndata\n\nevent: lost\n\ndata: 3"
)
EVENTS = [Event("a", "one"), Event("", "two\né\u2028😀"), Event("", ""), Event("", "3")]


@pytest.mark.parametrize("end_of_line", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_events_are_the_same_however_the_bytes_arrive(end_of_line: bytes, mark: bytes, size: int) -> None:
    whole = mark + STREAM.encode().replace(b"\n", end_of_line)
    reader = EventReader()
    events = [event for at in range(0, len(whole), size) for event in reader.feed(whole[at : at + size])]
    assert events + reader.end() == EVENTS


def test_an_event_is_given_with_the_last_byte_of_its_blank_line() -> None:
    reader = EventReader()
    assert reader.feed(b"data: 1\r\n\r") == [Event("", "1")]
    assert reader.feed(b"\ndata: 2\n") == []
    assert reader.feed(b"\n") == [Event("", "2")]


def feed(reader: EventReader, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in reader.feed(piece)]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: " + b"x" * MAX_EVENT_BYTES], [b"data: " + b"x" * 1000 + b"\n"] * 1100, [b"x" * 1000] * 1100],
    ids=["one line", "many lines", "no line"],
)
def test_an_event_without_end_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(EventTooLargeError):
        feed(EventReader(), pieces)


def test_many_small_events_are_no_large_one() -> None:
    reader = EventReader()
    event = b": " + b"c" * 500 + b"\ndata: " + b"x" * 1000 + b"\n\n"
    assert len(feed(reader, [event] * 3000)) == 3000


def test_comments_without_end_are_no_large_event() -> None:
    assert feed(EventReader(), [b": pi", b"ng\n"] * 300_000) == []
