"""The API returns a valid response for every result in the store."""

from __future__ import annotations

import json

import pytest

from inference_core.tasks.record import TaskRecord
from inference_core.tasks.views import task_result, task_state

REGISTERED = {b"name": b"some.task", b"owner": b"", b"started": b"1"}


def parsed(meta: bytes) -> TaskRecord:
    record = TaskRecord.parse("id", REGISTERED, meta)
    # As FastAPI does it.
    for view in (task_result(record), task_state(record)):
        json.dumps(view.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
        view.model_dump_json().encode()
    return record


@pytest.mark.parametrize(
    ("stored", "result"),
    [
        (rb'"a\ud83d you"', "a\ufffd you"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\uDE00"', "\ufffd"),
        (rb'{"\udead": ["\u0000\ud83d", 1, null, true]}', {"\ufffd": ["\ufffd", 1, None, True]}),
        (b"NaN", None),
        (b'{"mean": Infinity, "rest": [-Infinity, 1.5, 1e999]}', {"mean": None, "rest": [None, 1.5, None]}),
        (rb'"\\ud83d is how it is written"', "\\ud83d is how it is written"),
    ],
)
def test_result_is_given_as_json_allows(stored: bytes, result: object) -> None:
    record = parsed(b'{"status": "SUCCESS", "result": ' + stored + b"}")
    assert (record.status, record.result) == ("SUCCESS", result)


def test_answer_of_a_model_is_cleaned_where_it_lies_deep() -> None:
    meta = rb'{"status": "SUCCESS", "result": {"result": {"answer": "a\ud83d"}, "metadata": {"model_name": "m"}}}'
    record = parsed(meta)
    assert (record.result, record.metadata) == ({"answer": "a\ufffd"}, {"model_name": "m"})


def test_message_of_a_failure_is_cleaned() -> None:
    stored = rb'{"exc_type": "TaskFailedError", "exc_message": ["no \ud83d"]}'
    record = parsed(b'{"status": "FAILURE", "result": ' + stored + b"}")
    assert record.problem is not None
    assert record.problem.message == "no \ufffd"


@pytest.mark.parametrize("meta", [b"{", b"", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"result": ' + b"9" * 5000 + b"}"])
def test_result_that_cannot_be_read_is_a_failure_that_says_so(meta: bytes) -> None:
    record = parsed(meta or b" ")
    assert record.status == "FAILURE"
    assert record.problem is not None
    assert record.problem.message == "The result of the task cannot be read."
