"""The format of the service's messages, and its validation. Pure functions.

Celery reads the parts of a message where it needs them, and a malformed part would end the worker. Every message is
therefore checked completely before Celery gets it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

LARGEST_BYTES = 8 * 1024 * 1024
DEEPEST = 100
SENT_AT = "sent_at"
"""The header with the time at which a task was sent, in epoch seconds of the clock of Redis."""
UNREADABLE = "application/x-unreadable"
LONGEST_UNREADABLE = 8_000

Text = Annotated[StrictStr, Field(max_length=1000)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
TaskName = Annotated[StrictStr, Field(min_length=1, max_length=255)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=7 * 24 * 3600, allow_inf_nan=False)]
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Moment = Annotated[StrictStr, Field(max_length=40)]


class _Part(BaseModel):
    """A part of a message. Other keys are not checked."""

    model_config = ConfigDict(extra="ignore")


class DeliveryInfo(_Part):
    """The destination of a message, to which it can be returned."""

    exchange: Text
    routing_key: Text
    redelivered: StrictBool = False


class Properties(_Part):
    """The part of the transport."""

    delivery_tag: Name
    delivery_info: DeliveryInfo
    body_encoding: Literal["base64"] | None = None
    correlation_id: Text | None = None
    reply_to: Text | None = None
    priority: Annotated[StrictInt, Field(ge=0, le=255)] | None = None


class Envelope(_Part):
    """A message in a queue. A compressed one is refused, because its uncompressed size is not bounded."""

    body: StrictStr
    content_type: Annotated[Text, Field(alias="content-type")]
    content_encoding: Annotated[Literal["utf-8", "binary"], Field(alias="content-encoding")]
    headers: dict[str, JsonValue]
    properties: Properties

    @field_validator("headers")
    @classmethod
    def _not_compressed(cls, headers: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if headers.get("compression"):
            raise ValueError("the body is compressed")
        return headers

    @model_validator(mode="after")
    def _body_can_be_decoded(self) -> Self:
        if self.properties.body_encoding == "base64":
            b64decode(self.body)  # as in kombu; binascii.Error is a ValueError
        return self


class Signature(_Part):
    """A task that is sent after this one."""

    task: TaskName
    args: list[JsonValue] = []
    keywords: Annotated[dict[str, JsonValue], Field(alias="kwargs")] = {}
    options: dict[str, JsonValue] = {}


class Embedded(_Part):
    """The tasks that follow a task. The service itself uses none."""

    callbacks: list[Signature] | None = None
    errbacks: list[Signature] | None = None
    chain: list[Signature] | None = None
    chord: Signature | None = None


class TaskHeaders(_Part):
    """The headers of a task in Celery's message protocol 2."""

    task: TaskName
    id: Name
    root_id: Name | None = None
    parent_id: Name | None = None
    group: Name | None = None
    group_index: Count | None = None
    retries: Count | None = 0
    replaced_task_nesting: Count | None = 0
    eta: Moment | None = None
    expires: Moment | None = None
    timelimit: tuple[Seconds | None, Seconds | None] | None = None
    shadow: Text | None = None
    argsrepr: StrictStr | None = None
    kwargsrepr: StrictStr | None = None
    origin: Text | None = None
    ignore_result: StrictBool | None = None
    redelivered: StrictBool = False
    stamped_headers: list[Text] | None = None
    stamps: dict[str, JsonValue] | None = None
    groups: list[Text] | None = None
    request_id: Text | None = None
    trace_id: Text | None = None
    traceparent: Text | None = None
    tracestate: Text | None = None
    baggage: StrictStr | None = None
    sent_at: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class TaskMessage(_Part):
    """The headers and the decoded body."""

    headers: TaskHeaders
    body: tuple[list[JsonValue], dict[str, JsonValue], Embedded | None]


def envelope_problem(raw: bytes) -> str | None:
    """Return why `raw`, an item of a queue, is not a message. None if it is one."""
    if len(raw) > LARGEST_BYTES:
        return f"larger than {LARGEST_BYTES} bytes"
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {type(error).__name__}"
    return _shape_problem(Envelope, value)


def task_problem(headers: Mapping[str, Any], content_type: str, body: str | bytes) -> str | None:
    """Return why a message is not a task of this service, or None if it is one.

    Args:
        headers: The headers of the message.
        content_type: The content type of the body.
        body: The body, decoded from base64.
    """
    if content_type == UNREADABLE:
        return str(headers.get("reason"))
    if content_type != "application/json":
        return "the body is not application/json"
    try:
        parsed = json.loads(body.decode() if isinstance(body, bytes) else body)
    except (ValueError, RecursionError) as error:
        return f"the body is not JSON: {type(error).__name__}"
    problem = _shape_problem(TaskMessage, {"headers": dict(headers), "body": parsed})
    return problem or _moment_problem(headers)


def carrier(raw: bytes, queue: str, problem: str) -> bytes:
    """Return a well-formed message with the beginning of a malformed one, so that it can be acknowledged."""
    message = {
        "body": b64encode(raw[:LONGEST_UNREADABLE]).decode(),
        "content-type": UNREADABLE,
        "content-encoding": "binary",
        "headers": {"reason": problem},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }
    return json.dumps(message).encode()


def _shape_problem(kind: type[BaseModel], value: Any) -> str | None:
    if _is_deep(value):
        return f"nested deeper than {DEEPEST} levels"
    try:
        kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None


def _moment_problem(headers: Mapping[str, Any]) -> str | None:
    for name in ("eta", "expires"):
        if moment := headers.get(name):
            try:
                datetime.fromisoformat(moment).timestamp()
            except (ValueError, OverflowError):
                return f"headers.{name}: not a date and time"
    return None


def _is_deep(value: Any) -> bool:
    """Return whether `value` is nested too deeply for recursive readers."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
