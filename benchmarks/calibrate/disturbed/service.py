"""The built-in service with the feature of this package."""

from inference_core.core.feature import Service, load_features

service = Service(
    name="disturbed",
    title="Disturbed",
    features=load_features(
        "inference_core.health",
        "inference_core.tasks",
        "inference_core.auth",
        "inference_core.mail",
        "inference_core.maintenance",
        "benchmarks.calibrate.disturbed",
    ),
)
