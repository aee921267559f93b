"""Validators of setting values. They raise ValueError with one sentence, which does not contain the value."""

from __future__ import annotations

import json
import re
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from inference_core.core.addresses import TrustedProxies

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
HOST_NAME = re.compile(
    r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?", re.IGNORECASE
)
IPV6_HOST = re.compile(r"\[[0-9a-f:.]+\]", re.IGNORECASE)
ADDRESS = re.compile(r"[^\s@<>,;:]+@[^\s@<>,;:]+")
WEB_SCHEMES = ("http", "https")


def clean(value: str) -> str:
    """Return the text without surrounding blanks and line ends, which are frequent in files and mounted secrets."""
    stripped = value.strip()
    if value and not stripped:
        raise ValueError("is blank; set it or remove it")
    if CONTROL_CHARACTER.search(stripped):
        raise ValueError("contains a line end or another control character")
    if any("\ud800" <= character <= "\udfff" for character in stripped):
        raise ValueError("is not UTF-8")
    return stripped


def split_list(value: str) -> list[str]:
    """Return the items of a comma-separated list or of a JSON list of strings."""
    if value.startswith("["):
        try:
            items = json.loads(value)
        except ValueError:
            raise ValueError('is not a JSON list such as ["one", "two"]') from None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError("must be a JSON list of strings")
    else:
        items = value.split(",")
    found = [clean(item) for item in items if item.strip()]
    if value and not found and items != []:
        raise ValueError("has no item")
    return found


def web_address(value: str) -> str:
    """Return an http:// or https:// address of a host without a trailing slash."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in WEB_SCHEMES or parts.query or parts.fragment or " " in value:
        raise ValueError("must be an address such as https://app.example.com")
    return value.rstrip("/")


def origin(value: str) -> str:
    """Return an origin in the form of the `Origin` header. `*` means all origins."""
    if value == "*":
        return value
    found = web_address(value)
    parts = urlsplit(found)
    if parts.path or parts.username is not None or "*" in found:
        raise ValueError("must contain origins such as https://app.example.com, without a path or a wildcard, or be *")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def host_pattern(value: str) -> str:
    """Return a host name in the form of the `Host` header, without a port.

    `*.` allows subdomains, and `*` allows all.
    """
    if value != "*" and not HOST_NAME.fullmatch(value) and not IPV6_HOST.fullmatch(value):
        raise ValueError("must be host names such as api.example.com or *.example.com, without scheme, port or path")
    return value


def mail_address(value: str) -> str:
    """Return a mail address with or without a name, such as `Service <no-reply@example.com>`."""
    _, address = parseaddr(value)
    if value.count("@") != 1 or not ADDRESS.fullmatch(address):
        raise ValueError("must be a mail address such as no-reply@example.com")
    return value


def reporting_address(value: SecretStr) -> SecretStr:
    """Return a Sentry DSN."""
    parts = urlsplit(value.get_secret_value())
    if value and (parts.scheme not in WEB_SCHEMES or not parts.username or not parts.path.rpartition("/")[2]):
        raise ValueError("must be a DSN such as https://key@host/1")
    return value


def _split(value: object) -> object:
    return split_list(value) if isinstance(value, str) else value


def _optional_web_address(value: str) -> str:
    return web_address(value) if value else value


def _host_patterns(values: list[str]) -> list[str]:
    return [host_pattern(value) for value in values]


def _origins(values: list[str]) -> list[str]:
    return [origin(value) for value in values]


def _proxy_networks(values: list[str]) -> list[str]:
    TrustedProxies.parse(values)
    return values


Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)]
HostPatterns = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_host_patterns)]
Origins = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_origins)]
ProxyNetworks = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_proxy_networks)]
WebAddress = Annotated[str, AfterValidator(web_address)]
OptionalWebAddress = Annotated[str, AfterValidator(_optional_web_address)]
ReportingAddress = Annotated[SecretStr, AfterValidator(reporting_address)]
MailAddress = Annotated[str, AfterValidator(mail_address)]
