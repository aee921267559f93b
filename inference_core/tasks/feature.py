"""The tasks feature."""

from inference_core.core.feature import Feature, HealthPart, Permission, Tag

READ_MONITORING = "monitoring:read"
USE_TASKS = "tasks:use"

feature = Feature(
    name="tasks",
    requires=("accounts",),
    settings="inference_core.tasks.settings:TasksSettings",
    tags=(Tag("tasks", "The state of submitted tasks, and of the workers that run them."),),
    hot_routers="inference_core.tasks.router:hot_routers",
    routers="inference_core.tasks.router:router",
    lifespan="inference_core.tasks.state:open_tasks",
    health=(HealthPart("tasks", check="inference_core.tasks.state:tasks_component"),),
    permissions=(
        Permission(READ_MONITORING, "Read the state of the workers and of the tasks that they hold."),
        Permission(USE_TASKS, "Read and cancel the own tasks with an API key."),
    ),
    metrics="inference_core.tasks.telemetry:TaskMetrics",
)
