"""The features of `inference_core`, and one more."""

from inference_core.core.feature import Service, load_features

service = Service(
    name="depot",
    title="Depot",
    features=load_features(
        "inference_core.health",
        "inference_core.tasks",
        "inference_core.auth",
        "inference_core.mail",
        "inference_core.maintenance",
        "depot.crates",
    ),
)
