"""Parameter policies: allowed, renamed, dropped and forbidden parameters."""

from __future__ import annotations

import pytest

from inference_core.llm.config.loader import parse_llm_config
from inference_core.llm.config.policies import Rule, apply_policy, effective_policy, merged
from inference_core.llm.config.schema import LLMConfig
from inference_core.llm.errors import ForbiddenParameterError, UnknownModelError, UnknownProviderError
from inference_core.llm.types import SamplingParams

CONFIG = """
providers:
  open: {base_url: "http://127.0.0.1/v1", openai_compatible: true}
  strict: {base_url: "http://127.0.0.1/v1", openai_compatible: true}
  anthropic: {api_key_env: A}
  gemini: {api_key_env: G}
models:
  plain: {provider: open}
  reasoning: {provider: open}
  narrow: {provider: strict}
  wide: {provider: strict}
param_policies:
  providers:
    strict: {allow: [temperature], rename: {max_tokens: limit}, drop: [verbosity]}
  models:
    reasoning: {rename: {max_tokens: max_completion_tokens}, drop: [temperature], forbid: [top_p]}
    wide: {allow: [max_tokens, top_p]}
"""


@pytest.fixture(scope="module")
def config() -> LLMConfig:
    return parse_llm_config(CONFIG, "llm.yaml", {})


def actions(config: LLMConfig, provider: str, model: str | None = None) -> dict[str, str]:
    return {name: rule.action for name, rule in effective_policy(config, provider, model).items()}


def test_without_a_policy_an_openai_compatible_provider_gets_everything(config: LLMConfig) -> None:
    assert set(actions(config, "open").values()) == {"allow"}
    assert effective_policy(config, "open", "plain") == effective_policy(config, "open")


def test_with_allow_what_no_list_names_is_forbidden(config: LLMConfig) -> None:
    assert actions(config, "strict") == {
        "temperature": "allow",
        "max_tokens": "rename",
        "top_p": "forbid",
        "frequency_penalty": "forbid",
        "presence_penalty": "forbid",
        "reasoning_effort": "forbid",
        "verbosity": "drop",
    }


def test_a_model_without_a_policy_follows_its_provider(config: LLMConfig) -> None:
    assert effective_policy(config, "strict", "narrow") == effective_policy(config, "strict")


def test_a_model_changes_the_rules_it_names_only(config: LLMConfig) -> None:
    policy = effective_policy(config, "open", "reasoning")
    assert policy["max_tokens"] == Rule("rename", "max_completion_tokens")
    assert policy["temperature"].action == "drop"
    assert policy["top_p"].action == "forbid"
    assert policy["verbosity"] == Rule("allow", "verbosity")


def test_a_models_allow_replaces_the_providers_but_keeps_its_words(config: LLMConfig) -> None:
    policy = effective_policy(config, "strict", "wide")
    assert policy["max_tokens"] == Rule("rename", "limit")
    assert policy["top_p"] == Rule("allow", "top_p")
    assert policy["temperature"].action == "forbid"


def test_vendors_have_rules_of_their_own(config: LLMConfig) -> None:
    assert [name for name, action in actions(config, "anthropic").items() if action != "forbid"] == ["max_tokens"]
    assert effective_policy(config, "gemini")["max_tokens"] == Rule("rename", "max_output_tokens")


def test_unknown_names_are_errors(config: LLMConfig) -> None:
    with pytest.raises(UnknownProviderError):
        effective_policy(config, "nobody")
    with pytest.raises(UnknownModelError):
        effective_policy(config, "open", "nothing")
    with pytest.raises(UnknownModelError):
        effective_policy(config, "open", "narrow")  # another provider's


def test_parameters_are_renamed_and_dropped(config: LLMConfig) -> None:
    params = SamplingParams(temperature=0.5, max_tokens=9, verbosity="low")
    kept, sent = apply_policy(effective_policy(config, "open", "reasoning"), params, "reasoning")
    assert kept == SamplingParams(max_tokens=9, verbosity="low")
    assert sent == {"max_completion_tokens": 9, "verbosity": "low"}


def test_a_forbidden_parameter_is_refused_by_name(config: LLMConfig) -> None:
    policy = effective_policy(config, "open", "reasoning")
    with pytest.raises(ForbiddenParameterError) as raised:
        apply_policy(policy, SamplingParams(top_p=0.0), "reasoning")
    assert raised.value.parameter == "top_p"
    assert raised.value.detail == "The model reasoning does not support the parameter top_p."


def test_defaults_fill_what_a_request_leaves_open() -> None:
    filled = merged(SamplingParams(temperature=0.0), SamplingParams(temperature=1.0, max_tokens=5))
    assert filled == SamplingParams(temperature=0.0, max_tokens=5)
