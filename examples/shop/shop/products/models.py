"""The table of products."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base, UtcDateTime, utc_now

SKU_LENGTH = 40
NAME_LENGTH = 200


class Product(Base):
    """A product. `price_cents` is in the currency of the shop."""

    __tablename__ = "products"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    sku: Mapped[str] = mapped_column(String(SKU_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    price_cents: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
