"""Test the times of a streamed answer and its failures, without a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.stack import ROOT

START = {"event": "start", "model": "m", "simulated": True, "request_id": "r"}
END = {"event": "end"}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return an answer of which nothing has arrived yet."""
    import importlib.util

    folder = ROOT / "tests" / "performance"
    loaded = {}
    for name, path in (("config", folder / "config.py"), ("users.llm_answer", folder / "users" / "llm_answer.py")):
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        loaded[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, loaded[name])
        spec.loader.exec_module(loaded[name])
    return loaded["users.llm_answer"].StreamedAnswer()


def take(answer: Any, *events: tuple[dict[str, Any], float]) -> Any:
    for event, at_ms in events:
        answer.add(json.dumps(event), at_ms)
    return answer


def token(planned_ms: float | None, content: str = "x") -> dict[str, Any]:
    return {"event": "token", "content": content} | ({} if planned_ms is None else {"planned_ms": planned_ms})


def usage(output_tokens: int) -> dict[str, Any]:
    return {"event": "usage", "usage": {"input_tokens": 1, "output_tokens": output_tokens}}


def test_the_times_follow_their_definitions(answer: Any) -> None:
    take(
        answer,
        (START, 110),
        (token(100), 110),
        (token(112), 125),
        (token(124), 130),
        (usage(3), 131),
        (END, 140),
    )
    assert answer.problem() is None
    assert answer.ttft_ms == 110
    assert answer.ttft_overhead_ms == 10
    assert answer.gaps_ms == [15, 5]
    assert answer.gap_overheads_ms == [3, -7]
    assert answer.e2e_ms == 140
    assert answer.tpot_ms == (140 - 110) / 2
    assert answer.is_good


@pytest.mark.parametrize(("first_ms", "second_ms", "good"), [(130, 147, True), (131, 143, False), (100, 118, False)])
def test_a_good_stream_keeps_both_limits(answer: Any, first_ms: float, second_ms: float, good: bool) -> None:
    take(answer, (START, 1), (token(100), first_ms), (token(112), second_ms), (usage(2), 190), (END, 200))
    assert answer.is_good is good


def test_without_a_plan_there_is_no_overhead_and_no_goodput(answer: Any) -> None:
    take(answer, (START, 1), (token(None), 10), (token(None), 20), (usage(2), 21), (END, 22))
    assert answer.problem() is None
    assert answer.ttft_overhead_ms is None
    assert answer.gap_overheads_ms == []
    assert not answer.is_good


def test_an_answer_of_one_token_has_no_time_per_token(answer: Any) -> None:
    take(answer, (START, 1), (token(5), 10), (usage(1), 11), (END, 12))
    assert answer.tpot_ms is None
    assert answer.is_good


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([START | {"simulated": False}, token(1), usage(1), END], "a live model answered, which can cost money"),
        ([{"event": "start"}, token(1), usage(1), END], "a live model answered, which can cost money"),
        (
            [START, token(1), {"event": "error", "code": "llm_timeout"}, END],
            "the stream reported an error: llm_timeout",
        ),
        ([token(1), usage(1), END], "the stream did not begin with exactly one start event"),
        ([START, START, token(1), usage(1), END], "the stream did not begin with exactly one start event"),
        (
            [START, token(1, content=""), usage(1), END],
            "the stream contained an empty token, or a token after the usage",
        ),
        ([START, token(1), usage(2), token(2), END], "the stream contained an empty token, or a token after the usage"),
        ([START, token(1), usage(1), {"event": "what"}, END], "the stream contained an unknown event"),
        ([START, token(1), usage(1), [1], END], "the stream contained an unknown event"),
        ([START, token(1), usage(1), END, END], "the stream continued after its end event"),
        ([START, token(1), usage(1)], "the stream had no end event, or no usage"),
        ([START, token(1), END], "the stream had no end event, or no usage"),
        ([START, token(1), token(2), usage(1), END], "the usage differs from the number of tokens"),
        ([START, usage(0), END], "the usage differs from the number of tokens"),
    ],
)
def test_an_invalid_stream_has_a_problem(answer: Any, events: list[Any], problem: str) -> None:
    take(answer, *((event, float(number)) for number, event in enumerate(events)))
    assert answer.problem() == problem


def test_invalid_json_is_a_problem(answer: Any) -> None:
    answer.add("{", 1.0)
    assert answer.problem() is not None
