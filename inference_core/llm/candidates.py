"""Select the models that can serve a request, and their order, from the configuration only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import SecretStr

from inference_core.llm.config.policies import apply_policy, effective_policy, merged
from inference_core.llm.config.schema import LLMConfig, ModelConfig, ProviderConfig, TaskName, Timeouts
from inference_core.llm.errors import ForbiddenParameterError, LLMNotConfiguredError, UnknownModelError
from inference_core.llm.settings import LLMSettings
from inference_core.llm.types import ModelCall, SamplingParams

SIMULATED = "simulated"
# The maximum length of an answer if neither the request nor the model limits it and tokens per day are limited.
ANSWER_TOKENS = 2048
# Maximum share of a model's context for an answer without a limit.
ANSWER_SHARE = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may serve a request: at which provider, and with which parameters, in which time.

    `output_tokens` is how long its answer may be: what it is told as `max_tokens`, unless its policy forbids that.
    """

    provider: str
    call: ModelCall
    params: SamplingParams
    output_tokens: int
    timeouts: Timeouts


@dataclass(frozen=True, slots=True)
class Access:
    """The providers that may be called.

    Attributes:
        live_allowed: False forbids every provider that could cost money.
        may_stand_in: Whether the simulator replaces a model whose provider cannot be called.
        keys: The available keys by provider.
    """

    mode: Literal["auto", "live", "simulated"]
    live_allowed: bool
    may_stand_in: bool
    production: bool
    keys: Mapping[str, SecretStr]

    @classmethod
    def of(cls, settings: LLMSettings, config: LLMConfig, environ: Mapping[str, str]) -> Access:
        """Return the access of the settings and the environment."""
        wanted = {name: provider.api_key_env for name, provider in config.providers.items() if provider.api_key_env}
        keys = {name: SecretStr(key) for name, variable in wanted.items() if (key := key_in(environ, variable))}
        return cls(
            mode=settings.llm_provider_mode,
            live_allowed=settings.live_llm_allowed,
            may_stand_in=settings.llm_may_stand_in,
            production=settings.is_production,
            keys=keys,
        )

    def may_cost_money(self, name: str, provider: ProviderConfig) -> bool:
        """Return whether calls can reach a provider that is not a declared simulator, including one on this machine."""
        return not provider.simulator and provider.kind_for(name) != SIMULATED and self.may_call(name, provider)

    def may_call(self, name: str, provider: ProviderConfig) -> bool:
        """Return whether the provider may be called, by its mode, the permission for live calls and its key."""
        if provider.simulator or provider.kind_for(name) == SIMULATED:
            return self.mode == "auto"
        has_key = provider.api_key_env is None or name in self.keys
        return self.mode != "simulated" and self.live_allowed and has_key


def key_in(environ: Mapping[str, str], variable: str) -> str:
    """Return the key in a variable, without surrounding blanks and line ends. Empty if there is none."""
    return environ.get(variable, "").strip()


def is_usable(key: str) -> bool:
    """Return whether a key is valid in an HTTP header and has no quotes."""
    return key.isascii() and (key.isprintable() and not set(key) & set(" \"'"))


@dataclass(frozen=True, slots=True)
class Resolver:
    """The selection of candidates for a task, a requested model and parameters."""

    config: LLMConfig
    access: Access

    def candidates(self, task: TaskName, model_name: str | None, params: SamplingParams) -> list[Candidate]:
        """Return the candidates for the request, the best first, at least one.

        A model that the request names is not replaced.

        Raises:
            UnknownModelError, ForbiddenParameterError: For the named model, or for the primary one of the task.
            LLMNotConfiguredError: There is no candidate.
        """
        names = [self._named(model_name)] if model_name is not None else self._of_task(task)
        usable = [name for name in names if self._callable(name)]
        if names:
            # The parameters are checked for the requested model, even if another model answers.
            first = self._candidate(task, names[0], params)
        if usable:
            return self._allowed(task, usable, params)
        if not self.access.may_stand_in:
            raise LLMNotConfiguredError
        if not names:
            bounded = self._bounded(params, ANSWER_TOKENS)
            longest = bounded.max_tokens or ANSWER_TOKENS
            call = ModelCall(SIMULATED, SIMULATED)
            return [Candidate(SIMULATED, call, bounded, longest, self.config.timeouts(task))]
        return [replace(first, provider=SIMULATED)]

    def _allowed(self, task: TaskName, usable: list[str], params: SamplingParams) -> list[Candidate]:
        found = []
        refused: ForbiddenParameterError | None = None
        for name in usable:
            try:
                found.append(self._candidate(task, name, params))
            except ForbiddenParameterError as error:
                refused = error
        if not found:
            assert refused is not None  # noqa: S101  # each usable model is found or refused
            raise refused
        return found

    def _of_task(self, task: TaskName) -> list[str]:
        wanted = self.config.task(task)
        return list(dict.fromkeys(filter(None, [wanted.primary, *wanted.fallback])))

    def may_be_named(self, name: str) -> bool:
        """Return whether a request can name this model: it is configured and, in production, not only for testing."""
        return name in self.config.models and not (self.access.production and self._only_for_testing(name))

    def _named(self, name: str) -> str:
        if not self.may_be_named(name):
            raise UnknownModelError
        return name

    def _only_for_testing(self, name: str) -> bool:
        tasks = self.config.tasks.values()
        used = any(name == task.primary or name in task.fallback for task in tasks)
        return not used and any(name in task.testing for task in tasks)

    def _callable(self, name: str) -> bool:
        provider = self.config.models[name].provider
        return self.access.may_call(provider, self.config.providers[provider])

    def _candidate(self, task: TaskName, name: str, params: SamplingParams) -> Candidate:
        model = self.config.models[name]
        wanted = merged(params, model.defaults.params())
        _check_length(name, model, wanted)
        policy = effective_policy(self.config, model.provider, name)
        longest = _answer_tokens(model)
        if policy["max_tokens"].action in ("allow", "rename"):
            wanted = self._bounded(wanted, longest)
        kept, sent = apply_policy(policy, wanted, name)
        call = ModelCall(name, model.model or name, sent, model.context_tokens)
        # If the limit cannot be sent to a model, only the configuration can state its longest answer.
        unbounded = model.max_output_tokens or longest
        return Candidate(model.provider, call, kept, kept.max_tokens or unbounded, self.config.timeouts(task, name))

    def _bounded(self, params: SamplingParams, longest: int) -> SamplingParams:
        """Return the parameters with a `max_tokens`, because the reserved tokens must cover the longest answer."""
        if params.max_tokens is not None or not self.config.settings.limits.tokens_per_day:
            return params
        return replace(params, max_tokens=longest)


def _answer_tokens(model: ModelConfig) -> int:
    limits = [ANSWER_TOKENS]
    if model.max_output_tokens is not None:
        limits.append(model.max_output_tokens)
    if model.context_tokens is not None:
        limits.append(max(1, model.context_tokens // ANSWER_SHARE))
    return min(limits)


def _check_length(name: str, model: ModelConfig, params: SamplingParams) -> None:
    limit = model.max_output_tokens
    if limit is not None and params.max_tokens is not None and params.max_tokens > limit:
        raise ForbiddenParameterError(
            "max_tokens", f"The model {name} gives at most {limit} tokens: ask for max_tokens of no more."
        )
