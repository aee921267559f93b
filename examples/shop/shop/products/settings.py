"""The settings of products."""

from __future__ import annotations

from pydantic import Field

from inference_core.core.settings import Settings


class ProductsSettings(Settings):
    """The limits of products."""

    products_max: int = Field(default=10_000, ge=1, le=1_000_000)
