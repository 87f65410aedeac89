"""What a URL, or a client of the user's, says: where the servers are, and how to connect to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import redis.asyncio as redis_asyncio
from redis import Connection, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from once_core.errors import ConfigurationError

from .connections import Connections
from .places import Address, Cluster, OneServer, Place, Primary
from .wire import Wire

TIMEOUT = 5.0
MAX_CONNECTIONS = 50

_SHAPES = (
    "write redis://host:6379/0, redis+unix:///path/to.sock, redis+sentinel://host:26379,host2/service/0 or "
    "redis+cluster://host:6379,host2 - with rediss in place of redis for TLS"
)


@dataclass
class Settings:
    """Everything that is needed to connect. *timeout* is in seconds; *arguments* are redis-py's."""

    name: str
    kind: str
    addresses: list[Address]
    connection_class: Any
    arguments: dict[str, Any]
    service: str = ""
    sentinel_arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    timeout: float = TIMEOUT
    max_connections: int = MAX_CONNECTIONS
    opened: list[Connections] = field(default_factory=list[Connections])

    def place(self) -> Place:
        """Return the place that they describe; nothing is connected yet."""
        if self.kind == "cluster":
            return Cluster(self.addresses, lambda node: self._connections(lambda: self._connection(node)))
        if self.kind == "sentinel":
            sentinels = [self._sentinel(address) for address in self.addresses]
            return OneServer(self._connections(Primary(sentinels, self.service, self._connection)))
        return OneServer(self._connections(lambda: self._connection(*self.addresses)))

    def _connections(self, connect: Callable[[], Wire]) -> Connections:
        connections = Connections(connect, self.max_connections, self.timeout)
        self.opened.append(connections)
        return connections

    def _sentinel(self, address: Address) -> Connections:
        return self._connections(lambda: self._connection(address, **self.sentinel_arguments))

    def _connection(self, address: Address | None = None, **more: Any) -> Wire:
        at = {} if address is None else {"host": address[0], "port": address[1]}
        wire: Wire = self.connection_class(
            **self.arguments
            | at
            | more
            | {
                "socket_timeout": self.timeout,
                "socket_connect_timeout": self.timeout,
                # One question is one attempt: redis-py's own would multiply the time that it may take.
                "retry": Retry(NoBackoff(), 0),
                "retry_on_timeout": False,
                "retry_on_error": [],
                "health_check_interval": 0,
                "decode_responses": False,
                "protocol": 2,
            }
        )
        return wire


def read_url(url: str) -> Settings:
    """Read a URL. Raises ConfigurationError, naming it without its password."""
    scheme, _, rest = url.partition("://")
    security, _, kind = scheme.partition("+")
    rest, _, query = rest.partition("?")
    credentials, _, place = rest.rpartition("@")
    user, colon, password = credentials.partition(":")
    name = f"{scheme}://{user}{':***' if colon else ''}{'@' if credentials else ''}{place}"
    if security not in ("redis", "rediss") or kind not in _KINDS or (security, kind) == ("rediss", "unix"):
        raise ConfigurationError(f"{name!r} is no URL of Redis: {_SHAPES}")
    if "#" in url:
        raise ConfigurationError(f"{name!r}: '#' ends a URL: write it as %23")
    hosts, _, path = place.partition("/")
    arguments: dict[str, Any] = {"username": unquote(user) or None, "password": unquote(password) or None}
    settings = Settings(name, kind, [], SSLConnection if security == "rediss" else Connection, arguments)
    if kind == "unix":
        settings.connection_class = UnixDomainSocketConnection
        arguments["path"] = unquote(f"/{path}")
        path = ""
        if hosts or arguments["path"] == "/":
            raise ConfigurationError(f"{name!r}: a socket's path needs three slashes: {_SHAPES}")
    else:
        settings.addresses = [*_addresses(name, hosts, 26379 if kind == "sentinel" else 6379)]
        if kind == "" and len(settings.addresses) > 1:
            raise ConfigurationError(f"{name!r}: several hosts are sentinels or a cluster: {_SHAPES}")
    if kind == "sentinel":
        service, _, path = path.partition("/")
        settings.service = unquote(service)
        settings.sentinel_arguments = {"db": 0, "username": None, "password": None}
        if not service:
            raise ConfigurationError(f"{name!r}: which service do the sentinels watch? {_SHAPES}")
    _apply(settings, [*([("db", path)] if path else []), *parse_qsl(query, keep_blank_values=True)])
    return settings


def _addresses(name: str, hosts: str, default_port: int) -> Iterable[Address]:
    for host in hosts.split(","):
        try:
            parts = urlsplit(f"//{host}")
            yield parts.hostname or "localhost", parts.port or default_port
        except ValueError as error:
            raise ConfigurationError(f"{name!r}: {host!r} is no host with a port ({error}): {_SHAPES}") from None


def _apply(settings: Settings, options: list[tuple[str, str]]) -> None:
    for option, text in options:
        readers = _OPTIONS | (_TLS_OPTIONS if settings.connection_class is SSLConnection else {})
        if settings.kind == "sentinel":
            readers = readers | _SENTINEL_OPTIONS
        if option not in readers:
            raise ConfigurationError(f"{settings.name!r}: {option!r} is no option here. There are {', '.join(readers)}")
        try:
            value = readers[option](text)
        except ValueError:
            value = None
        if value is None or (settings.kind == "cluster" and option == "db" and value):
            raise ConfigurationError(f"{settings.name!r}: {option} can't be {text!r}: {_WANTED.get(option, 'no such')}")
        if option in ("timeout", "max_connections"):
            setattr(settings, option, value)
        elif option in _SENTINEL_OPTIONS:
            settings.sentinel_arguments[option.removeprefix("sentinel_")] = value
        else:
            settings.arguments[option] = value


def _seconds(text: str) -> float | None:
    return seconds if 0 < (seconds := float(text)) <= 60 else None


def _count(text: str) -> int | None:
    return count if (count := int(text)) > 0 else None


def _number(text: str) -> int | None:
    return number if (number := int(text)) >= 0 else None


def _switch(text: str) -> bool | None:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())


def _requirement(text: str) -> str | None:
    return text if text in ("required", "optional", "none") else None


_KINDS = ("", "unix", "sentinel", "cluster")

_OPTIONS: dict[str, Callable[[str], Any]] = {
    "timeout": _seconds,
    "max_connections": _count,
    "db": _number,
    "username": str,
    "password": str,
    "client_name": str,
}
_SENTINEL_OPTIONS: dict[str, Callable[[str], Any]] = {"sentinel_username": str, "sentinel_password": str}
_TLS_OPTIONS: dict[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_password": str,
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _switch,
}
_WANTED = {
    "timeout": "take seconds, above 0 and up to 60",
    "max_connections": "take a number from 1",
    "db": "take a number from 0; a cluster has 0 only",
    "ssl_cert_reqs": "take required, optional or none",
    "ssl_check_hostname": "take true or false",
}


def read_client(client: Any, timeout: float | None, max_connections: int | None) -> Settings:
    """Take the settings of a client, whose own connections stay its own."""
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
    return Settings(
        name.rstrip(":"),
        kind,
        addresses,
        pool.connection_class,
        arguments,
        timeout=timeout or arguments.get("socket_timeout") or TIMEOUT,
        max_connections=max_connections or MAX_CONNECTIONS,
    )


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
