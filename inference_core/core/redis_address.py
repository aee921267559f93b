"""Parse the URL of a Redis database, and format it for redis-py and for Celery. Pure functions.

The forms are `redis://user:password@host:port/2`, `rediss://…` for TLS, and `unix:///run/redis.sock?db=2` for a local
socket. Other common forms are also accepted: `?db=2` with a host, and `redis+socket://…?virtual_host=2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DEFAULT_PORT = 6379
SOCKET_SCHEMES = ("unix", "socket", "redis+socket")
DATABASE_PARAMETERS = ("db", "virtual_host")
CERTIFICATE_REQUIREMENTS = ("required", "optional", "none")
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_PARAMETERS = (*FILES, "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A database of a Redis server. With a local socket (`path`), there is no host."""

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Mapping[str, str] | None = None

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Parse a URL.

        Raises:
            ValueError: The URL is invalid. The text states the reason without values.
        """
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in ("redis", "rediss", *SOCKET_SCHEMES):
            raise ValueError("must be a redis://, rediss:// or unix:// URL")
        try:
            parts = urlsplit(f"redis{url[len(scheme) :]}")
            port = parts.port
            parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ValueError("has an invalid host, port or parameter") from None
        if parts.fragment:
            raise ValueError("contains '#'; write %23 for a '#' in a password")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        is_socket = scheme in SOCKET_SCHEMES
        database = _database(parameters, "" if is_socket else parts.path)
        tls = _tls(parameters) if scheme == "rediss" else None
        if unknown := sorted(set(parameters) - set(TLS_PARAMETERS if tls is not None else ())):
            raise ValueError(f"has the parameter {unknown[0][:40]!r}, which is not supported")
        if not is_socket:
            host = unquote(parts.hostname or "") or "localhost"
            return cls(host, port or DEFAULT_PORT, "", database, username, password, tls)
        if parts.hostname or len(parts.path) < 2:
            raise ValueError("must contain the absolute path of a socket, such as unix:///run/redis.sock")
        return cls(path=unquote(parts.path), database=database, username=username, password=password)

    @property
    def url(self) -> str:
        """Return the URL in the form of redis-py, which is also the form for display."""
        if self.path:
            return f"unix://{self._credentials()}{quote(self.path)}?db={self.database}"
        return self._network_url()

    @property
    def celery_url(self) -> str:
        """Return the URL in the form of kombu and of Celery's result backend."""
        if self.path:
            return f"redis+socket://{self._credentials()}{quote(self.path)}?virtual_host={self.database}"
        return self._network_url()

    def _network_url(self) -> str:
        scheme = "redis" if self.tls is None else "rediss"
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        parameters = "&".join(f"{name}={quote(value, safe='/')}" for name, value in (self.tls or {}).items())
        url = f"{scheme}://{self._credentials()}{host}:{self.port}/{self.database}"
        return f"{url}?{parameters}" if parameters else url

    def _credentials(self) -> str:
        if not self.username and not self.password:
            return ""
        return f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"


def _database(parameters: dict[str, str], path: str) -> int:
    """Return the number of the database from the parameters or the path."""
    named = [parameters.pop(name) for name in DATABASE_PARAMETERS if name in parameters]
    if path not in ("", "/"):
        named.append(path.removeprefix("/"))
    if any(not (number.isascii() and number.isdecimal()) for number in named):
        raise ValueError("has a database that is not a number")
    numbers = {int(number) for number in named}
    if len(numbers) > 1:
        raise ValueError("has two different databases")
    return numbers.pop() if numbers else 0


def _tls(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the requirements for the server's certificate. By default it must be valid for the host."""
    wanted = parameters.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if wanted not in CERTIFICATE_REQUIREMENTS:
        raise ValueError("has an invalid ssl_cert_reqs; use required, optional or none")
    tls = {"ssl_cert_reqs": wanted}
    check = parameters.get("ssl_check_hostname", "false" if wanted == "none" else "true").lower()
    if check not in ("true", "false"):
        raise ValueError("has an invalid ssl_check_hostname; use true or false")
    if check == "true" and wanted == "none":
        raise ValueError("has ssl_check_hostname=true, which requires a certificate, with ssl_cert_reqs=none")
    tls["ssl_check_hostname"] = check
    for name in FILES:
        if name in parameters:
            if not Path(parameters[name]).is_file():
                raise ValueError(f"has a {name} that does not exist")
            tls[name] = parameters[name]
    return tls
