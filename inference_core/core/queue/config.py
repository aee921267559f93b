"""The configuration of the Celery applications, a pure function of the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kombu.entity import Queue

from inference_core.core.feature import DEFAULT_QUEUE, FeatureError, Service
from inference_core.core.redis.masters import Masters
from inference_core.core.redis_address import RedisAddress
from inference_core.core.settings import Settings

# A worker that drops its broker connection runs its tasks again, so its timeouts are longer than those of a request.
WORKER_SOCKET_TIMEOUT_S = 10.0
SOFT_LIMIT_SHARE = 0.9


def celery_config(service: Service, settings: Settings, *, is_worker: bool) -> dict[str, Any]:
    """Return the configuration. Workers have longer broker timeouts than clients that only send."""
    return {
        "broker_url": RedisAddress.parse(settings.broker_url).celery_url,
        "result_backend": RedisAddress.parse(settings.result_backend).celery_url,
        **_serialization(),
        **_connection(settings, is_worker=is_worker),
        **_delivery(service, settings),
        **_results(settings, is_worker=is_worker),
        "beat_schedule": _schedule(service, settings),
        "worker_soft_shutdown_timeout": settings.celery_soft_shutdown_s,
        "worker_consumer": "inference_core.core.queue.consumer:Consumer",
        "timezone": "UTC",
        "enable_utc": True,
    }


def _serialization() -> Mapping[str, Any]:
    return {
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
    }


def _connection(settings: Settings, *, is_worker: bool) -> Mapping[str, Any]:
    socket_timeout_s = WORKER_SOCKET_TIMEOUT_S if is_worker else settings.redis_timeout_s
    # Without these transport options, kombu waits endlessly for a broker, even with a retry policy. A worker can wait,
    # but a request cannot.
    bounds = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    return {
        # A broker that refuses writes (a full disk, a replica after a failover) counts as unavailable.
        "broker_channel_error_retry": is_worker,
        "broker_connection_timeout": settings.redis_connect_timeout_s,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None if is_worker else 1,
        "broker_transport_options": {
            "global_keyprefix": settings.key_prefix,
            "socket_connect_timeout": settings.redis_connect_timeout_s,
            "socket_timeout": socket_timeout_s,
            "socket_keepalive": True,
            **_masters(settings),
            "visibility_timeout": settings.celery_visibility_timeout_s,
            # The channels of the application share this list (`core/queue/transport.py`).
            "unanswered": [],
            # Check for messages of crashed workers every ten seconds, instead of at every tenth such check.
            "unacked_restore_throttle": 1,
            # A worker leaves a silent broker after at most twice this time.
            **({"health_check_interval": WORKER_SOCKET_TIMEOUT_S} if is_worker else bounds),
        },
        "redis_socket_connect_timeout": settings.redis_connect_timeout_s,
        "redis_socket_timeout": socket_timeout_s,
        # Celery also passes this option to a local socket, which does not support it.
        "redis_socket_keepalive": not RedisAddress.parse(settings.result_backend).path,
        "task_publish_retry": True,
        "task_publish_retry_policy": bounds,
    }


def _masters(settings: Settings) -> Mapping[str, Any]:
    """Return the option of the transport for Sentinels. Empty for a server."""
    address = RedisAddress.parse(settings.broker_url)
    return {"masters": Masters.of(address, settings.redis_connect_timeout_s)} if address.sentinels else {}


def _delivery(service: Service, settings: Settings) -> Mapping[str, Any]:
    limit_s = settings.celery_task_time_limit_s
    return {
        "task_default_queue": DEFAULT_QUEUE,
        "task_queues": [_queue(name) for name in service.queues],
        "task_routes": _routes(service) if settings.use_dedicated_queues else {},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # A task whose process crashes is sent again with an increased retry count, so a task that always crashes fails
        # after `max_retries`.
        "task_retry_on_worker_lost": True,
        "worker_deduplicate_successful_tasks": True,
        "worker_prefetch_multiplier": 1,
        "task_time_limit": limit_s,
        "task_soft_time_limit": limit_s * SOFT_LIMIT_SHARE,
        # The start is recorded in the hash of the task, by the script that decides whether it starts.
        "task_track_started": False,
    }


def _results(settings: Settings, *, is_worker: bool) -> Mapping[str, Any]:
    return {
        "result_expires": settings.celery_result_expires_s,
        # A worker keeps a result until the store accepts it, at most until the task's time limit. Otherwise a finished
        # task would count as failed.
        "result_backend_always_retry": is_worker,
        "result_backend_max_retries": math.inf if is_worker else 0,
        "result_backend_transport_options": {
            "global_keyprefix": settings.key_prefix,
            "additional_connection_errors": ["redis.exceptions.ResponseError"],
        },
    }


def _routes(service: Service) -> Mapping[str, Mapping[str, str]]:
    queues = (queue for feature in service.features for queue in feature.queues)
    return {f"{queue.prefix}*": {"queue": queue.name} for queue in queues}


def _schedule(service: Service, settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Return the schedule of `celery beat`.

    A task that no worker starts before the next one is sent expires, and the next one does its work. Nobody reads the
    results, so they are not stored. Otherwise Celery would subscribe to each one and keep two keys for it forever.
    """
    schedule = {}
    for entry in (entry for feature in service.features for entry in feature.schedule):
        if isinstance(entry.every_s, str) and entry.every_s not in type(settings).model_fields:
            raise FeatureError(f"schedule {entry.name}: every_s: there is no setting {entry.every_s}")
        every_s = getattr(settings, entry.every_s) if isinstance(entry.every_s, str) else entry.every_s
        options = {"expires": every_s, "ignore_result": True}
        schedule[entry.name] = {"task": entry.task, "schedule": every_s, "options": options}
    return schedule


def _queue(name: str) -> Queue:
    return Queue(name, routing_key=name)  # type: ignore[no-untyped-call]  # kombu is typed in part
