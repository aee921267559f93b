"""The faults of a simulated provider, for a share of the requests or for a single request."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from inference_core.core.exceptions import OperatorError

# Clients outside of production request a fault with this header.
FAULT_HEADER = "X-LLM-Fault"

FaultKind = Literal[
    "connect_refused",
    "rate_limited",
    "auth_failed",
    "context_too_long",
    "server_error",
    "unavailable",
    "model_not_found",
    "slow_first_token",
    "reset",
    "malformed",
    "stall",
    "slow_drip",
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

# Before the first token, instead of an answer.
REFUSALS: frozenset[FaultKind] = frozenset(KINDS[:7])
# In the middle of a response.
BREAKS: frozenset[FaultKind] = frozenset({"reset", "malformed"})
# The meaning of the number after the colon, and its default.
DEFAULT_VALUE: dict[FaultKind, float] = {
    "rate_limited": 1,  # Retry-After, seconds
    "unavailable": 1,  # Retry-After, seconds
    "slow_first_token": 30,  # seconds before the first token
    "reset": 3,  # tokens before the connection breaks
    "malformed": 3,  # tokens before the chunk with invalid JSON
    "stall": 30,  # seconds of silence after the third token
    "slow_drip": 1,  # seconds between tokens
}
STALL_AFTER_TOKENS = 3


class BadFaultError(OperatorError, ValueError):
    """Raised if a fault is unknown or invalid. The message is one line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `DEFAULT_VALUE` gives the meaning of `value` for each kind."""

    kind: FaultKind
    value: float = 0.0


class SimulatedFailure(Exception):  # noqa: N818  # the failure was requested
    """Raised to simulate `fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


def parse_fault(text: str) -> Fault:
    """Parse `kind` or `kind:number`.

    Raises:
        BadFaultError: The kind is unknown; the message lists the kinds.
    """
    kind, _, number = text.strip().partition(":")
    if kind not in KINDS:
        raise BadFaultError(f"there is no fault '{kind[:40]}'; known: {', '.join(KINDS)}")
    if not number:
        return Fault(kind, DEFAULT_VALUE.get(kind, 0.0))
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if kind not in DEFAULT_VALUE or not 0 <= value <= 3600:
        raise BadFaultError(f"fault {kind}: '{number[:40]}' is not a number from 0 to 3600")
    return Fault(kind, value)


def parse_rates(text: str) -> dict[FaultKind, float]:
    """Parse `kind=share, kind=share`. Each share, and their sum, is between 0 and 1.

    Raises:
        BadFaultError: With the first mistake.
    """
    rates: dict[FaultKind, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, share = item.partition("=")
        kind = parse_fault(name).kind
        try:
            rates[kind] = float(share)
        except ValueError:
            raise BadFaultError(f"'{item[:60]}' is not fault=share, such as rate_limited=0.01") from None
        if not 0 <= rates[kind] <= 1:
            raise BadFaultError(f"the share of {kind} must be between 0 and 1")
    if sum(rates.values()) > 1:
        raise BadFaultError("the sum of the shares of all faults is above 1")
    return rates


def breaks_at(fault: Fault, index: float) -> bool:
    """Return whether the answer breaks off at the token `index`. An answer that is too short breaks off at its end."""
    return fault.kind in BREAKS and index >= fault.value


def delay_ms(fault: Fault, index: int) -> float:
    """Return the additional delay in milliseconds between the previous token and the token `index`."""
    late = {
        "slow_first_token": index == 0,
        "stall": index == STALL_AFTER_TOKENS,
        "slow_drip": index > 0,
    }.get(fault.kind, False)
    return 1000 * fault.value if late else 0.0


def draw_fault(rng: random.Random, rates: Mapping[FaultKind, float]) -> Fault | None:
    """Draw the fault of the next request, or None, by the rates of the kinds."""
    if not rates:
        return None
    point = rng.random()
    for kind, rate in rates.items():
        point -= rate
        if point < 0:
            return Fault(kind, DEFAULT_VALUE.get(kind, 0.0))
    return None
