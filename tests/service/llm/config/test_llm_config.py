"""`llm_config.yaml`: the place of every mistake, overrides from the environment, and the shipped example."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

import pytest

from inference_core.llm.config.loader import BUILT_IN_FILE, LLMConfigError, parse_llm_config
from inference_core.llm.config.schema import LLMConfig
from inference_core.llm.sampling import SamplingFields
from inference_core.llm.types import PARAMETER_NAMES
from tests.support.stack import ROOT

SOUND = """
providers:
  one:
    base_url: http://127.0.0.1:9/v1
    openai_compatible: true
models:
  small: {provider: one}
  large: {provider: one, max_output_tokens: 100}
tasks:
  explain: {primary: small, fallback: [large]}
"""


def parse(text: str, environ: Mapping[str, str] | None = None) -> LLMConfig:
    return parse_llm_config(dedent(text), "llm.yaml", environ or {})


def mistakes(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(LLMConfigError) as raised:
        parse(text, environ)
    return str(raised.value).splitlines()


def test_the_shipped_example_is_what_holds_without_a_file() -> None:
    assert (ROOT / "llm_config.example.yaml").read_text() == BUILT_IN_FILE.read_text()


def test_the_shipped_example_is_sound_and_names_no_key_itself() -> None:
    config = parse(BUILT_IN_FILE.read_text())
    assert config.task("explain").primary in config.models
    assert all(provider.api_key_env for provider in config.providers.values())


def test_every_sampling_parameter_has_a_range() -> None:
    assert tuple(SamplingFields.model_fields) == PARAMETER_NAMES


def test_an_empty_file_configures_nothing() -> None:
    config = parse("")
    assert config.models == {}
    assert config.task("explain").primary is None


def test_a_sound_file_is_read() -> None:
    config = parse(SOUND)
    assert config.task("explain").fallback == ["large"]
    assert config.settings.timeouts.total_s == 120


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            """\
            providers:
              one:
                base_url: ftp://x
                openai_compatible: true
            """,
            ["llm.yaml:3: providers.one.base_url: must be an http:// or https:// URL with a host"],
            id="value",
        ),
        pytest.param(
            """\
            models: {}
            modles: {}
            """,
            ["llm.yaml:2: modles: is not a key of the file"],
            id="unknown key at the top",
        ),
        pytest.param(
            """\
            settings:
              timeouts:
                connect_s: 5
                first_s: 3
            """,
            ["llm.yaml:4: settings.timeouts.first_s: is not a key of settings.timeouts"],
            id="unknown key below",
        ),
        pytest.param(
            """\
            models:
              small:
                context_tokens: 10
            """,
            ["llm.yaml:2: models.small.provider: field required"],
            id="missing key points to what should have it",
        ),
        pytest.param(
            """\
            settings:
              max_retries: 0
              max_retries: 1
            """,
            ["llm.yaml:3: settings.max_retries: is defined twice; the first definition is in line 2"],
            id="key twice",
        ),
        pytest.param(
            "settings:\n  max_retries: [1\n",
            ["llm.yaml:3: not YAML: expected ',' or ']', but got '<stream end>'"],
            id="syntax",
        ),
        pytest.param("- a\n", ["llm.yaml:1: must be a mapping of keys to values"], id="list"),
        pytest.param(
            "models:\n  1: {provider: one}\n",
            ["llm.yaml:2: models: has a key that is not text; put the key in quotes"],
            id="number",
        ),
        pytest.param(
            """\
            tasks:
              explane:
                primary: null
            """,
            ["llm.yaml:2: tasks.explane: input should be 'explain' or 'conversation'"],
            id="unknown task",
        ),
        pytest.param(
            """\
            providers:
              one: {base_url: "http://user:hunter2@127.0.0.1/v1", openai_compatible: true}
            """,
            [
                (
                    "llm.yaml:2: providers.one.base_url: must not contain a user or password; "
                    "put the key into the variable named by api_key_env"
                )
            ],
            id="secret in a URL",
        ),
        pytest.param(
            """\
            providers:
              mine: {}
              one: {openai_compatible: true}
              anthropic: {}
              far: {openai_compatible: true, base_url: "http://10.0.0.1/v1", simulator: true}
              odd: {openai_compatible: true, kind: gemini}
            """,
            [
                (
                    "llm.yaml:2: providers.mine: does not state its API; "
                    "add openai_compatible: true, or kind: anthropic or gemini"
                ),
                "llm.yaml:3: providers.one: needs a base_url, such as https://api.openai.com/v1",
                (
                    "llm.yaml:4: providers.anthropic: needs api_key_env, "
                    "the name of the environment variable that holds its key"
                ),
                (
                    "llm.yaml:5: providers.far.simulator: is for an openai_compatible base_url on this machine, "
                    "such as http://127.0.0.1:8200/v1"
                ),
                "llm.yaml:6: providers.odd.kind: 'gemini' contradicts openai_compatible: true",
            ],
            id="providers",
        ),
        pytest.param(
            """\
            providers:
              one: {base_url: "http://127.0.0.1/v1", openai_compatible: true}
            models:
              small:
                provider: on
            """,
            ["llm.yaml:5: models.small.provider: input should be a valid string"],
            id="YAML's on is no name",
        ),
        pytest.param(
            SOUND.replace("\n", "", 1)
            + """\
  conversation: {primary: smal, fallback: [large, large], testing: [nobody]}
param_policies:
  providers:
    two: {}
  models:
    tiny: {drop: [colour]}
""",
            [
                "llm.yaml:10: tasks.conversation.fallback[1]: 'large' is already in the list",
                "llm.yaml:10: tasks.conversation.primary: there is no model 'smal'; known: small, large",
                "llm.yaml:10: tasks.conversation.testing[0]: there is no model 'nobody'; known: small, large",
                "llm.yaml:13: param_policies.providers.two: there is no provider 'two'; known: one",
                "llm.yaml:15: param_policies.models.tiny: there is no model 'tiny'; known: small, large",
                (
                    "llm.yaml:15: param_policies.models.tiny.drop[0]: must be one of temperature, max_tokens, "
                    "top_p, frequency_penalty, presence_penalty, reasoning_effort, verbosity"
                ),
            ],
            id="names, and every mistake at once",
        ),
        pytest.param(
            """\
            providers:
              one: {base_url: "http://127.0.0.1/v1", openai_compatible: true}
            models:
              small:
                provider: one
                max_output_tokens: 10
                defaults:
                  max_tokens: 11
                  top_p: 0.5
            param_policies:
              models:
                small: {forbid: [top_p], drop: [verbosity], rename: {verbosity: v}}
            """,
            [
                "llm.yaml:8: models.small.defaults.max_tokens: is more than the model's max_output_tokens, 10",
                "llm.yaml:9: models.small.defaults.top_p: is forbidden by the parameter policy of the model",
                "llm.yaml:12: param_policies.models.small: has more than one rule for verbosity",
            ],
            id="contradictions",
        ),
        pytest.param(
            """\
            tasks:
              explain:
                primary: null
                fallback: [small]
            providers:
              one: {base_url: "http://127.0.0.1/v1", openai_compatible: true}
            models:
              small: {provider: one}
            """,
            ["llm.yaml:4: tasks.explain.fallback: is given without a primary model"],
            id="fallback of nothing",
        ),
    ],
)
def test_each_mistake_is_named_with_file_line_and_key(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_values_are_never_shown() -> None:
    text = (
        "providers:\n  one:\n    base_url: http://:hunter2@h/\n    api_key_env: sk-hunter2-not-a-name\n    x: hunter2\n"
    )
    assert "hunter2" not in "\n".join(mistakes(text))


OVERRIDES = (
    SOUND
    + """
settings:
  env_overrides:
    THE_MODEL: tasks.explain.primary
    THE_TIMEOUT: settings.timeouts.total_s
"""
)


def test_the_environment_overrides_what_the_file_names() -> None:
    config = parse(OVERRIDES, {"THE_MODEL": "large", "THE_TIMEOUT": "7.5"})
    assert config.task("explain").primary == "large"
    assert config.settings.timeouts.total_s == 7.5


def test_without_the_variable_the_file_holds() -> None:
    assert parse(OVERRIDES, {"THE_MODEL": ""}).task("explain").primary == "small"


def test_a_bad_override_names_its_variable() -> None:
    found = mistakes(OVERRIDES, {"THE_MODEL": "nobody", "THE_TIMEOUT": "soon"})
    origin = "(the value comes from the environment variable {})"
    assert len(found) == 2
    assert any(line.startswith("llm.yaml:10: tasks.explain.primary: there is no model 'nobody'") for line in found)
    assert any(origin.format("THE_MODEL") in line for line in found)
    assert any("settings.timeouts.total_s: " in line and origin.format("THE_TIMEOUT") in line for line in found)


@pytest.mark.parametrize(
    "target", ["nowhere", "tusks.explain.primary", "models.small.provider.name", "settings.env_overrides.X"]
)
def test_an_override_of_nothing_is_a_mistake(target: str) -> None:
    (found,) = mistakes(SOUND + f"settings:\n  env_overrides:\n    X: {target}\n", {"X": "1"})
    assert found == f"llm.yaml:13: settings.env_overrides.X: '{target}' is not a value of this file"
