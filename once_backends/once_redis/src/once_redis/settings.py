"""Where the servers are, and how to connect to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from .connections import Connections
from .failures import Address
from .places import Cluster, OneServer, Place, Primary
from .wire import Wire

TIMEOUT = 5.0
MAX_CONNECTIONS = 50


@dataclass
class Settings:
    """Everything that is needed to connect. *timeout* is in seconds; *arguments* are redis-py's."""

    name: str
    kind: str
    addresses: list[Address]
    connection_class: Any
    arguments: dict[str, Any] = field(repr=False)  # with the password
    service: str = ""
    sentinel_arguments: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
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
