"""Settings: every one documented with its true default, every mistake named, secrets never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inference_core.settings import Settings, SettingsError, load_settings
from tests.support.stack import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
DOCUMENTED = dict(re.findall(r"^# ?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings_from(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / ".env"
    path.write_text(text)
    return load_settings(path)


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(DOCUMENTED) == {name.upper() for name in Settings.model_fields}


def test_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    everything = "\n".join(f"{name}={value}" for name, value in DOCUMENTED.items())
    assert settings_from(tmp_path, everything).model_dump() == load_settings(None).model_dump()


def test_copied_example_gives_a_development_service(tmp_path: Path) -> None:
    settings = settings_from(tmp_path, EXAMPLE)
    assert settings.environment == "development"
    assert settings.redis_url == settings.broker_url == settings.result_backend == "redis://localhost:6379/0"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ACCESS_TOKEN_EXPIRE_MINUTES=soon", "ACCESS_TOKEN_EXPIRE_MINUTES: input should be a valid integer"),
        ("ENVIRONMENT=staging", "ENVIRONMENT: input should be 'development', 'testing' or 'production'"),
        ("DATABASE_URL=oracle://x", "DATABASE_URL: names an unknown database 'oracle'"),
        ("DATABASE_URL=nonsense", "DATABASE_URL: is not a database URL"),
        ("REDIS_URL=localhost", "REDIS_URL: must be a redis://"),
        ("MAX_BODY_BYTES=1", "MAX_BODY_BYTES: input should be greater than or equal to 1024"),
    ],
)
def test_bad_value_names_its_variable_in_one_line(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(tmp_path, line)
    (message,) = str(raised.value).splitlines()
    assert expected in message


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(tmp_path, "REDIS_URL=x\nDEBUG=perhaps\nLOG_LEVEL=LOUD")
    assert [line.split(":")[1].strip() for line in str(raised.value).splitlines()] == [
        "DEBUG",
        "LOG_LEVEL",
        "REDIS_URL",
    ]


def test_lines_that_are_no_settings_are_named_by_number(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 2, 4: not NAME=value"):
        settings_from(tmp_path, "DEBUG=true\nthis is nothing\nLOG_LEVEL=INFO\n= 3\n")


def test_values_are_never_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(tmp_path, "ENVIRONMENT=production\nSECRET_KEY=hunter2\nDATABASE_URL=oracle://u:hunter3@h/x")
    assert "hunter" not in str(raised.value)


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_NAME", "from-the-environment")
    assert settings_from(tmp_path, "APP_NAME=from-the-file").app_name == "from-the-environment"


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("postgres://u:p@h/x", "postgresql+asyncpg://u:p@h/x"),
        ("postgresql+psycopg://u@h/x", "postgresql+asyncpg://u@h/x"),
        ("mysql://u:p%40ss@h:3307/x", "mysql+aiomysql://u:p%40ss@h:3307/x"),
        ("mariadb://h/x", "mysql+aiomysql://h/x"),
    ],
)
def test_database_urls_get_the_driver_that_is_built_in(tmp_path: Path, url: str, driver: str) -> None:
    assert settings_from(tmp_path, f"DATABASE_URL={url}").database_url == driver


def test_the_defaults_let_the_load_suite_pass_from_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 users who sign up within 10 s, then live with their accounts, as `tests/performance/users/auth.py` does."""
    for name in ("PASSWORDS_PER_NETWORK_PER_MINUTE", "MAILS_PER_NETWORK_PER_MINUTE", "LOGIN_FAILURES_PER_NETWORK"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(_env_file=None)
    users, actions_per_s, weights = 100, 1 / 2, 22
    hashing, signing_up, mails = 5 / weights, 2, 1 / weights
    assert users * signing_up + 10 * users * actions_per_s * hashing < settings.passwords_per_network_per_minute
    assert users * actions_per_s * hashing * 60 < settings.passwords_per_network_per_minute
    assert users * actions_per_s * mails * 60 < settings.mails_per_network_per_minute
    # All of them may be comparing their passwords at once: until it is right, each counts as failed.
    assert users < settings.login_failures_per_network
