"""Database URLs as hosts print them are understood, and what is not understood is refused by its name, in one line."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from inference_core.core.database_url import connect_arguments, read_database_url, shown_database_url
from inference_core.core.db.mysql import mysql_arguments
from inference_core.core.db.postgresql import PostgresqlConnector
from inference_core.core.settings import SettingsError
from tests.support.settings import Settings, load_settings

SYSTEM_ROOTS = ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile


def arguments(url: str) -> dict[str, Any]:
    return connect_arguments(read_database_url(url))


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgresql://u:p@h/x?sslmode=require", "postgresql://?sslmode=require"),
        ("postgres://u:p@h/x?sslmode=disable", "postgresql://?sslmode=disable"),
        ("postgresql+psycopg2://u:p@h/x?sslmode=prefer&channel_binding=prefer", "postgresql://?sslmode=prefer"),
        ("postgresql://u:p@h/x?target_session_attrs=read-write", "postgresql://?target_session_attrs=read-write"),
        ("postgresql+asyncpg://u:p@h/x?sslmode=allow&sslmode=require", "postgresql://?sslmode=require"),
        ("postgresql+psycopg://u:p@h/x?gssencmode=disable&client_encoding=UTF8", None),
    ],
)
def test_postgresql_parameters_reach_the_driver(url: str, dsn: str | None) -> None:
    found = arguments(url)
    assert found.get("dsn") == dsn
    assert {name: found[name] for name in ("host", "user", "password", "database")} == {
        "host": "h",
        "user": "u",
        "password": "p",
        "database": "x",
    }
    assert set(found) <= {"host", "user", "password", "database", "dsn"}


@pytest.mark.skipif(not SYSTEM_ROOTS or not Path(SYSTEM_ROOTS).is_file(), reason="no root certificates on this machine")
def test_the_systems_root_certificates_can_be_named() -> None:
    found = arguments("postgresql://h/x?sslmode=verify-full&sslrootcert=system")
    assert "sslrootcert=system" not in found["dsn"]
    assert ".pem" in found["dsn"] or ".crt" in found["dsn"]


def test_limits_and_names_of_the_url_count_beside_those_of_the_settings() -> None:
    url = read_database_url(
        "postgresql://h/x?connect_timeout=7&application_name=mine&options=-csearch_path%3Dother"
        "&prepared_statement_cache_size=0&statement_cache_size=0"
    )
    connector = PostgresqlConnector.of(url, Settings(_env_file=None))
    found = connector.arguments
    assert (found["timeout"], found["statement_cache_size"]) == (7.0, 0)
    assert connector.engine_arguments == {"prepared_statement_cache_size": 0}
    assert found["server_settings"] == {
        "application_name": "mine",
        "options": "-csearch_path=other",
        "timezone": "UTC",
    }
    assert found["command_timeout"] > 5
    assert connector.limits["statement_timeout"] == "5000"


def test_several_hosts_and_a_socket_are_found() -> None:
    several = arguments("postgresql://u@/x?host=a:5432&host=b:5433&target_session_attrs=primary")
    assert (several["host"], several["port"]) == (["a", "b"], [5432, 5433])
    for url in ("postgresql://u@/x?host=/run/postgresql", "postgresql://u@%2Frun%2Fpostgresql/x"):
        found = arguments(url)
        assert (found["host"], found["user"], found["database"]) == ("/run/postgresql", "u", "x")
        assert Settings(_env_file=None, database_url=url).database_url == (
            "postgresql+asyncpg://u@/x?host=%2Frun%2Fpostgresql"
        )
    assert arguments("mysql://u@h/x?unix_socket=/run/mysqld.sock")["unix_socket"] == "/run/mysqld.sock"


@pytest.mark.parametrize(
    ("query", "required", "verifies", "names"),
    [
        ("ssl-mode=REQUIRED", True, False, False),
        ("ssl_mode=required", True, False, False),
        ("sslmode=require", True, False, False),
        ("ssl=true", True, False, False),
        ("ssl-mode=PREFERRED", False, False, False),
        ("ssl-mode=VERIFY_CA", True, True, False),
        ("ssl-mode=VERIFY_IDENTITY", True, True, True),
        ("ssl_check_hostname=true", True, True, True),
        ("sslmode=verify-full&charset=utf8mb4&connect_timeout=10", True, True, True),
    ],
)
def test_mysql_modes_become_what_they_mean(query: str, required: bool, verifies: bool, names: bool) -> None:
    found = mysql_arguments(read_database_url(f"mysql+pymysql://u:p@h/x?{query}"), Settings(_env_file=None))
    assert found["require_tls"] is required
    assert (found["ssl"].verify_mode == ssl.CERT_REQUIRED) is verifies
    assert found["ssl"].check_hostname is names
    assert found["charset"] == "utf8mb4"


@pytest.mark.parametrize("query", ["", "?ssl-mode=DISABLED", "?ssl=false", "?sslmode=disable&charset=utf8"])
def test_mysql_without_tls_has_no_context(query: str) -> None:
    assert "ssl" not in arguments(f"mysql+mysqldb://u:p@h/x{query}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/x?channel_binding=require", "'channel_binding', which is not supported by the driver"),
        ("postgresql://h/x?sslmode=sometimes", "'sslmode', which must be one of disable, allow, prefer, require"),
        ("postgresql://h/x?sslmode=verify-full", "'sslmode', which needs sslrootcert=FILE too"),
        ("postgresql://h/x?sslrootcert=/nowhere/ca.pem", "'sslrootcert', which names a file that does not exist"),
        ("postgresql://h/x?sslcert=/nowhere/c.pem", "'sslcert', which names a file that does not exist"),
        ("postgresql://h/x?ssl_mode=require", "'ssl_mode', which the service does not support; did you mean sslmode?"),
        ("postgresql://h/x?pgbouncer=false", "'pgbouncer', which must be one of true"),
        ("postgresql://h/x?schema=public", "'schema', which the service does not support"),
        ("postgresql://h/x?password=hunter2", "'password', which the service does not support"),
        ("postgresql://h/x?connect_timeout=soon", "'connect_timeout', which must be from 1 to 60 seconds"),
        ("postgresql://h/x?connect_timeout=-1", "'connect_timeout', which must be from 1 to 60 seconds"),
        ("postgresql://h/x?target_session_attrs=best", "'target_session_attrs', which must be one of any"),
        ("postgresql://h/x?client_encoding=latin1", "'client_encoding', which must be utf8"),
        ("postgresql://h1:1,h2:2/x", "has a port that is not a number; write several hosts as ?host=a:5432"),
        ("postgresql://h:abc/x", "has a port that is not a number"),
        ("postgresql://h:99999/x", "has a port that is not between 1 and 65535"),
        ("mysql://h/x?ssl-mode=MAYBE", "'ssl_mode', which must be one of DISABLED"),
        ("mysql://h/x?charset=latin1", "'charset', which must be utf8mb4"),
        ("mysql://h/x?ssl_ca=/nowhere.pem", "'ssl_ca', which names a file that does not exist"),
        ("mysql://h/x?serverTimezone=UTC", "'servertimezone', which the service does not support"),
        ("mysql://h/x?read_timeout=5", "'read_timeout', which the service does not support"),
        ("mysql://h/x?local_infile=1", "'local_infile', which the service does not support"),
        ("sqlite:///x.db?mode=ro", "'mode', which the service does not support; known: none"),
        ("cockroachdb://h/x", "names an unknown database 'cockroachdb'"),
    ],
)
def test_what_is_not_understood_is_named_in_one_line(tmp_path: Path, url: str, expected: str) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path / ".env")
    (line,) = str(raised.value).splitlines()
    assert line.startswith("settings: DATABASE_URL: ")
    assert expected in line
    assert "hunter2" not in line


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for url in (f"postgresql://h/x?sslrootcert={tmp_path}/ca.pem", f"mysql://h/x?ssl_ca={tmp_path}/ca.pem"):
        with pytest.raises(ValueError, match="cannot be used"):
            read_database_url(url)
    with pytest.raises(ValueError, match="'sslcert', which with its key cannot be used"):
        read_database_url(f"postgresql://h/x?sslcert={tmp_path}/ca.pem")


def test_reading_a_url_again_changes_nothing() -> None:
    url = read_database_url("postgres://u:p%40@h/x?sslmode=require&application_name=a%20b")
    assert read_database_url(url.render_as_string(hide_password=False)) == url == make_url(str(url)).set(password="p@")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///.local/x.db", "sqlite:///.local/x.db"),
        ("sqlite+aiosqlite:////var/x.db", "sqlite:////var/x.db"),
        ("postgres://user:secret@host:5433/x?sslmode=require", "postgresql://host:5433/x"),
        ("mysql://user:secr%40et@host/x", "mysql://host/x"),
    ],
)
def test_people_see_a_url_without_credentials_and_parameters(url: str, shown: str) -> None:
    assert shown_database_url(url) == shown
    assert shown_database_url(read_database_url(url).render_as_string(hide_password=False)) == shown
