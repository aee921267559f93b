"""A feature with a value in every field."""

from inference_core.core.feature import Feature, HealthPart, Periodic, Queue

feature = Feature(
    name="crates",
    requires=("accounts", "tasks"),
    settings="depot.crates.settings:CratesSettings",
    routers="depot.crates.router:routers",
    hot_routers="depot.crates.router:hot_router",
    models="depot.crates.models",
    migrations="depot.crates.migrations",
    tasks=("depot.crates.tasks",),
    queues=(Queue("crates", prefix="crates."),),
    schedule=(Periodic("stack-crates", task="crates.stack", every_s="crates_stack_every_s"),),
    lifespan="depot.crates.state:open_crates",
    health=(
        HealthPart("crates_shelf", check="depot.crates.state:shelf_component"),
        HealthPart("crates_crane", check="depot.crates.state:crane_component"),
    ),
    errors="depot.crates.errors:library_errors",
    metrics="depot.crates.state:CratesMetrics",
    check="depot.crates.settings:check",
    worker="depot.crates.hooks:install",
    purge="depot.crates.hooks:purge",
    commands="depot.crates.commands:commands",
    announce="depot.crates.hooks:announce",
    load_users="suite.crates",
    earlier_revisions={"crates_first": ("crates_0001",)},
)
