"""Databases for tests: new ones on a server, and the mark of tests that run on every kind."""

from __future__ import annotations

import asyncio

import aiomysql
import asyncpg
import pytest
from sqlalchemy.engine import make_url

DATABASES = ("sqlite", "postgresql", "mariadb")
# For what can differ between them: queries of repositories, transactions, migrations. All else runs on SQLite.
on_every_database = pytest.mark.parametrize("database_url", DATABASES, indirect=True)


def create_database(server_url: str, name: str) -> str:
    """Make a database; its URL."""
    url = make_url(server_url)
    if url.get_backend_name() == "postgresql":
        run_on_server(server_url, f'CREATE DATABASE "{name}"')
    else:
        run_on_server(server_url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    return url.set(database=name).render_as_string(hide_password=False)


def run_on_server(server_url: str, statement: str) -> None:
    """Run a statement outside of the databases of the tests."""
    url = make_url(server_url)
    if url.get_backend_name() == "postgresql":
        asyncio.run(_on_postgresql(url.set(database="postgres").render_as_string(hide_password=False), statement))
    else:
        asyncio.run(_on_mariadb(url.host or "", url.port or 0, statement))


async def _on_postgresql(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _on_mariadb(host: str, port: int, statement: str) -> None:
    connection = await aiomysql.connect(host=host, port=port, user="test", password="test", autocommit=True)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(statement)
    finally:
        await connection.ensure_closed()
