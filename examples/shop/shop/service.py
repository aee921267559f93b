"""The shop: its name and its features. To leave a feature out, delete its line."""

from inference_core.core.feature import Service, load_features

service = Service(
    name="shop",
    title="Shop API",
    description="The products of a shop.",
    # In the order of their routes: the most frequently requested ones first.
    features=load_features(
        "inference_core.health",
        "shop.products",
        "inference_core.auth",
        "inference_core.mail",
        "inference_core.maintenance",
    ),
)
