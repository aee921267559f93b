"""The policies of sampling parameters: which ones a provider gets, and under which name. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from inference_core.llm.config.schema import LLMConfig, Policy, ProviderKind
from inference_core.llm.errors import ForbiddenParameterError, UnknownModelError, UnknownProviderError
from inference_core.llm.types import PARAMETER_NAMES, ParameterValue, SamplingParams

Action = Literal["allow", "rename", "drop", "forbid"]


@dataclass(frozen=True, slots=True)
class Rule:
    """The handling of one parameter. `name` is the provider's name for it, if it is sent."""

    action: Action
    name: str | None = None


EffectivePolicy = Mapping[str, Rule]
ALLOW_ALL: EffectivePolicy = {name: Rule("allow", name) for name in PARAMETER_NAMES}


def _only(**allowed: str) -> EffectivePolicy:
    rules = dict.fromkeys(PARAMETER_NAMES, Rule("forbid"))
    return rules | {name: Rule("allow" if name == sent else "rename", sent) for name, sent in allowed.items()}


# The parameters that each API supports.
BUILT_IN: dict[ProviderKind, EffectivePolicy] = {
    "openai_compatible": ALLOW_ALL,
    "simulated": ALLOW_ALL,
    # Older models also support temperature and top_p, which a policy can allow.
    "anthropic": _only(max_tokens="max_tokens"),
    "gemini": _only(
        temperature="temperature",
        max_tokens="max_output_tokens",
        top_p="top_p",
        frequency_penalty="frequency_penalty",
        presence_penalty="presence_penalty",
    ),
}


def effective_policy(config: LLMConfig, provider: str, model: str | None = None) -> EffectivePolicy:
    """Return the rule of every parameter for a provider, or for one of its models.

    Raises:
        UnknownProviderError: The configuration has no such provider.
        UnknownModelError: The provider has no such model.
    """
    if provider not in config.providers:
        raise UnknownProviderError
    if model is not None and (model not in config.models or config.models[model].provider != provider):
        raise UnknownModelError
    kind = config.providers[provider].kind_for(provider) or "openai_compatible"
    rules = _overlay(BUILT_IN[kind], config.param_policies.providers.get(provider))
    return _overlay(rules, config.param_policies.models.get(model)) if model else rules


def _overlay(below: EffectivePolicy, policy: Policy | None) -> EffectivePolicy:
    if policy is None:
        return below
    rules = dict(below) if policy.allow is None else dict.fromkeys(PARAMETER_NAMES, Rule("forbid"))
    for name in policy.allow or []:
        # The provider's name is kept. An allowed parameter is sent.
        sent = below[name].name or name
        rules[name] = Rule("allow" if sent == name else "rename", sent)
    rules |= {name: Rule("rename", sent) for name, sent in policy.rename.items()}
    rules |= {name: Rule("drop") for name in policy.drop}
    return rules | {name: Rule("forbid") for name in policy.forbid}


def merged(given: SamplingParams, defaults: SamplingParams) -> SamplingParams:
    """Return the parameters of the request, with the model's defaults for missing ones."""
    missing = {name: value for name, value in defaults.given().items() if getattr(given, name) is None}
    return replace(given, **missing)  # type: ignore[arg-type]  # the names and their types are SamplingParams' own


def forbidden(policy: EffectivePolicy, params: SamplingParams) -> list[str]:
    """Return the given parameters that are not allowed."""
    return [name for name in params.given() if policy[name].action == "forbid"]


def apply_policy(
    policy: EffectivePolicy, params: SamplingParams, model: str
) -> tuple[SamplingParams, dict[str, ParameterValue]]:
    """Return the permitted parameters of `params`, under the service's and under the provider's names.

    Raises:
        ForbiddenParameterError: For the first parameter that is not allowed.
    """
    for name in forbidden(policy, params):
        raise ForbiddenParameterError(name, f"The model {model} does not support the parameter {name}.")
    kept = {name: value for name, value in params.given().items() if policy[name].action != "drop"}
    sent = {policy[name].name or name: value for name, value in kept.items()}
    return SamplingParams(**kept), sent  # type: ignore[arg-type]  # the names and their types are its own
