"""Select the models that can serve a request, and their order, from the configuration only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inference_core.llm.config.access import Access
from inference_core.llm.config.policies import apply_policy, effective_policy, merged
from inference_core.llm.config.schema import LLMConfig, ModelConfig, TaskName, Timeouts
from inference_core.llm.errors import ForbiddenParameterError, LLMNotConfiguredError, UnknownModelError
from inference_core.llm.types import SIMULATED, ModelCall, SamplingParams

# The maximum length of an answer if neither the request nor the model limits it and tokens per day are limited.
ANSWER_TOKENS = 2048
# Maximum share of a model's context for an answer without a limit.
ANSWER_SHARE = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that can serve a request, with its provider, parameters and timeouts.

    `output_tokens` is the maximum length of its answer: the `max_tokens` of the call, unless the policy of the model
    forbids this parameter.
    """

    provider: str
    call: ModelCall
    params: SamplingParams
    output_tokens: int
    timeouts: Timeouts


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
        if not self.access.may_simulate:
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
        raise ForbiddenParameterError("max_tokens", f"The maximum of max_tokens for the model {name} is {limit}.")
