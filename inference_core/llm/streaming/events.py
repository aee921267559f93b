"""The wire format of streams. Each event is `data: {json}` and a blank line.

start   {"event": "start", "model", "session_id"?, "simulated", "request_id"}
token   {"event": "token", "content", "planned_ms"?}
        planned_ms: the time at which the simulator planned to send the token, from the arrival of the request
usage   {"event": "usage", "usage": {"input_tokens", "output_tokens", "total_tokens", "estimated"?}}
        estimated: true if the provider reported no usage, or a usage that cannot be true
error   {"event": "error", "code", "message"}
        replaces the remaining events; only `end` follows
end     {"event": "end"}
        always the last event

A comment (`: ping`) shows during a silence that the connection is alive.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii

from inference_core.llm.types import Token, Usage

_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}


def _shape(kind: str, optional: tuple[str, ...] = (), **properties: object) -> dict[str, object]:
    named = {"event": {"const": kind}, **properties}
    return {"type": "object", "properties": named, "required": [name for name in named if name not in optional]}


_COUNTS = {"input_tokens": _COUNT, "output_tokens": _COUNT, "total_tokens": _COUNT}
# The same format for the OpenAPI document.
EVENT_SCHEMA: dict[str, object] = {
    "oneOf": [
        _shape(
            "start", ("session_id",), model=_TEXT, session_id=_TEXT, simulated={"type": "boolean"}, request_id=_TEXT
        ),
        _shape("token", ("planned_ms",), content=_TEXT, planned_ms={"type": "number"}),
        _shape(
            "usage",
            usage={
                "type": "object",
                "properties": {**_COUNTS, "estimated": {"type": "boolean"}},
                "required": list(_COUNTS),
            },
        ),
        _shape("error", code=_TEXT, message=_TEXT),
        _shape("end"),
    ]
}
PING = b": ping\n\n"
END = b'data: {"event":"end"}\n\n'


def encode_start(*, model: str, session_id: str | None, simulated: bool, request_id: str) -> bytes:
    """Return the first event."""
    fields: dict[str, object] = {"event": "start", "model": model}
    if session_id is not None:
        fields["session_id"] = session_id
    return _event({**fields, "simulated": simulated, "request_id": request_id})


def encode_token(token: Token) -> bytes:
    """Return a token event. Fast path: formatted by hand, because there is one for each token."""
    content = encode_basestring_ascii(token.content)
    if token.planned_ms is None:
        return f'data: {{"event":"token","content":{content}}}\n\n'.encode()
    return f'data: {{"event":"token","content":{content},"planned_ms":{token.planned_ms:.3f}}}\n\n'.encode()


def encode_usage(usage: Usage) -> bytes:
    """Return the usage event."""
    return _event({"event": "usage", "usage": usage.as_json()})


def encode_error(code: str, message: str) -> bytes:
    """Return an error event."""
    return _event({"event": "error", "code": code, "message": message})


def _event(fields: dict[str, object]) -> bytes:
    return f"data: {json.dumps(fields, separators=(',', ':'))}\n\n".encode()
