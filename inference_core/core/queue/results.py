"""The result store of Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.backends.redis import RedisBackend

from inference_core.core.redis.client import sync_pool

if TYPE_CHECKING:
    from redis import ConnectionPool


class Results(RedisBackend):  # type: ignore[misc]  # Celery ships no types
    """A store whose connections lead to the current master, like those of the other clients of the service.

    Celery's own classes keep the connection to a server that has become a replica. The one for Sentinel sets no
    timeouts for calls to Sentinels, and no TLS.
    """

    def _get_pool(self, **options: Any) -> ConnectionPool:
        settings = self.app.settings
        return sync_pool(settings, settings.result_backend, **options)
