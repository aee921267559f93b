"""The dependencies of the routes of products."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.state import SettingsDep
from shop.products.repository import ProductRepository
from shop.products.service import ProductService
from shop.products.settings import ProductsSettings


async def get_products(session: SessionDep, settings: SettingsDep) -> ProductService:
    """Return the products, for routes that change some."""
    return ProductService(ProductRepository(session), settings.of(ProductsSettings).products_max)


async def get_read_only_products(session: ReadSessionDep, settings: SettingsDep) -> ProductService:
    """Return the products, for routes that only read."""
    return ProductService(ProductRepository(session), settings.of(ProductsSettings).products_max)


ProductsDep = Annotated[ProductService, Depends(get_products)]
ReadOnlyProductsDep = Annotated[ProductService, Depends(get_read_only_products)]
