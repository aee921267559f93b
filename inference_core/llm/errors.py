"""Errors of the LLM subsystem. They contain no HTTP status and no text from a provider.

ServiceError
└── LLMError
    ├── LLMNotConfiguredError        no API key, or live calls and simulation are both disabled
    ├── UnknownModelError            the configuration has no such model, or it is not available here
    ├── UnknownProviderError         the configuration has no such provider
    ├── ForbiddenParameterError      the policy of the model or its provider forbids a parameter
    └── ProviderError                a call to a provider failed
        ├── ProviderRateLimitedError     the provider's rate limit was exceeded; see `retry_after_s`
        ├── ProviderAuthError            the provider rejected the service's API key
        ├── ContextTooLongError          prompt and answer exceed the model's context window
        ├── ProviderBadRequestError      the provider rejected the request for another reason
        ├── ProviderModelNotFoundError   the provider does not know the configured model
        ├── UpstreamFailedError          the call failed, was cut off or returned an invalid response
        │   ├── UpstreamUnavailableError     the provider is unreachable or reports overload
        │   └── CircuitOpenError             the circuit breaker is open for `retry_after_s`
        └── ProviderTimeoutError         a time limit was exceeded; `phase` says which

`detail` may be shown to any client. The provider's own message is in `diagnostic` and is only logged.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from inference_core.core.exceptions import ErrorKind, ServiceError

Phase = Literal["connect", "first_token", "between_tokens", "total"]


class LLMError(ServiceError):
    """Base class of errors of LLM requests."""

    code = "llm_error"
    detail = "The model could not answer."


class LLMNotConfiguredError(LLMError):
    """Raised if no provider may be called: a key is missing, or live calls or the simulator are forbidden."""

    kind: ClassVar[ErrorKind] = "unavailable"
    code = "llm_not_configured"
    detail = "No language model is configured for this request."


class UnknownModelError(LLMError):
    """Raised if the model is not in the configuration or may not be named in this environment."""

    kind: ClassVar[ErrorKind] = "not_found"
    code = "unknown_model"
    detail = "There is no such model."


class UnknownProviderError(LLMError):
    """Raised if the provider is not in the configuration."""

    kind: ClassVar[ErrorKind] = "not_found"
    code = "unknown_provider"
    detail = "There is no such provider."


class ForbiddenParameterError(LLMError):
    """Raised if a parameter of the request is not allowed for the model."""

    kind: ClassVar[ErrorKind] = "invalid_input"
    code = "forbidden_parameter"
    detail = "A parameter is not allowed for this model."

    def __init__(self, parameter: str, detail: str | None = None) -> None:
        super().__init__(detail)
        self.parameter = parameter


class ProviderError(LLMError):
    """Raised if a call to a provider fails.

    Attributes:
        retryable: Whether a repeated call to the same provider can succeed immediately.
        falls_back: Whether another provider can succeed.
        counts: Whether it is a failure of the provider, which counts for its circuit breaker.
        took_prompt: Whether the provider may have processed the prompt and charge for it. It does not if it refused or
            was unreachable.
    """

    kind: ClassVar[ErrorKind] = "upstream_failed"
    code = "llm_provider_failed"
    retryable: bool = False
    falls_back: ClassVar[bool] = True
    counts: bool = False
    took_prompt: bool = False

    def __init__(
        self, provider: str, diagnostic: str = "", *, retry_after_s: int | None = None, detail: str | None = None
    ) -> None:
        super().__init__(detail)
        self.provider = provider
        self.diagnostic = diagnostic
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
            self.retryable = False  # the provider requested a pause


class ProviderRateLimitedError(ProviderError):
    """Raised if the provider limits the rate. Retry after `retry_after_s` seconds."""

    kind: ClassVar[ErrorKind] = "throttled"
    code = "llm_rate_limited"
    detail = "The language model is rate limited. Try again later."
    retry_after_s = 5


class ProviderAuthError(ProviderError):
    """Raised if the provider refuses the key of this service."""

    code = "llm_auth_failed"
    detail = "The provider of the language model refuses this service. The operator must fix its configuration."


class ContextTooLongError(ProviderError):
    """Raised if the prompt and the longest answer do not fit into the context of the model."""

    kind: ClassVar[ErrorKind] = "invalid_input"
    code = "llm_context_too_long"
    detail = "The text is too long for this model."
    falls_back = False


class ProviderBadRequestError(ProviderError):
    """Raised if the provider refuses the request."""

    kind: ClassVar[ErrorKind] = "invalid_input"
    code = "llm_bad_request"
    detail = "The provider of the language model refuses the request."
    falls_back = False


class ProviderModelNotFoundError(ProviderError):
    """Raised if the provider does not know the configured model."""

    code = "llm_model_not_found"
    detail = "The provider does not know this model. The operator must fix the configuration."


class UpstreamFailedError(ProviderError):
    """Raised if the provider failed, broke off, or sent an invalid answer."""

    code = "llm_upstream_failed"
    detail = "The language model failed. Try again."
    retryable = True
    counts = True
    took_prompt = True


class UpstreamUnavailableError(UpstreamFailedError):
    """Raised if the provider cannot be reached or is overloaded."""

    kind: ClassVar[ErrorKind] = "unavailable"
    code = "llm_upstream_unavailable"
    detail = "The language model is not available at the moment. Try again later."
    retry_after_s = 5
    took_prompt = False


class CircuitOpenError(UpstreamFailedError):
    """Raised while the circuit breaker of the provider is open. Retry after `retry_after_s` seconds."""

    kind: ClassVar[ErrorKind] = "unavailable"
    code = "llm_circuit_open"
    detail = "The language model is not available at the moment. Try again later."
    retryable = False
    counts = False
    took_prompt = False


class ProviderTimeoutError(ProviderError):
    """Raised if the provider exceeds a time limit; `phase` says which.

    The total time limit of a stream does not count for the circuit breaker: the client may have set a short limit, or
    may be slow itself. A caller that waits only for the provider may set `counts`.
    """

    kind: ClassVar[ErrorKind] = "upstream_timeout"
    code = "llm_timeout"
    detail = "The language model took too long."

    def __init__(self, provider: str, phase: Phase, diagnostic: str = "") -> None:
        super().__init__(provider, diagnostic or f"timeout in phase {phase}")
        self.phase = phase
        self.counts = phase != "total"
        self.took_prompt = phase != "connect"
