"""The sources of the configuration, the keys, the proxies and the clients of providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_core.llm.config import loader
from inference_core.llm.config.access import key_in
from inference_core.llm.config.loader import LLMConfigError, load_llm_config
from tests.support.settings import Settings

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
    with pytest.raises(LLMConfigError, match=r"nowhere\.yaml: cannot be read \(FileNotFoundError\); check LLM_"):
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
    expected = f"{path}:2: providers.{kind}: needs a client that is not installed: poetry install -E {kind}"
    assert str(raised.value) == expected
    # Without a key, or where live calls are forbidden, nobody needs the client.
    load_llm_config(settings(llm_config_file=path), {})
    load_llm_config(settings(llm_config_file=path, allow_live_llm=False), {"THE_KEY": "sk-hunter2"})


REMOTE = """
providers:
  remote:
    base_url: https://llm.example/v1
    openai_compatible: true
    api_key_env: THE_KEY
"""
PROXY_VARIABLES = [
    name for scheme in ("http", "https", "all", "no") for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
]


def load(tmp_path: Path, text: str, key: str = "sk-hunter2", **values: object) -> None:
    path = tmp_path / "llm.yaml"
    path.write_text(text)
    load_llm_config(settings(llm_config_file=path, **values), {"THE_KEY": key})


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {}\t", "{} ", "\n{}"])
def test_what_files_and_secrets_add_around_a_key_is_not_part_of_it(around: str) -> None:
    assert key_in({"THE_KEY": around.format("sk-hunter2")}, "THE_KEY") == "sk-hunter2"
    assert key_in({"THE_KEY": around.format("")}, "THE_KEY") == ""
    assert key_in({}, "THE_KEY") == ""


@pytest.mark.parametrize(
    "key", ["sk-äbc", "sk abc", "sk-a\nsk-b", "sk-a\x00", "'sk-abc'", '"sk-abc"', "Bearer sk-a", "sk-\u200bx"]
)
def test_what_is_no_key_is_refused_by_its_name_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(LLMConfigError) as raised:
        load(tmp_path, REMOTE, key)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(
        f"{tmp_path / 'llm.yaml'}:6: providers.remote.api_key_env: THE_KEY does not contain a valid key"
    )
    assert key not in line
    # Where nobody is called nobody needs it.
    load(tmp_path, REMOTE, key, allow_live_llm=False)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("proxy", "what"),
    [
        ("socks://secret@127.0.0.1:9", "is not a valid proxy"),
        ("http://secret@127.0.0.1:port", "is not a valid proxy"),
        ("http://secret@127.0.0.1:8080\nx", "is not a valid proxy"),
        ("ftp://secret@127.0.0.1", "is not a valid proxy"),
        ("http://", "has no host"),
        ("socks5h://secret@127.0.0.1:9", "is a SOCKS proxy, which needs a package that is not installed"),
        ("socks5://secret@127.0.0.1:9", "is a SOCKS proxy, which needs a package that is not installed"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, what: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(LLMConfigError) as raised:
        load(tmp_path, REMOTE)
    (line,) = str(raised.value).splitlines()
    assert f":3: providers.remote: cannot be reached: {variable.upper()} {what}" in line
    assert "secret" not in line
    # Nobody needs it for this machine, nor where nobody is called.
    load(tmp_path, REMOTE.replace("llm.example", "127.0.0.2"))
    load(tmp_path, REMOTE, "")
    load(tmp_path, REMOTE, allow_live_llm=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    "proxy", ["http://user:secret@proxy.example:3128", "proxy.example:3128", "https://proxy.example", ""]
)
def test_a_sound_proxy_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "a.example,.b.example,10.0.0.0/8,[::1],bad entry")
    load(tmp_path, REMOTE)


@pytest.mark.usefixtures("no_proxies")
def test_with_every_host_named_in_no_proxy_no_proxy_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    load(tmp_path, REMOTE)
