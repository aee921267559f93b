"""The table of crates."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base


class Crate(Base):
    """A crate."""

    __tablename__ = "crates"

    label: Mapped[str] = mapped_column(String(50), primary_key=True)
    color: Mapped[str] = mapped_column(String(50))
