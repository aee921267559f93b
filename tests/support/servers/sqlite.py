"""Migrated SQLite files, copied from one that is migrated once in each test process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url

from inference_core.core.db.migrations.run import upgrade
from tests.support.settings import Settings, service


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema; a new SQLite file is a copy of the template."""
    url = make_url(database_url)
    path = Path(url.database or "")
    if url.get_backend_name() == "sqlite" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_template())
    else:
        upgrade(service, Settings(_env_file=None, database_url=database_url))


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        upgrade(service, Settings(_env_file=None, database_url=f"sqlite:///{path}"))
        return path.read_bytes()
