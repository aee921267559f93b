"""The requests and responses of the routes of products."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shop.products.models import NAME_LENGTH, SKU_LENGTH

MAX_PRICE_CENTS = 100_000_000

Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]+$", max_length=SKU_LENGTH)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)]


class ProductData(BaseModel):
    """A product."""

    model_config = ConfigDict(from_attributes=True)

    sku: Sku
    name: Name
    price_cents: Annotated[int, Field(ge=0, le=MAX_PRICE_CENTS)]


class ProductPage(BaseModel):
    """A page of products, by SKU, and the number of all of them."""

    items: list[ProductData]
    total: int
