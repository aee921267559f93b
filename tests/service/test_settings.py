"""Settings: every one documented with its true default, every mistake named, secrets never shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from inference_core.core.queue.app import create_celery
from inference_core.core.settings import SettingsError
from tests.support.settings import Settings, application, load_settings, misspelt_settings, service
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
    """In the file, or by the description of its field."""
    described = {name.upper() for name, field in Settings.model_fields.items() if field.description}
    assert set(DOCUMENTED) | described == {name.upper() for name in Settings.model_fields}


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


SECRET = "s" * 40


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} ", "\t{}\n\n", "\ufeff {}".replace("\ufeff", "\u00a0")])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", SECRET),
        ("METRICS_TOKEN", SECRET),
        ("SMTP_PASSWORD", "two words"),
        ("SENTRY_DSN", "https://key@sentry.example.com/1"),
        ("DATABASE_URL", "sqlite+aiosqlite:///x.db"),
        ("REDIS_URL", "redis://h:1/0"),
        ("PUBLIC_URL", "https://app.example.com"),
        ("ENVIRONMENT", "testing"),
        ("DEBUG", "true"),
        ("DATABASE_POOL_SIZE", "7"),
        ("MAIL_OUTBOX_DIR", "/srv/outbox"),
    ],
)
def test_blanks_around_a_value_do_not_count(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, around: str
) -> None:
    monkeypatch.setenv(name, value)
    plain = load_settings(None)
    monkeypatch.setenv(name, around.format(value))
    assert load_settings(None).model_dump() == plain.model_dump()
    assert (
        plain.model_dump()
        != Settings(_env_file=None, **{name.lower(): Settings.model_fields[name.lower()].default}).model_dump()
    )


@pytest.mark.parametrize("around", ["{},{}", "{} , {}\n", '["{}", "{}"]', ' [ "{}" , "{} " ]\n'])
def test_lists_are_comma_separated_or_json(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", around.format("http://x", "https://Y.example.com:8443/"))
    monkeypatch.setenv("ALLOWED_HOSTS", around.format("*.example.com", "localhost"))
    monkeypatch.setenv("SECRET_KEYS", around.format(SECRET, "t" * 40))
    settings = load_settings(None)
    assert settings.cors_origins == ["http://x", "https://y.example.com:8443"]
    assert settings.allowed_hosts == ["*.example.com", "localhost"]
    assert settings.signing_secrets == [SECRET, "t" * 40]


REFUSED = [
    ("SECRET_KEY", " ", "is blank; set it or remove it"),
    ("SECRET_KEY", "\n", "is blank"),
    ("SECRET_KEY", "first\nsecond", "contains a line end"),
    ("METRICS_TOKEN", "t" * 16 + "\x00x", "contains a line end or another control character"),
    ("DATABASE_URL", "sqlite:///x\n.db", "contains a line end"),
    ("DATABASE_URL", "sqlite:///x\udcff.db", "is not UTF-8"),
    ("PUBLIC_URL", "javascript:alert(1)", "must be an address such as https://app.example.com"),
    ("PUBLIC_URL", "javascript://app.example.com/%0Aalert(1)", "must be an address"),
    ("PUBLIC_URL", "ftp://app.example.com", "must be an address"),
    ("PUBLIC_URL", "app.example.com", "must be an address"),
    ("PUBLIC_URL", "https://", "must be an address"),
    ("PUBLIC_URL", "https://x/?a=b", "must be an address"),
    ("PUBLIC_URL", "https://[::1/", "must be an address"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "must be an address"),
    ("SENTRY_DSN", "https://sentry.example.com/1", "must be a DSN"),
    ("SENTRY_DSN", "nonsense", "must be a DSN"),
    ("MAIL_FROM", "a@example.com\r\nBcc: b@example.com", "contains a line end"),
    ("MAIL_FROM", "nobody", "must be a mail address"),
    ("MAIL_FROM", "a@example.com, b@example.com", "must be a mail address"),
    ("APP_TITLE", "Title\r\nBcc: b@example.com", "contains a line end"),
    ("ALLOWED_HOSTS", "http://example.com", "must be host names"),
    ("ALLOWED_HOSTS", "example.com:8000", "must be host names"),
    ("ALLOWED_HOSTS", "example.com/path", "must be host names"),
    ("ALLOWED_HOSTS", "ex*mple.com", "must be host names"),
    ("ALLOWED_HOSTS", ",", "has no item"),
    ("ALLOWED_HOSTS", "[1]", "must be a JSON list of strings"),
    ("CORS_ORIGINS", '["http://x"', "is not a JSON list"),
    ("CORS_ORIGINS", "example.com", "must be an address"),
    ("CORS_ORIGINS", "https://*.example.com", "must contain origins"),
    ("CORS_ORIGINS", "https://example.com/app", "must contain origins"),
    ("CORS_ORIGINS", "null", "must be an address"),
    ("TRUSTED_PROXIES", "*", "must be addresses and networks"),
    ("TRUSTED_PROXIES", "proxy.internal", "must be addresses and networks"),
    ("TRUSTED_PROXIES", "10.0.0.7/8", "must be addresses and networks"),
    ("TRUSTED_PROXIES", "10.0.0.0/33", "must be addresses and networks"),
    ("TRUSTED_PROXIES", "10.0.0.7:80", "must be addresses and networks"),
    ("TRUSTED_PROXIES", "0.0.0.0/0", "must not contain every address"),
    ("TRUSTED_PROXIES", "10.0.0.0/8, ::/0", "must not contain every address"),
    ("TRUSTED_PROXIES", "::ffff:0:0/96", "must not contain every address"),
    ("TRUSTED_PROXIES", "0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/2", "must not contain every address"),
    ("TRUSTED_PROXIES", "::/1, 8000::/1", "must not contain every address"),
    ("REDIS_URL", "redis://:pass/word@host/0", "has an invalid host, port or parameter; percent-encode"),
    ("REDIS_URL", "redis://one,two/0", "has an invalid host"),
    ("REDIS_URL", "redis://host:0/0", "has an invalid host"),
    ("REDIS_URL", "redis://ho st/0", "has an invalid host"),
    ("REDIS_URL", "sentinel://one two/master", "must name its Sentinels as sentinel://host1"),
    ("DATABASE_URL", "postgresql://service:half@word@host/name", "has an invalid host; percent-encode"),
    ("DATABASE_URL", "mysql://service:half@word@host/name", "has an invalid host; percent-encode"),
    ("DATABASE_URL", "postgresql://service:secret@one,two/name", "names several hosts; write them as ?host=a&host=b"),
    ("DATABASE_URL", "postgresql://ho st/name", "has an invalid host"),
    ("ARGON2_MEMORY_KIB", "99999999999", "input should be less than or equal to 4194304"),
    ("ARGON2_TIME_COST", "99999999999", "input should be less than or equal to 100"),
    ("MAX_BODY_BYTES", "9" * 30, "input should be less than or equal to"),
    ("CELERY_RESULT_EXPIRES_S", "9" * 30, "input should be less than or equal to"),
    ("LLM_SIMULATOR_SEED", "9" * 30, "input should be less than"),
    ("DATABASE_STATEMENT_TIMEOUT_S", "nan", "input should be"),
    ("DATABASE_STATEMENT_TIMEOUT_S", "inf", "input should be"),
    ("DATABASE_STATEMENT_TIMEOUT_S", "1e999", "input should be"),
]


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_a_value_that_cannot_work_is_refused_in_one_line(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings_with(**{name.lower(): value})
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"settings: {name}: {expected}")


def load_settings_with(**values: Any) -> Settings:
    """As from the environment, which cannot hold a NUL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Settings, "settings_customise_sources", classmethod(lambda *_, init_settings, **__: (lambda: values,))
        )
        return load_settings(None)


BAD_VALUES = ("nonsense", "-1", "99999999999999999999999", "é\u202e😀", "['", "http://", "x" * 100_000)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_any_value_is_taken_or_refused_in_one_line_that_names_the_setting(name: str) -> None:
    for value in BAD_VALUES:
        try:
            settings = load_settings_with(**{name: value})
        except SettingsError as error:
            (line,) = str(error).splitlines()
            assert line.startswith(f"settings: {name.upper()}") or f"{name.upper()} " in line, line
            assert len(line) < 400
            assert name == "llm_simulator_fault_rates" or value == "-1" or value not in line
        else:
            builds_or_is_refused_in_one_line(settings)


def builds_or_is_refused_in_one_line(settings: Settings) -> None:
    """What is taken is of use: the API and whoever sends tasks can be made of it."""
    create_celery(service, settings, "client")
    if "llm_config_file" not in settings.model_fields_set:
        application(settings)
    else:
        with pytest.raises(SettingsError, match="check LLM_CONFIG_FILE"):
            application(settings)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("DATABSE_URL=sqlite:///x.db", "DATABASE_URL"),
        ("SECRETKEY=x", "SECRET_KEY"),
        ("REDIS_ULR=redis://h", "REDIS_URL"),
        ("export LOG_LEVLE=DEBUG", "LOG_LEVEL"),
        ("CORS_ORIGIN=http://x", "CORS_ORIGINS"),
        ("allowed_host=x", "ALLOWED_HOSTS"),
    ],
)
def test_a_misspelt_name_is_told_with_what_was_meant(tmp_path: Path, line: str, meant: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"# a comment\n{line}\nDEBUG=true\n")
    name = line.removeprefix("export ").partition("=")[0]
    assert misspelt_settings(path) == [
        f"settings: {path} line 2: {name} is not a setting and is ignored; did you mean {meant}?"
    ]


def test_names_of_others_and_right_ones_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(EXAMPLE.replace("# ", "") + "\nOPENAI_API_KEY=x\nMAIL_FROM_NAME=x\nNOTES_PER_USER=3\n")
    assert [line for line in misspelt_settings(path) if "did you mean" in line] == []
    assert misspelt_settings(tmp_path / "absent") == []


def test_an_env_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"APP_NAME=caf\xe9\n")
    for read in (load_settings, misspelt_settings):
        with pytest.raises(SettingsError, match="cannot be read: UnicodeDecodeError"):
            read(tmp_path / "latin1")
