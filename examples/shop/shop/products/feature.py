"""The products feature."""

from inference_core.core.feature import Feature, Permission

WRITE = "products:write"

feature = Feature(
    name="products",
    requires=("accounts",),
    settings="shop.products.settings:ProductsSettings",
    routers="shop.products.router:router",
    models="shop.products.models",
    migrations="shop.products.migrations",
    permissions=(Permission(WRITE, "Add products."),),
)
