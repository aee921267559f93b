"""Create the Celery application of a worker."""

from __future__ import annotations

import sys

from celery import signals

from inference_core.core.current_service import current_service
from inference_core.core.feature import Service
from inference_core.core.queue import dead_letters, heartbeat, logs, memory, pool, shutdown, tracing, worker_name
from inference_core.core.queue.app import ServiceCelery, create_celery
from inference_core.core.redis.cluster import ClusterError, refuse_cluster
from inference_core.core.redis.eviction import warn_of_eviction
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings, load_settings


def worker_app(service: Service | None = None) -> ServiceCelery:
    """Return the application for workers. The default service is `current_service()`.

    Raises:
        SettingsError, FeatureError: The settings, the configuration of a feature or a feature itself is not valid.
    """
    service = service or current_service()
    app = create_celery(service, load_settings(settings_class(service)), "worker")
    for _, check in service.load_each("check"):
        check(app.settings)
    tracing.install(app)
    pool.install(app)
    worker_name.install(app)
    memory.install()
    logs.install(app)
    heartbeat.install(app)
    shutdown.install(app)
    dead_letters.install(app)
    for _, install in service.load_each("worker"):
        install(app)
    for feature in service.features:
        feature.load_tasks()
    signals.celeryd_init.connect(lambda **_: _check_redis(app.settings), weak=False)
    signals.worker_ready.connect(lambda **_: warn_of_eviction(app.settings), weak=False)
    return app


def _check_redis(settings: Settings) -> None:
    try:
        refuse_cluster(settings)
    except ClusterError as error:
        sys.exit(str(error))
