"""Packages that a test writes and the service imports."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.support.servers.databases import create_database


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which packages are imported."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def empty_database(database_url: str, tmp_path: Path) -> str:
    """A database of the same kind as `database_url` without tables."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{tmp_path / 'not' / 'yet' / 'empty.db'}"
    return create_database(
        url.set(database=None).render_as_string(hide_password=False), f"empty_{secrets.token_hex(4)}"
    )
