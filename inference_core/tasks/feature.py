"""The tasks feature."""

from inference_core.core.feature import Feature, HealthPart

feature = Feature(
    name="tasks",
    requires=("accounts",),
    settings="inference_core.tasks.settings:TasksSettings",
    hot_routers="inference_core.tasks.router:hot_routers",
    routers="inference_core.tasks.router:router",
    lifespan="inference_core.tasks.state:open_tasks",
    health=(HealthPart("tasks", check="inference_core.tasks.state:tasks_component"),),
    metrics="inference_core.tasks.telemetry:TaskMetrics",
)
