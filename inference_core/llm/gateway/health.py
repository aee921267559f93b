"""The state of the models and their providers, for the health routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from inference_core.core.health import Status
from inference_core.llm.gateway.gateway import Gateway


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """Whether models are available.

    Attributes:
        message: A sentence if the status is not `healthy`.
        models: Whether each configured model is available.
        live_calls_possible: Whether a request could reach a provider that charges for it.
    """

    status: Status
    message: str | None
    models: Mapping[str, bool]
    provider_mode: Literal["auto", "live", "simulated"]
    live_calls_possible: bool


def gateway_health(gateway: Gateway) -> GatewayHealth:
    """Return the current state, without any call."""
    models = gateway.availability()
    status, message = _status(gateway, models)
    return GatewayHealth(status, message, models, gateway.access.mode, gateway.live_calls_possible)


def _status(gateway: Gateway, models: Mapping[str, bool]) -> tuple[Status, str | None]:
    access, config = gateway.access, gateway.config
    if not config.models and not access.may_simulate:
        return "not_configured", "No language model is configured."
    if not any(models.values()) and not access.may_simulate:
        if not any(access.may_call(name, provider) for name, provider in config.providers.items()):
            return "not_configured", "No LLM provider is configured."
        return "unhealthy", "No LLM provider responds."
    if broken := sorted(name for name, breaker in gateway.breakers.items() if breaker.is_open):
        return "degraded", f"Circuit breaker open: {', '.join(broken)}."
    return "healthy", None
