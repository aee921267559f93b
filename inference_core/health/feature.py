"""The health feature."""

from inference_core.core.feature import Feature, Tag

feature = Feature(
    name="health",
    tags=(Tag("health", "Whether the service and its dependencies work. Probes answer from memory."),),
    hot_routers="inference_core.health.router:hot_routers",
    metrics="inference_core.health.telemetry:HealthMetrics",
    lifespan="inference_core.health.watch:open_watch",
)
