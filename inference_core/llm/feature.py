"""The LLM feature."""

from inference_core.core.feature import Feature, HealthPart, Permission, Queue, Tag

LLM_QUEUE = "llm_tasks"
USE_LLM = "llm:use"

feature = Feature(
    name="llm",
    requires=("accounts", "tasks"),
    settings="inference_core.llm.settings:LLMSettings",
    tags=(Tag("llm", "Answers of language models, as streams and as tasks, with conversations and usage."),),
    hot_routers="inference_core.llm.api.routers:hot_routers",
    routers="inference_core.llm.api.routers:routers",
    models="inference_core.llm.models",
    migrations="inference_core.llm.migrations",
    tasks=("inference_core.llm.tasks",),
    queues=(Queue(LLM_QUEUE, prefix="llm."),),
    lifespan="inference_core.llm.state:open_llm",
    health=(HealthPart("llm", check="inference_core.llm.state:llm_component"),),
    permissions=(Permission(USE_LLM, "Call the LLM routes with an API key."),),
    metrics="inference_core.llm.telemetry:LLMMetrics",
    check="inference_core.llm.config.loader:load_llm_config",
    worker="inference_core.llm.worker.ended_tasks:install",
    purge="inference_core.llm.accounting.purge:purge",
    announce="inference_core.llm.api.routers:announce",
    commands="inference_core.llm.commands:commands",
)
