"""Creates the Celery application of a worker."""

from __future__ import annotations

from celery import signals

from inference_core.core.queue import dead_letters, heartbeat, logs, pool, shutdown, tracing, transport
from inference_core.core.queue.app import ServiceCelery, create_celery
from inference_core.core.redis.eviction import warn_of_eviction
from inference_core.core.settings import load_settings
from inference_core.llm import ended_tasks
from inference_core.llm.config.loader import load_llm_config


def worker_app() -> ServiceCelery:
    """Return the application for workers, from the environment and `.env`.

    Raises:
        SettingsError: The settings are invalid.
    """
    app = create_celery(load_settings(), "worker")
    load_llm_config(app.settings)  # an invalid one must stop the start, not the first task
    tracing.install(app)
    pool.install(app)
    logs.install(app)
    transport.install()
    heartbeat.install(app)
    shutdown.install(app)
    dead_letters.install(app)
    ended_tasks.install(app)
    signals.worker_ready.connect(lambda **_: warn_of_eviction(app.settings), weak=False)
    return app
