"""Refuse a Redis Cluster at the start. The keys of one transaction or script can be on different nodes of a cluster."""

from __future__ import annotations

from redis.exceptions import RedisError

from inference_core.core.exceptions import OperatorError
from inference_core.core.loggers import get_logger
from inference_core.core.redis.client import sync_client
from inference_core.core.redis.eviction import named_servers
from inference_core.core.settings import Settings

log = get_logger(__name__)


class ClusterError(OperatorError):
    """Raised if a setting names a Redis Cluster. The text states what to do."""


def refuse_cluster(settings: Settings) -> None:
    """Check each server that the settings name. One that does not respond, or forbids `INFO`, is only logged.

    Raises:
        ClusterError: A server is a node of a Redis Cluster.
    """
    for name, url in named_servers(settings).items():
        try:
            with sync_client(settings, url) as redis:
                info = redis.info("cluster")
        except (RedisError, OSError) as error:
            log.warning("redis_not_checked", server=name, error=type(error).__name__, reason=str(error))
            continue
        if str(info.get("cluster_enabled")) == "1":
            raise ClusterError(
                f"{name}: the server is a Redis Cluster, which is not supported; "
                "use a single server, or Redis Sentinel (sentinel://host1,host2,host3/name-of-the-master)"
            )
