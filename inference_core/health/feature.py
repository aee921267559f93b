"""The health feature."""

from inference_core.core.feature import Feature

feature = Feature(
    name="health",
    hot_routers="inference_core.health.router:hot_routers",
    metrics="inference_core.health.telemetry:HealthMetrics",
    lifespan="inference_core.health.watch:open_watch",
)
