"""The built-in service: its name and its features. To leave a feature out, delete its line."""

from inference_core.auth.feature import feature as accounts
from inference_core.core.feature import Service
from inference_core.health.feature import feature as health
from inference_core.llm.feature import feature as llm
from inference_core.mail.feature import feature as mail
from inference_core.maintenance.feature import feature as maintenance
from inference_core.tasks.feature import feature as tasks

service = Service(
    name="inference-core",
    title="Inference Core API",
    description="FastAPI backend: accounts, background tasks, LLM endpoints.",
    # In the order of their routes: the most frequently polled ones first.
    features=(
        health,
        tasks,
        accounts,
        llm,
        mail,
        maintenance,
    ),
)
