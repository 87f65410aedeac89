"""What a client of the user's says: its settings are taken, its connections are left alone."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio as redis_asyncio

from once_core.errors import ConfigurationError

from .failures import Address
from .settings import TIMEOUT, Settings


def read_client(client: Any) -> Settings:
    """Read a client. Raises ConfigurationError for one that can't serve."""
    if isinstance(client, redis_asyncio.Redis | redis_asyncio.RedisCluster):
        raise ConfigurationError(
            "RedisBackend was given a client of redis.asyncio: give it the redis.Redis of the same settings, or the "
            "URL. Coroutines are served by it, too"
        )
    addresses: list[Address] = []
    if isinstance(client, redis.RedisCluster):
        cluster: Any = client  # redis-py does not type all of it
        nodes = cluster.get_nodes()
        addresses = [(node.host, node.port) for node in nodes]
        pool: Any = cluster.get_redis_connection(nodes[0]).connection_pool
        kind, name = "cluster", f"redis+cluster://{','.join(f'{host}:{port}' for host, port in addresses)}"
    elif isinstance(client, redis.Redis):
        pool = client.connection_pool
        told = pool.connection_kwargs
        kind = ""
        name = f"redis client of {told.get('path') or told.get('host', 'a sentinel')}:{told.get('port', '')}"
    else:
        raise ConfigurationError(
            f"RedisBackend was given a {type(client).__name__}: give it a URL, a redis.Redis or a redis.RedisCluster"
        )
    arguments = {name: value for name, value in pool.connection_kwargs.items() if name not in _OF_POOLS}
    if kind == "cluster":
        arguments.pop("redis_connect_func", None)  # the cluster's own
    timeout = arguments.get("socket_timeout") or TIMEOUT
    return Settings(name.rstrip(":"), kind, addresses, pool.connection_class, arguments, timeout=timeout)


_OF_POOLS = {  # what redis-py's pools keep among the arguments for their connections
    "maint_notifications_config",
    "maint_notifications_pool_handler",
    "oss_cluster_maint_notifications_handler",
    "himport_registry",
    "event_dispatcher",
    "orig_host_address",
    "orig_socket_timeout",
    "orig_socket_connect_timeout",
}
