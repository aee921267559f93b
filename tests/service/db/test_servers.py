"""Real servers behind URLs with parameters: TLS, names, character sets."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomysql
import pytest
from pymysql.err import OperationalError
from sqlalchemy import text
from sqlalchemy.engine import make_url

from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.run import upgrade
from inference_core.core.db.mysql import MysqlConnection
from inference_core.core.db.network import KEEPALIVE
from inference_core.health.drivers import connect
from tests.support.servers.certificates import self_signed_certificate
from tests.support.servers.databases import create_database
from tests.support.settings import Settings, service

pytestmark = pytest.mark.anyio


def settings_for(url: str) -> Settings:
    return Settings(_env_file=None, database_url=url)


async def answer(url: str, *statements: str) -> list[Any]:
    """The last statement's rows, as the service's own connections get them; the probe connects as well."""
    settings = settings_for(url)
    line = await connect(settings.database_url)
    line.cut()
    async with Database.open(settings) as database, database.write_engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        results = [await autocommit.execute(text(statement)) for statement in statements]
        return list(results[-1]) if results[-1].returns_rows else []


@pytest.fixture
def postgresql_database(postgresql: str) -> str:
    return create_database(postgresql, f"urls_{secrets.token_hex(4)}")


@pytest.fixture
def mariadb_database(mariadb: str) -> str:
    return create_database(mariadb, f"urls_{secrets.token_hex(4)}")


async def test_postgresql_takes_the_parameters_of_a_url(postgresql_database: str) -> None:
    url = (
        f"{postgresql_database}?sslmode=prefer&channel_binding=prefer&application_name=mine&connect_timeout=5"
        "&target_session_attrs=read-write&options=-csearch_path%3Dpg_catalog&statement_cache_size=0"
    )
    assert await answer(url, "SHOW application_name") == [("mine",)]
    assert await answer(url, "SHOW search_path") == [("pg_catalog",)]
    assert await answer(url, "SHOW statement_timeout") == [("5s",)]


@pytest.fixture(params=["postgresql", "mariadb"])
def server_database(request: pytest.FixtureRequest) -> str:
    return create_database(request.getfixturevalue(request.param), f"urls_{secrets.token_hex(4)}")


async def test_a_connection_notices_that_the_network_is_silent(server_database: str) -> None:
    async with Database.open(settings_for(server_database)) as database, database.write_engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        transport = driver._writer.transport if isinstance(driver, MysqlConnection) else driver._transport
        line: socket.socket = transport.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        found = {name: line.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in KEEPALIVE}
        assert found == KEEPALIVE


def test_a_server_without_the_tls_that_a_url_asks_for_is_one_line(postgresql_database: str) -> None:
    with pytest.raises(MigrationError) as raised:
        upgrade(service, settings_for(f"{postgresql_database}?sslmode=require"))
    assert "\n" not in str(raised.value)
    assert "ssl" in str(raised.value).lower()


@pytest.fixture
def postgresql_with_tls(postgresql: str, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The server with TLS for a while, and the certificate it shows."""
    data = asyncio.run(answer(f"{postgresql}/postgres", "SHOW data_directory"))[0][0]
    certificate, key = self_signed_certificate(tmp_path)
    owner = Path(data).stat()
    for made in (certificate, key):
        copy = Path(data) / made.name
        copy.write_bytes(made.read_bytes())
        copy.chmod(0o600)
        if owner.st_uid != Path(made).stat().st_uid:
            os.chown(copy, owner.st_uid, owner.st_gid)
    set_ssl = ("ALTER SYSTEM SET ssl = {}", "SELECT pg_reload_conf()")
    asyncio.run(answer(f"{postgresql}/postgres", *(statement.format("on") for statement in set_ssl)))
    try:
        yield f"{postgresql}/postgres", certificate
    finally:
        asyncio.run(answer(f"{postgresql}/postgres", *(statement.format("off") for statement in set_ssl)))


ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_postgresql_is_reached_by_tls_and_its_certificate_is_verified(
    postgresql_with_tls: tuple[str, Path], tmp_path: Path
) -> None:
    url, certificate = postgresql_with_tls
    (tmp_path / "other").mkdir()
    other, _ = self_signed_certificate(tmp_path / "other")
    assert asyncio.run(answer(f"{url}?sslmode=require", ENCRYPTED)) == [(True,)]
    assert asyncio.run(answer(f"{url}?sslmode=disable", ENCRYPTED)) == [(False,)]
    assert asyncio.run(answer(f"{url}?sslmode=verify-full&sslrootcert={certificate}", ENCRYPTED)) == [(True,)]
    with pytest.raises(MigrationError) as raised:
        upgrade(service, settings_for(f"{url}?sslmode=verify-ca&sslrootcert={other}"))
    assert "certificate" in str(raised.value).lower()
    assert "\n" not in str(raised.value)


CIPHER = "SHOW SESSION STATUS LIKE 'Ssl_cipher'"


async def test_mariadb_is_reached_by_tls_and_its_certificate_is_verified(mariadb_database: str, tmp_path: Path) -> None:
    ((certificate,),) = await answer(mariadb_database, "SELECT @@ssl_cert")
    other, _ = self_signed_certificate(tmp_path)
    ((_, cipher),) = await answer(mariadb_database, CIPHER)
    assert not cipher
    for query in ("ssl-mode=REQUIRED", "ssl=true", f"ssl-mode=VERIFY_IDENTITY&ssl_ca={certificate}"):
        ((_, cipher),) = await answer(f"{mariadb_database}?{query}", CIPHER)
        assert cipher
    with pytest.raises(MigrationError) as raised:
        await asyncio.to_thread(upgrade, service, settings_for(f"{mariadb_database}?ssl-mode=VERIFY_CA&ssl_ca={other}"))
    assert "certificate" in str(raised.value).lower()
    assert "\n" not in str(raised.value)


async def test_mysql_without_the_tls_that_a_url_asks_for_is_not_talked_to_in_the_clear() -> None:
    connection = MysqlConnection(require_tls=True, ssl=ssl.create_default_context())
    connection.server_capabilities = 0
    with pytest.raises(OperationalError, match="does not offer TLS"):
        await connection._request_authentication()


async def test_a_silent_mysql_ends_the_wait(mariadb_database: str) -> None:
    async with Database.open(
        Settings(_env_file=None, database_url=mariadb_database, database_statement_timeout_s=0.3)
    ) as database:
        async with database.read() as session:
            await session.execute(text("SET SESSION max_statement_time = 60"))
        connection = await database.engine.raw_connection()
        driver = connection.driver_connection
        assert isinstance(driver, MysqlConnection)
        async with driver.cursor() as cursor:
            await cursor.execute("SET SESSION max_statement_time = 60")
            with pytest.raises(TimeoutError):
                await cursor.execute("SELECT SLEEP(30)")
        assert driver.is_closed()
        connection.invalidate()


LATIN1 = "CREATE DATABASE {} CHARACTER SET latin1"


async def test_a_database_that_cannot_hold_every_text_is_refused_with_what_to_run(mariadb: str) -> None:
    name = f"latin_{secrets.token_hex(4)}"
    await _on_server(mariadb, LATIN1.format(name))
    settings = settings_for(make_url(mariadb).set(database=name).render_as_string(hide_password=False))
    with pytest.raises(MigrationError) as raised:
        await asyncio.to_thread(upgrade, service, settings)
    assert "\n" not in str(raised.value)
    told = str(raised.value).rpartition("run: ")[2]
    assert told == "ALTER DATABASE CHARACTER SET utf8mb4"
    await answer(settings.database_url, told)
    await asyncio.to_thread(upgrade, service, settings)
    # Columns of tables that were made before are found too.
    await answer(settings.database_url, "ALTER TABLE users MODIFY first_name VARCHAR(100) CHARACTER SET latin1")
    with pytest.raises(MigrationError, match=r"cannot store every text: users\.first_name \(latin1\)"):
        await asyncio.to_thread(upgrade, service, settings)


async def _on_server(server_url: str, statement: str) -> None:
    url = make_url(server_url)
    connection = await aiomysql.connect(host=url.host, port=url.port, user="test", password="test", autocommit=True)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(statement)
    finally:
        connection.close()
