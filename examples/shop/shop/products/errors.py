"""The errors of products."""

from __future__ import annotations

from inference_core.core.exceptions import ConflictError, NotFoundError


class ProductNotFoundError(NotFoundError):
    """Raised if there is no such product."""

    code = "product_not_found"
    detail = "There is no such product."


class ProductExistsError(ConflictError):
    """Raised if there is already a product with this SKU."""

    code = "product_exists"
    detail = "There is already a product with this SKU."


class TooManyProductsError(ConflictError):
    """Raised if the shop already has `PRODUCTS_MAX` products."""

    code = "too_many_products"
    detail = "The shop has the largest number of products."
