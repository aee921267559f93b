"""Parse the URL of a Redis database, and format it for redis-py and for Celery. Pure functions.

The forms are `redis://user:password@host:port/2`, `rediss://…` for TLS, `unix:///run/redis.sock?db=2` for a local
socket, and `sentinel://user:password@host1,host2,host3/master?db=2` for the current master of a group that Redis
Sentinel watches (`sentinels://…` for TLS). Other common forms are also accepted: `?db=2` with a host,
`redis+socket://…?virtual_host=2`, and `sentinel://…/master/2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
SOCKET_SCHEMES = ("unix", "socket", "redis+socket")
SENTINEL_SCHEMES = ("sentinel", "sentinels")
TLS_SCHEMES = ("rediss", "sentinels")
SCHEMES = ("redis", "rediss", *SOCKET_SCHEMES, *SENTINEL_SCHEMES)
DATABASE_PARAMETERS = ("db", "virtual_host")
CERTIFICATE_REQUIREMENTS = ("required", "optional", "none")
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_PARAMETERS = (*FILES, "ssl_cert_reqs", "ssl_check_hostname")
# A host name or an address. Other characters belong to a password that is not percent-encoded, or to a list of hosts.
HOST = re.compile(r"[^\s@,;/?#]+")
# The characters that Sentinel accepts in the name of a master.
MASTER_NAME = re.compile(r"[A-Za-z0-9._-]+")
INVALID_PART = "has an invalid host, port or parameter; percent-encode special characters of the password (%40 for '@')"
SENTINEL_FORM = "sentinel://host1,host2,host3/name-of-the-master"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A database of a Redis server.

    With a local socket (`path`), there is no host. With `sentinels`, which are addresses too, the server is the current
    master of the group `master`; only the Sentinels know its host and port.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Mapping[str, str] | None = None
    sentinels: tuple[RedisAddress, ...] = ()
    master: str = ""

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Parse a URL.

        Raises:
            ValueError: The URL is invalid. The text states the reason without values.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in SCHEMES:
            raise ValueError("must be a redis://, rediss://, unix://, sentinel:// or sentinels:// URL")
        hosts: list[str] = []
        if scheme in SENTINEL_SCHEMES:
            rest, hosts = _without_hosts(rest)
        try:
            parts = urlsplit(f"redis://{rest}")
            port = parts.port
            parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ValueError(INVALID_PART) from None
        if parts.fragment:
            raise ValueError("contains '#'; write %23 for a '#' in a password")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        sentinel_user = parameters.pop("sentinel_username", "") if hosts else ""
        sentinel_password = parameters.pop("sentinel_password", "") if hosts else ""
        master, path = _master(parts.path) if hosts else ("", parts.path)
        is_socket = scheme in SOCKET_SCHEMES
        database = _database(parameters, "" if is_socket else path)
        tls = _tls(parameters) if scheme in TLS_SCHEMES else None
        if unknown := sorted(set(parameters) - set(TLS_PARAMETERS if tls is not None else ())):
            raise ValueError(f"has the parameter {unknown[0][:40]!r}, which is not supported")
        if hosts:
            sentinels = tuple(cls(*_sentinel(host), "", 0, sentinel_user, sentinel_password, tls) for host in hosts)
            return cls(master, 0, "", database, user, password, tls, sentinels, master)
        if not is_socket:
            host = unquote(parts.hostname or "") or "localhost"
            if not HOST.fullmatch(host) or port == 0:
                raise ValueError(INVALID_PART)
            return cls(host, port or DEFAULT_PORT, "", database, user, password, tls)
        if parts.hostname or len(parts.path) < 2:
            raise ValueError("must contain the absolute path of a socket, such as unix:///run/redis.sock")
        return cls(path=unquote(parts.path), database=database, username=user, password=password)

    @property
    def url(self) -> str:
        """Return the URL in the form of the settings."""
        if not self.sentinels:
            return self.server_url
        first = self.sentinels[0]
        login = {"sentinel_username": first.username, "sentinel_password": first.password}
        given = {name: value for name, value in login.items() if value}
        parameters = {"db": str(self.database), **given, **(self.tls or {})}
        scheme = "sentinel" if self.tls is None else "sentinels"
        hosts = ",".join(sentinel.authority for sentinel in self.sentinels)
        return f"{scheme}://{self._credentials()}{hosts}/{self.master}{_query(parameters)}"

    @property
    def display(self) -> str:
        """Return the URL without credentials."""
        sentinels = (replace(sentinel, username="", password="") for sentinel in self.sentinels)
        return replace(self, username="", password="", sentinels=tuple(sentinels)).url

    @property
    def server_url(self) -> str:
        """Return the URL in the form of redis-py. With Sentinels, its host is a placeholder."""
        if self.path:
            return f"unix://{self._credentials()}{quote(self.path)}?db={self.database}"
        return self._network_url("redis" if self.tls is None else "rediss", self.authority)

    @property
    def celery_url(self) -> str:
        """Return the URL in the form of kombu and of Celery's result backend.

        With Sentinels, it names only the first one, because these libraries cannot parse several hosts.
        """
        if self.path:
            return f"redis+socket://{self._credentials()}{quote(self.path)}?virtual_host={self.database}"
        return self._network_url("sentinel", self.sentinels[0].authority) if self.sentinels else self.server_url

    @property
    def authority(self) -> str:
        """Return the host and the port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        return f"{host}:{self.port}"

    def _network_url(self, scheme: str, authority: str) -> str:
        return f"{scheme}://{self._credentials()}{authority}/{self.database}{_query(self.tls or {})}"

    def _credentials(self) -> str:
        if not self.username and not self.password:
            return ""
        return f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"


def _query(parameters: Mapping[str, str]) -> str:
    """Return the query of a URL with its question mark. Empty without parameters."""
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in parameters.items())
    return query and f"?{query}"


def _without_hosts(rest: str) -> tuple[str, list[str]]:
    """Split a URL after its scheme into a URL with one placeholder as its host, and the hosts."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, hosts = authority.rpartition("@")
    return f"{login}{at}sentinels{rest[len(authority) :]}", hosts.split(",")


def _sentinel(host: str) -> tuple[str, int]:
    """Return the host and the port of a Sentinel."""
    try:
        parts = urlsplit(f"redis://{host.strip()}")
        name, port = unquote(parts.hostname or ""), parts.port
    except ValueError:
        raise ValueError(INVALID_PART) from None
    if not HOST.fullmatch(name) or port == 0:
        raise ValueError(f"must name its Sentinels as {SENTINEL_FORM}")
    return name, port or DEFAULT_SENTINEL_PORT


def _master(path: str) -> tuple[str, str]:
    """Split the path of a Sentinel URL into the name of the master and the path with the database."""
    name, _, database = path.removeprefix("/").partition("/")
    if not MASTER_NAME.fullmatch(name):
        raise ValueError(f"must name the master that the Sentinels watch: {SENTINEL_FORM}")
    return name, database


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
