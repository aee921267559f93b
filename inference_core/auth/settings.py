"""The settings of accounts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from inference_core.core.settings import Settings


class AuthSettings(Settings):
    """Who can register, lifetimes of tokens and sessions, the cost of hashes, and the limits on guessing and mail."""

    token_issuer: str = Field(default="inference-core", min_length=1)
    token_audience: str = Field(default="inference-core", min_length=1)
    access_token_expire_minutes: int = Field(default=30, ge=1, le=24 * 60)
    refresh_token_expire_days: int = Field(default=30, ge=1, le=365)
    refresh_token_idle_days: int = Field(default=7, ge=1, le=365)
    refresh_grace_s: int = Field(default=10, ge=0, le=60)
    password_reset_expire_minutes: int = Field(default=10, ge=1, le=60)
    argon2_memory_kib: int = Field(default=19456, ge=8, le=4 * 1024 * 1024)
    argon2_time_cost: int = Field(default=2, ge=1, le=100)
    login_failures_allowed: int = Field(default=10, ge=1, le=1000)
    login_lock_s: int = Field(default=60, ge=1, le=3600)
    login_lock_max_s: int = Field(default=900, ge=1, le=24 * 3600)
    login_failures_window_s: int = Field(default=12 * 3600, ge=60, le=7 * 24 * 3600)
    failed_login_min_s: float = Field(default=0.5, ge=0, le=2)
    login_failures_per_network: int = Field(default=200, ge=1, le=1_000_000)
    login_failures_per_account: int = Field(default=100, ge=1, le=1_000_000)
    passwords_per_network_per_minute: int = Field(default=900, ge=1, le=1_000_000)
    mails_per_account_per_hour: int = Field(default=5, ge=1, le=1000)
    mails_per_network_per_minute: int = Field(default=240, ge=1, le=1_000_000)
    mails_waiting_max: int = Field(default=10_000, ge=1, le=10_000_000)
    first_superuser_username: str = ""
    first_superuser_email: str = ""
    first_superuser_password: SecretStr = SecretStr("")
    registration: Literal["open", "closed", "invite"] = "open"
    invitations_open_max: int = Field(default=1000, ge=1, le=1_000_000)
    api_keys_per_user: int = Field(default=20, ge=0, le=1000)
    hide_existing_accounts: bool = False
    verify_email: bool = False
    email_verification_expire_hours: int = Field(default=48, ge=1, le=720)

    @model_validator(mode="after")
    def _whole_first_superuser(self) -> Self:
        values = {
            "FIRST_SUPERUSER_USERNAME": self.first_superuser_username,
            "FIRST_SUPERUSER_EMAIL": self.first_superuser_email,
            "FIRST_SUPERUSER_PASSWORD": self.first_superuser_password,
        }
        given, missing = ([name for name in values if bool(values[name]) == is_given] for is_given in (True, False))
        if given and missing:
            raise ValueError(f"{' and '.join(missing)} must be set with {' and '.join(given)} (all three or none)")
        return self
