"""Test the configuration of PgBouncer with the command of its container, before a real PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from tests.support.deploy_tools import DEPLOY, debian_tool
from tests.support.deployment import SECRETS, compose
from tests.support.processes import stop, wait_until
from tests.support.servers.postgresql import postgresql_server, unprivileged
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail

pytestmark = [pytest.mark.full, pytest.mark.process]

PASSWORD = SECRETS["POSTGRES_PASSWORD"]


@pytest.fixture
def server_port() -> Iterator[int]:
    """The port of a PostgreSQL with the user of the Compose file."""

    async def create(url: str) -> None:
        connection = await asyncpg.connect(url + "/postgres")
        await connection.execute(f"CREATE ROLE service LOGIN PASSWORD '{PASSWORD}'")
        await connection.execute("CREATE DATABASE service OWNER service")
        await connection.close()

    try:
        with postgresql_server() as url:
            asyncio.run(create(url))
            yield make_url(url).port or 0
    except ServerUnavailableError as error:
        skip_or_fail(error)


@pytest.fixture
def pooler_port(server_port: int) -> Iterator[int]:
    """The port of a PgBouncer that the container's command has started. Only addresses and folders are changed."""
    port = free_port()
    container = compose()["services"]["pgbouncer"]
    (command,) = container["command"]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        account = unprivileged(folder)
        text = (DEPLOY / "pgbouncer.ini").read_text()
        for shipped, ours in (
            ("host=postgres port=5432", f"host={LOOPBACK} port={server_port}"),
            ("listen_addr = *", f"listen_addr = {LOOPBACK}"),
            ("listen_port = 6432", f"listen_port = {port}"),
            ("/tmp/userlist.txt", f"{folder}/userlist.txt"),  # noqa: S108
        ):
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, ours)
        (folder / "pgbouncer.ini").write_text(text)
        for shipped, ours in (
            ("/tmp/userlist.txt", f"{folder}/userlist.txt"),  # noqa: S108
            ("pgbouncer /etc/pgbouncer.ini", f"{debian_tool('pgbouncer', 'pgbouncer')} {folder}/pgbouncer.ini"),
        ):
            assert command.count(shipped) == 1, shipped
            command = command.replace(shipped, ours)
        env = {"PATH": "/usr/bin:/bin", **container["environment"]}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*container["entrypoint"], command], env=env, stdout=log, stderr=log, **account)
            try:
                wait_until(lambda: process.poll() is not None or is_listening(port), what="PgBouncer listening")
                assert process.poll() is None, (folder / "log").read_text()
                assert (folder / "userlist.txt").stat().st_mode & 0o077 == 0
                yield port
            finally:
                stop(process, grace_s=20)


def test_the_user_of_the_service_reaches_its_database_with_the_password_only(pooler_port: int) -> None:
    async def user(password: str) -> str:
        url = f"postgresql://service:{password}@{LOOPBACK}:{pooler_port}/service"
        connection = await asyncpg.connect(url, statement_cache_size=0)
        found: str = await connection.fetchval("SELECT current_user || '@' || current_database()")
        await connection.close()
        return found

    assert asyncio.run(user(PASSWORD)) == "service@service"
    with pytest.raises(asyncpg.PostgresError, match="authentication failed"):
        asyncio.run(user("wrong"))
