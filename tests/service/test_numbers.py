"""Numbers in request bodies: no boolean and no text counts as one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from inference_core.auth.api_keys.schemas import NewApiKey
from inference_core.llm.api.schemas import ExplainRequest

NUMBERS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "request_timeout")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False, "1", b"1"])
def test_a_parameter_is_a_number(name: str, value: object) -> None:
    assert getattr(ExplainRequest.model_validate({"question": "Why?", name: 1}), name) == 1
    assert getattr(ExplainRequest.model_validate({"question": "Why?", name: None}), name) is None
    with pytest.raises(ValidationError, match="must be a number"):
        ExplainRequest.model_validate({"question": "Why?", name: value})


def test_an_integer_can_be_written_with_a_decimal_point() -> None:
    assert ExplainRequest.model_validate_json('{"question": "Why?", "max_tokens": 5.0}').max_tokens == 5


@pytest.mark.parametrize("value", [True, "7"])
def test_the_lifetime_of_a_key_is_a_number(value: object) -> None:
    with pytest.raises(ValidationError, match="must be a number"):
        NewApiKey.model_validate({"name": "ci", "scopes": ["monitoring:read"], "expires_in_days": value})


def test_the_document_keeps_the_ranges() -> None:
    fields = ExplainRequest.model_json_schema()["properties"]
    assert {name: fields[name]["anyOf"][0]["maximum"] for name in NUMBERS} == {
        "temperature": 2,
        "top_p": 1,
        "frequency_penalty": 2,
        "presence_penalty": 2,
        "max_tokens": 10_000_000,
        "request_timeout": 3600,
    }
