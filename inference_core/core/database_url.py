"""Parse database URLs like the servers' own clients, so that the URLs of hosting providers can be used unchanged.

A parameter is supported, or ignored because the service always does the same, or refused by name.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

# The tested drivers by the schemes that users can write.
DATABASE_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}
MAX_PORT = 65535
NOT_IN_HOST = re.compile(r"[\s@/?#;]")

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")
# Parameters that asyncpg reads from a URL itself.
ASYNCPG_PARAMETERS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "target_session_attrs",
    "passfile",
)
DEFAULT_ROOT_CERTIFICATES = Path("~/.postgresql/root.crt")

# https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#encrypted-connection-options
# and what other clients call the same.
MYSQL_MODES = {
    "DISABLED": "DISABLED",
    "DISABLE": "DISABLED",
    "FALSE": "DISABLED",
    "0": "DISABLED",
    "PREFERRED": "PREFERRED",
    "PREFER": "PREFERRED",
    "REQUIRED": "REQUIRED",
    "REQUIRE": "REQUIRED",
    "TRUE": "REQUIRED",
    "1": "REQUIRED",
    "VERIFY_CA": "VERIFY_CA",
    "VERIFY_IDENTITY": "VERIFY_IDENTITY",
    "VERIFY_FULL": "VERIFY_IDENTITY",
}

Check = Callable[[str], str | None]
"""Return the problem of a value, or None."""


def _one_of(*known: str) -> Check:
    return lambda value: None if value in known else f"must be one of {', '.join(known)}"


def _file(value: str) -> str | None:
    return None if os.path.isfile(value) else "names a file that does not exist"  # noqa: PTH113 - never raises


def _certificates(value: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except FileNotFoundError:
        return "names a file that does not exist"
    except OSError as error:  # an ssl.SSLError is one
        return f"names a file that cannot be used ({type(error).__name__})"
    return None


def _seconds(value: str) -> str | None:
    return None if value.isdecimal() and 0 < int(value) <= 60 else "must be from 1 to 60 seconds"


def _count(value: str) -> str | None:
    return None if value.isdecimal() and int(value) <= 10_000 else "must be a number of statements"


def _text(_: str) -> None:
    return None


def _root_certificates(value: str) -> str | None:
    if value == "system":
        return None if _system_certificates() else "is 'system', but this machine has no file of root certificates"
    return _certificates(value)


POSTGRESQL: Mapping[str, Check] = {
    "sslmode": _one_of(*SSLMODES),
    "sslrootcert": _root_certificates,
    "sslcert": _file,
    "sslkey": _file,
    "sslcrl": _certificates,
    "sslnegotiation": _one_of("postgres", "direct"),
    "ssl_min_protocol_version": _one_of(*TLS_VERSIONS),
    "ssl_max_protocol_version": _one_of(*TLS_VERSIONS),
    "target_session_attrs": _one_of(*SESSION_ATTRIBUTES),
    "passfile": _file,
    "host": _text,
    "port": _text,
    "connect_timeout": _seconds,
    "application_name": _text,
    "options": _text,
    "prepared_statement_cache_size": _count,
    "statement_cache_size": _count,
    "pgbouncer": _one_of("true"),
    # The driver supports none of these, so only values that turn them off are valid.
    "channel_binding": lambda value: (
        None
        if value in {"prefer", "disable"}
        else "is not supported by the driver; remove it (sslmode=verify-full verifies the server)"
    ),
    "gssencmode": _one_of("prefer", "disable"),
    "client_encoding": lambda value: None if value.lower() in {"utf8", "utf-8", "auto"} else "must be utf8",
}

MYSQL: Mapping[str, Check] = {
    "ssl_mode": lambda value: (
        None if _mysql_mode(value) else "must be one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"
    ),
    "ssl_ca": _certificates,
    "ssl_cert": _file,
    "ssl_key": _file,
    "ssl_check_hostname": _one_of("true", "false", "1", "0"),
    "charset": lambda value: None if value.lower() in {"utf8mb4", "utf8"} else "must be utf8mb4",
    "connect_timeout": _seconds,
    "unix_socket": _text,
}
MYSQL_SYNONYMS = {"sslmode": "ssl_mode", "ssl": "ssl_mode"}

KNOWN: Mapping[str, Mapping[str, Check]] = {"sqlite": {}, "postgresql": POSTGRESQL, "mysql": MYSQL}


def read_database_url(value: str) -> URL:
    """Return the URL with the built-in driver and checked parameters.

    Raises:
        ValueError: The URL is invalid. The text is one sentence without secrets.
    """
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("is not a database URL such as sqlite:///app.db or postgresql://user@host/name") from None
    except ValueError:
        raise ValueError("has a port that is not a number; write several hosts as ?host=a:5432&host=b:5432") from None
    backend = url.drivername.partition("+")[0]
    if backend not in DATABASE_DRIVERS:
        raise ValueError(f"names an unknown database '{backend[:40]}'; known: sqlite, postgresql, mysql")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise ValueError(f"has a port that is not between 1 and {MAX_PORT}")
    url = url.set(drivername=DATABASE_DRIVERS[backend])
    url = _with_checked_host(url)
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database.startswith((":memory:", "file:")):
            raise ValueError("must name a file: an SQLite database in memory cannot be shared between connections")
        _check_file(url.database)
    _check_parameters(url)
    return url


def _with_checked_host(url: URL) -> URL:
    """Return the URL with a host that is a name or an address. A folder of sockets becomes the parameter `host`.

    A wrong host is often a part of a password, and would be shown in logs and asked from DNS.
    """
    host = unquote(url.host or "")
    if host.startswith("/") and url.get_backend_name() == "postgresql":
        place = {"host": host} | ({"port": str(url.port)} if url.port else {})
        return URL.create(
            url.drivername, url.username, url.password, database=url.database, query={**url.query, **place}
        )
    if "," in host:
        raise ValueError("names several hosts; write them as ?host=a&host=b, with ports as ?host=a:5432&host=b:5432")
    if NOT_IN_HOST.search(host):
        raise ValueError("has an invalid host; percent-encode special characters of the password (%40 for '@')")
    return url


def _check_file(database: str) -> None:
    try:
        is_folder = Path(database).is_dir()
    except OSError:
        raise ValueError("names a file whose name is too long, or whose folder cannot be read") from None
    if is_folder:
        raise ValueError("names a folder; name a file in it")


def parameters(url: URL) -> dict[str, str]:
    """Return the parameters of a URL. As in libpq, the last one of a name counts."""
    found = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if url.get_backend_name() == "mysql":
        found = {name.lower().replace("-", "_"): value for name, value in found.items()}
        return {MYSQL_SYNONYMS.get(name, name): value for name, value in found.items()}
    return found


def _check_parameters(url: URL) -> None:
    backend = url.get_backend_name()
    known = KNOWN[backend]
    given = parameters(url)
    for name, value in given.items():
        if name not in known:
            close = get_close_matches(name, known, 1)
            advice = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"
            raise ValueError(f"has the parameter '{name[:40]}', which the service does not support; {advice}")
        if wrong := known[name](value):
            raise ValueError(f"has the parameter '{name}', which {wrong}")
    _check_key(given, *(("sslcert", "sslkey") if backend == "postgresql" else ("ssl_cert", "ssl_key")))
    verifies = backend == "postgresql" and given.get("sslmode", "").startswith("verify-")
    if verifies and "sslrootcert" not in given and not DEFAULT_ROOT_CERTIFICATES.expanduser().is_file():
        raise ValueError(
            "has the parameter 'sslmode', which needs sslrootcert=FILE too (or sslrootcert=system) to verify by"
        )


def _check_key(given: Mapping[str, str], certificate: str, key: str) -> None:
    if certificate not in given:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(given[certificate], given.get(key), password="")
    except OSError as error:
        raise ValueError(
            f"has the parameter '{certificate}', which with its key cannot be used ({type(error).__name__})"
        ) from None


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return the keyword arguments of the drivers for a checked URL."""
    given = parameters(url)
    is_postgresql = url.get_backend_name() == "postgresql"
    hosts = {name: url.query[name] for name in ("host", "port") if name in url.query and is_postgresql}
    plain = url.set(query=hosts)
    _, arguments = plain.get_dialect()().create_connect_args(plain)
    if "connect_timeout" in given:
        arguments["timeout" if is_postgresql else "connect_timeout"] = float(given["connect_timeout"])
    return dict(arguments) | (_postgresql(given) if is_postgresql else _mysql(given))


def is_declared_pooler(url: URL) -> bool:
    """Return whether a checked URL says that it leads to a pooler."""
    return "pgbouncer" in parameters(url)


def _postgresql(given: Mapping[str, str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        name: int(given[name]) for name in ("prepared_statement_cache_size", "statement_cache_size") if name in given
    }
    read_by_driver = {name: given[name] for name in ASYNCPG_PARAMETERS if name in given}
    if read_by_driver.get("sslrootcert") == "system":
        read_by_driver["sslrootcert"] = str(_system_certificates())
    if read_by_driver:
        arguments["dsn"] = f"postgresql://?{urlencode(read_by_driver)}"
    server = {name: given[name] for name in ("application_name", "options") if name in given}
    return arguments | ({"server_settings": server} if server else {})


def _mysql(given: Mapping[str, str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {"unix_socket": given["unix_socket"]} if "unix_socket" in given else {}
    mode = _mysql_mode(given.get("ssl_mode", "")) or ("VERIFY_CA" if "ssl_ca" in given else "DISABLED")
    if given.get("ssl_check_hostname") in {"true", "1"}:
        mode = "VERIFY_IDENTITY"
    if mode == "DISABLED":
        return arguments
    context = ssl.create_default_context(cafile=given.get("ssl_ca"))
    context.check_hostname = mode == "VERIFY_IDENTITY"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("VERIFY") else ssl.CERT_NONE
    if "ssl_cert" in given:
        context.load_cert_chain(given["ssl_cert"], given.get("ssl_key"))
    return arguments | {"ssl": context, "require_tls": mode != "PREFERRED"}


def _mysql_mode(value: str) -> str | None:
    return MYSQL_MODES.get(value.upper().replace("-", "_"))


def _system_certificates() -> str | None:
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), None)


def shown_database_url(url: str) -> str:
    """Return a URL for people, without user, password and parameters."""
    parsed = read_database_url(url)
    shown = URL.create(parsed.get_backend_name(), host=parsed.host, port=parsed.port, database=parsed.database)
    return shown.render_as_string()
