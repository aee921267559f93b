"""Where the LLM configuration, the keys and the clients of providers come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_core.llm.config import loader
from inference_core.llm.config.loader import LLMConfigError, load_llm_config
from inference_core.settings import Settings

ONE_MODEL = """
providers:
  local:
    base_url: http://localhost:11434/v1
    openai_compatible: true
models:
  small:
    provider: local
"""
NATIVE = "providers:\n  {kind}:\n    api_key_env: THE_KEY\n"


def settings(**values: object) -> Settings:
    return Settings.model_validate({"environment": "development", **values})


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(LLMConfigError, match=r"nowhere\.yaml: cannot be read \(FileNotFoundError\); LLM_CONFIG_FILE"):
        load_llm_config(settings(llm_config_file=tmp_path / "nowhere.yaml"), {})


def test_the_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "gpt-5-mini" in load_llm_config(settings(), {}).models
    (tmp_path / "llm_config.yaml").write_text(ONE_MODEL)
    assert list(load_llm_config(settings(), {}).models) == ["small"]


def test_keys_may_stand_in_the_env_file_below_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("SOME_TEST_KEY=from-the-file\nOTHER_TEST_KEY=too\n")
    monkeypatch.setenv("SOME_TEST_KEY", "from-the-environment")
    environ = loader.process_environment(env_file)
    assert (environ["SOME_TEST_KEY"], environ["OTHER_TEST_KEY"]) == ("from-the-environment", "too")


@pytest.mark.parametrize(("kind", "module"), [("anthropic", "anthropic"), ("gemini", "google.genai")])
def test_a_missing_extra_is_named_if_its_provider_may_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, module: str
) -> None:
    monkeypatch.setitem(loader.CLIENTS, kind, f"not_installed_{kind}.client")  # type: ignore[arg-type]
    path = tmp_path / "llm.yaml"
    path.write_text(NATIVE.format(kind=kind))
    with pytest.raises(LLMConfigError) as raised:
        load_llm_config(settings(llm_config_file=path), {"THE_KEY": "sk-hunter2"})
    expected = f"{path}:2: providers.{kind}: needs a client that is not installed: pip install 'inference-core[{kind}]'"
    assert str(raised.value) == expected
    # Without a key, or where live calls are forbidden, nobody needs the client.
    load_llm_config(settings(llm_config_file=path), {})
    load_llm_config(settings(llm_config_file=path, allow_live_llm=False), {"THE_KEY": "sk-hunter2"})
