"""What users do with products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shop.products.errors import ProductNotFoundError, TooManyProductsError
from shop.products.models import Product
from shop.products.repository import ProductRepository


@dataclass(frozen=True, slots=True)
class ProductService:
    """The products, in the session of one request. `most` is the largest number of them."""

    stored: ProductRepository
    most: int

    async def add(self, sku: str, name: str, price_cents: int) -> Product:
        """Add a product.

        Two requests at once can both pass the limit, so it is a protection and not an exact number.

        Raises:
            ProductExistsError: There is already a product with this SKU.
            TooManyProductsError: The shop has the largest number of products.
        """
        if await self.stored.count() >= self.most:
            raise TooManyProductsError
        return await self.stored.add(sku, name, price_cents)

    async def read(self, sku: str) -> Product:
        """Return the product with this SKU.

        Raises:
            ProductNotFoundError: There is none.
        """
        found = await self.stored.find(sku)
        if found is None:
            raise ProductNotFoundError
        return found

    async def page(self, offset: int, limit: int) -> tuple[Sequence[Product], int]:
        """Return a page of products, and the number of all of them."""
        return await self.stored.page(offset, limit), await self.stored.count()
