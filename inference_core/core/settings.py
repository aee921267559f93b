"""The settings of a service, read from the environment and from `.env` in the working directory.

`Settings` has the fields that every service needs. A feature adds its own in a subclass, whose field names start with
the name of the feature. The settings of a service are an instance of all of these classes: a function declares the
class that it needs, and `settings.of(NotesSettings)` returns the same object as this type.

Every field is documented in `.env.example` under its upper-case name. An invalid value stops the start: `load_settings`
raises `SettingsError`, whose text names each variable and never contains a value.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import shorten
from typing import Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from inference_core.core.database_url import read_database_url
from inference_core.core.env_file import EnvFileError, check_env_file, misspelt_names
from inference_core.core.exceptions import OperatorError
from inference_core.core.redis_address import RedisAddress
from inference_core.core.setting_values import (
    HostPatterns,
    OptionalWebAddress,
    Origins,
    ProxyNetworks,
    ReportingAddress,
    Secrets,
    WebAddress,
    clean,
)

S = TypeVar("S", bound="Settings")

ENV_FILE = Path(".env")
DEFAULT_SECRET_KEY = "development-only-secret-key-change-me"  # noqa: S105  # refused in production below
MINIMUM_SECRET_BYTES = 32
MINIMUM_METRICS_TOKEN_BYTES = 16
MESSAGE_CHARACTERS = 300
# The prefix of Redis keys contains no character with a meaning in patterns and no separator of keys.
NOT_IN_PREFIX = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_PREFIX = 64

Environment = Literal["development", "testing", "production"]
Access = Literal["public", "user", "superuser"]
MetricsAccess = Literal["public", "token"]


class SettingsError(OperatorError):
    """Raised for invalid settings. The text has one line for each variable, with the reason."""


class Settings(BaseSettings):
    """The settings of every service. The names of durations and sizes contain the unit."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    environment: Environment = "development"
    debug: bool = False
    # The service sets other defaults of these three, and of the database.
    app_name: str = "service"
    app_title: str = "Service"
    app_description: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    allowed_hosts: HostPatterns = ["*"]
    cors_origins: Origins = []
    trusted_proxies: ProxyNetworks = []
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1024**3)
    max_form_bytes: int = Field(default=16 * 1024, ge=1024, le=1024**3)
    max_connections_per_address: int = Field(default=0, ge=0, le=1_000_000)
    unread_response_s: float = Field(default=60.0, ge=1, le=3600)
    max_concurrent_requests: int = Field(default=100, ge=1, le=100_000)
    max_queued_requests: int = Field(default=200, ge=0, le=100_000)
    shutdown_drain_s: float | None = Field(default=None, ge=0, le=600)
    shutdown_grace_s: float = Field(default=10.0, ge=0, le=3600)
    access_log: bool = True
    otel_exporter_otlp_endpoint: OptionalWebAddress = ""
    sentry_dsn: ReportingAddress = SecretStr("")
    metrics_access: MetricsAccess | None = None
    metrics_token: SecretStr = SecretStr("")
    metrics_collect: bool = False

    database_url: str = "sqlite+aiosqlite:///.local/inference_core.db"
    database_pool_size: int = Field(default=10, ge=1, le=200)
    database_max_overflow: int = Field(default=5, ge=0, le=200)
    database_pool_timeout_s: float = Field(default=2.0, gt=0, le=60)
    database_statement_timeout_s: float = Field(default=5.0, gt=0, le=300)

    redis_url: str = "redis://localhost:6379/0"
    redis_prefix: str = ""
    redis_connect_timeout_s: float = Field(default=0.5, gt=0, le=30)
    redis_timeout_s: float = Field(default=1.0, gt=0, le=30)
    celery_broker_url: str = ""
    celery_result_backend: str = ""
    celery_dedicated_queues: bool | None = None
    celery_task_time_limit_s: int = Field(default=300, ge=1, le=24 * 3600)
    celery_visibility_timeout_s: int = Field(default=900, ge=2, le=7 * 24 * 3600)
    celery_soft_shutdown_s: float = Field(default=8.0, gt=0, le=3600)
    celery_result_expires_s: int = Field(default=24 * 3600, ge=60, le=365 * 24 * 3600)

    secret_key: SecretStr = SecretStr(DEFAULT_SECRET_KEY)
    secret_keys: Secrets = []

    public_url: WebAddress = "http://localhost:8000"

    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: object) -> object:
        return clean(value) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        return read_database_url(value).render_as_string(hide_password=False)

    @field_validator("redis_url", "celery_broker_url", "celery_result_backend")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        return RedisAddress.parse(value).url if value else value

    @model_validator(mode="after")
    def _usable_prefix(self) -> Self:
        if NOT_IN_PREFIX.search(self.redis_prefix) or len(self.redis_prefix) > LONGEST_PREFIX:
            raise ValueError(
                f"REDIS_PREFIX must contain only letters, digits, '.', '_' and '-', {LONGEST_PREFIX} characters at most"
            )
        if not any(character.isalnum() for character in self.key_prefix):
            raise ValueError("APP_NAME contains no letter or digit; set REDIS_PREFIX")
        return self

    @model_validator(mode="after")
    def _redelivered_only_when_lost(self) -> Self:
        if self.celery_task_time_limit_s >= self.celery_visibility_timeout_s:
            raise ValueError(
                "CELERY_TASK_TIME_LIMIT_S must be less than CELERY_VISIBILITY_TIMEOUT_S, "
                "or a long task would be started a second time while it runs"
            )
        return self

    @model_validator(mode="after")
    def _metrics_have_their_token(self) -> Self:
        token = self.metrics_token.get_secret_value()
        if self.metrics_access == "token" and not token:
            raise ValueError("METRICS_ACCESS is token, but METRICS_TOKEN is empty")
        if token and len(token.encode()) < MINIMUM_METRICS_TOKEN_BYTES:
            raise ValueError(f"METRICS_TOKEN is shorter than {MINIMUM_METRICS_TOKEN_BYTES} bytes")
        return self

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.environment != "production":
            return self
        variable = "SECRET_KEYS" if self.secret_keys else "SECRET_KEY"
        if DEFAULT_SECRET_KEY in self.signing_secrets:
            raise ValueError(f"{variable} still has its development default; set a secret value in production")
        if any(len(secret.encode()) < MINIMUM_SECRET_BYTES for secret in self.signing_secrets):
            raise ValueError(f"{variable} is shorter than {MINIMUM_SECRET_BYTES} bytes")
        if self.debug:
            raise ValueError("DEBUG must be off in production")
        if self.metrics_collect:
            raise ValueError("METRICS_COLLECT must be off in production")
        if "database_url" not in self.model_fields_set:
            raise ValueError("DATABASE_URL is not set; set it in production, because the default is a local file")
        return self

    def of(self, section: type[S]) -> S:
        """Return these settings as the settings of a feature.

        Raises:
            LookupError: The service does not have this feature.
        """
        if not isinstance(self, section):
            raise LookupError(f"the service has no feature with {section.__name__}")  # noqa: TRY004  # as `AppState.of`
        return self

    @property
    def is_production(self) -> bool:
        """Return whether the strict rules apply: no default secret, no documentation pages, no public monitoring."""
        return self.environment == "production"

    @property
    def signing_secrets(self) -> list[str]:
        """Return the secrets of tokens: the active one first, then those that are still accepted."""
        return [secret.get_secret_value() for secret in self.secret_keys or [self.secret_key]]

    @property
    def key_prefix(self) -> str:
        """Return the prefix of every key, queue and channel in Redis: `REDIS_PREFIX`, else `APP_NAME`, and a colon."""
        return f"{self.redis_prefix or NOT_IN_PREFIX.sub('-', self.app_name)}:"

    @property
    def broker_url(self) -> str:
        """Return the URL of Celery's broker: `CELERY_BROKER_URL`, else `REDIS_URL`."""
        return self.celery_broker_url or self.redis_url

    @property
    def result_backend(self) -> str:
        """Return the URL of Celery's result backend: `CELERY_RESULT_BACKEND`, else `REDIS_URL`."""
        return self.celery_result_backend or self.redis_url

    @property
    def effective_shutdown_drain_s(self) -> float:
        """Return the seconds of the drain: as set, else 5 in production and 0 otherwise."""
        default = 5.0 if self.is_production else 0.0
        return default if self.shutdown_drain_s is None else self.shutdown_drain_s

    @property
    def use_dedicated_queues(self) -> bool:
        """Return whether mail and LLM tasks have separate queues: as set, else only in production."""
        return self.is_production if self.celery_dedicated_queues is None else self.celery_dedicated_queues

    @property
    def effective_metrics_access(self) -> MetricsAccess:
        """Return who can read `/metrics`: as set, else bearers of the token in production or if there is a token."""
        guarded = self.is_production or bool(self.metrics_token.get_secret_value())
        return self.metrics_access or ("token" if guarded else "public")


def load_settings(kind: type[S], env_file: Path | None = ENV_FILE) -> S:
    """Read and validate settings, usually those of a service: `settings_class(current_service())`.

    The environment takes precedence over `env_file`.

    Raises:
        SettingsError: A setting is invalid. The text has one line for each variable.
    """
    try:
        if env_file is not None:
            check_env_file(env_file)
        return kind(_env_file=env_file)
    except EnvFileError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(detail) for detail in error.errors())) from None


def misspelt_settings(kind: type[Settings], env_file: Path = ENV_FILE) -> list[str]:
    """Return one line for each name in `env_file` that is probably a misspelt setting. These names are ignored.

    Raises:
        SettingsError: The file cannot be read.
    """
    try:
        return list(misspelt_names(env_file, kind.model_fields))
    except EnvFileError as error:
        raise SettingsError(str(error)) from None


def _describe(detail: object) -> str:
    assert isinstance(detail, dict)  # noqa: S101  # pydantic's ErrorDetails
    message = shorten(detail["msg"].removeprefix("Value error, "), MESSAGE_CHARACTERS, placeholder=" …")
    variable = str(detail["loc"][0]).upper() if detail["loc"] else ""
    where = f"{variable}: " if variable else ""
    return f"settings: {where}{message[0].lower() if variable else message[0]}{message[1:]} (environment or .env)"
