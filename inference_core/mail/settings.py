"""The settings of mail."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from inference_core.core.setting_values import MailAddress
from inference_core.core.settings import Settings


class MailSettings(Settings):
    """The transport of mail: files in a development outbox, or SMTP."""

    mail_transport: Literal["outbox", "smtp"] = "outbox"
    mail_outbox_dir: Path = Path(".local/outbox")
    mail_outbox_keep_days: int = Field(default=7, ge=1, le=3650)
    mail_from: MailAddress = "no-reply@localhost.localdomain"
    smtp_host: str = "localhost"
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_timeout_s: float = Field(default=10.0, gt=0, le=120)
