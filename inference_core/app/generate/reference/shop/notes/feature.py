"""The notes feature."""

from inference_core.core.feature import Feature, Queue

feature = Feature(
    name="notes",
    requires=("accounts", "tasks"),
    settings="shop.notes.settings:NotesSettings",
    routers="shop.notes.router:router",
    models="shop.notes.models",
    migrations="shop.notes.migrations",
    tasks=("shop.notes.tasks",),
    queues=(Queue("notes", prefix="notes."),),
    load_users="users.notes",
)
