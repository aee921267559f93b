"""A service of its own with two features, written into a folder, whose models a test changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import preloaded
from tests.support.stack import clean_environment

SERVICE = """\
from inference_core.core.feature import Feature, Service

service = Service(
    name="shop",
    features=(
        Feature(name="notes", models="shop.notes.models", migrations="shop.notes.migrations"),
        Feature(
            name="notes_extra",
            requires=("notes",),
            models="shop.extra.models",
            migrations="shop.extra.migrations",
        ),
    ),
)
"""
PYPROJECT = """\
[tool.inference_core]
service = "shop.service:service"
"""
NOTES = """\
import enum
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base, UtcDateTime
from shop.notes import tags

class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"

class Note(Base):
    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid4)
    title: Mapped[str] = mapped_column(
        sa.String(100).with_variant(mysql.VARCHAR(100, collation="utf8mb4_bin"), "mysql", "mariadb"), unique=True
    )
    body: Mapped[str] = mapped_column(sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"))
    mood: Mapped[Mood] = mapped_column(sa.Enum(Mood, name="mood"))
    kind: Mapped[str] = mapped_column(sa.Enum("a", "b", name="kind", native_enum=False, length=10))
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON().with_variant(postgresql.JSONB(), "postgresql"))
    plain: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON())
    price: Mapped[float] = mapped_column(sa.Numeric(10, 2))
    ratio: Mapped[float] = mapped_column(sa.Float)
    raw: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    done: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    size: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    label: Mapped[str] = mapped_column(sa.String(20), server_default="it's")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    made_at: Mapped[datetime] = mapped_column(sa.DateTime, server_default=sa.func.now())
    # more columns

    __table_args__ = (
        sa.CheckConstraint("size >= 0", name="size"),
        sa.Index("ix_notes_done", "done", "created_at"),
    )
"""
TAGS = """\
import sqlalchemy as sa

from inference_core.core.db.base import Base

note_tags = sa.Table(
    "note_tags",
    Base.metadata,
    sa.Column("note_id", sa.ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", sa.String(20), primary_key=True),
    sa.Column("place", sa.Integer, index=True),
)
"""
EXTRA = """\
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base

class Extra(Base):
    __tablename__ = "extras"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[UUID] = mapped_column(sa.ForeignKey("notes.id"), index=True)
    # more columns
"""


@dataclass(frozen=True)
class Shop:
    """A service in a folder, and the command line for it."""

    folder: Path

    @property
    def notes(self) -> Path:
        """The module of the models of the feature `notes`."""
        return self.folder / "shop" / "notes" / "models.py"

    @property
    def extra(self) -> Path:
        """The module of the models of the feature `notes_extra`."""
        return self.folder / "shop" / "extra" / "models.py"

    @property
    def service(self) -> Path:
        return self.folder / "shop" / "service.py"

    def scripts(self, package: str) -> list[Path]:
        """The revision scripts of the feature in the package `package`."""
        return sorted((self.folder / "shop" / package / "migrations").glob("r*.py"))

    def run(self, database_url: str, *command: str, code: int = 0) -> list[str]:
        """Run `inference-core` and return its lines."""
        (lines,) = self.run_all((database_url, command), code=code)
        return lines

    def run_all(self, *commands: tuple[str, Sequence[str]], code: int = 0) -> list[list[str]]:
        """Run commands, each with its database, in one process. Return the lines of each."""
        ended = preloaded.run(
            [sys.executable, "-m", "tests.support.shop_commands", json.dumps(commands)],
            cwd=self.folder,
            env=clean_environment(),
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        results = json.loads(ended.stdout)
        for (url, command), (exit_code, output) in zip(commands, results, strict=True):
            assert exit_code == code, f"{url} {' '.join(command)}: {exit_code}: {output}"
        return [output.splitlines() for _, output in results]

    def replace(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def new_shop(folder: Path) -> Shop:
    """Write the service into a folder."""
    shop = Shop(folder)
    files = {
        "pyproject.toml": PYPROJECT,
        "shop/__init__.py": "",
        "shop/service.py": SERVICE,
        "shop/notes/__init__.py": "",
        "shop/notes/models.py": NOTES,
        "shop/notes/tags.py": TAGS,
        "shop/notes/migrations/__init__.py": '"""The revisions of notes."""\n',
        "shop/extra/__init__.py": "",
        "shop/extra/models.py": EXTRA,
        "shop/extra/migrations/__init__.py": '"""The revisions of extra notes."""\n',
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return shop
