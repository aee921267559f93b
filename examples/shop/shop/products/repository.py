"""The queries on products. Callers control the transactions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shop.products.errors import ProductExistsError
from shop.products.models import Product


class ProductRepository:
    """The products, in one database session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, sku: str, name: str, price_cents: int) -> Product:
        """Store a new product.

        Raises:
            ProductExistsError: There is already a product with this SKU.
        """
        row = Product(sku=sku, name=name, price_cents=price_cents)
        self._session.add(row)
        try:
            await self._session.flush()
        except IntegrityError as error:
            raise ProductExistsError from error
        return row

    async def find(self, sku: str) -> Product | None:
        """Return the product with this SKU. None if there is none."""
        found: Product | None = await self._session.scalar(select(Product).where(Product.sku == sku))
        return found

    async def page(self, offset: int, limit: int) -> Sequence[Product]:
        """Return a page of products, by SKU."""
        return (await self._session.scalars(select(Product).order_by(Product.sku).offset(offset).limit(limit))).all()

    async def count(self) -> int:
        """Return the number of products."""
        return await self._session.scalar(select(func.count()).select_from(Product)) or 0
