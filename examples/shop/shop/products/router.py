"""`/api/v1/products`: the products of the shop."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from inference_core.auth.permissions import requires
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.paths import API_PREFIX
from inference_core.core.problems import responses_for
from shop.products.dependencies import ProductsDep, ReadOnlyProductsDep
from shop.products.errors import ProductExistsError, ProductNotFoundError, TooManyProductsError
from shop.products.feature import WRITE
from shop.products.models import SKU_LENGTH
from shop.products.schemas import ProductData, ProductPage

router = APIRouter(
    prefix=f"{API_PREFIX}/products", tags=["products"], responses=responses_for(DatabaseUnavailableError)
)


@router.get("")
async def list_products(
    products: ReadOnlyProductsDep,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ProductPage:
    """List the products by SKU."""
    rows, total = await products.page(offset, limit)
    return ProductPage(items=[ProductData.model_validate(row) for row in rows], total=total)


@router.get("/{sku}", responses=responses_for(ProductNotFoundError))
async def read_product(sku: Annotated[str, Path(max_length=SKU_LENGTH)], products: ReadOnlyProductsDep) -> ProductData:
    """Return one product."""
    return ProductData.model_validate(await products.read(sku))


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    dependencies=[Depends(requires(WRITE))],
    responses=responses_for(ProductExistsError, TooManyProductsError),
)
async def add_product(product: ProductData, products: ProductsDep) -> ProductData:
    """Add a product. The caller, or the API key, needs the permission `products:write`."""
    return ProductData.model_validate(await products.add(product.sku, product.name, product.price_cents))
