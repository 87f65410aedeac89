"""What is used of redis-py's connections, which have no types of their own: the same in its releases 5 to 8."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Protocol


class Wire(Protocol):
    """A connection of redis-py: TCP, TLS or unix socket, with user, password and database."""

    _sock: socket.socket | None

    def connect(self) -> None:
        """Connect, unless connected: hands are shaken, too. Raises RedisError and OSError, as the others do."""

    def can_read(self, timeout: float) -> bool:
        """Whether something has come; raises an error if it is the connection's end."""
        ...

    def send_packed_command(self, command: Sequence[bytes], check_health: bool) -> None:
        """Send packed commands."""

    def read_response(self) -> Any:
        """Wait for one answer and return it, or raise ResponseError."""

    def disconnect(self) -> None:
        """Close the socket. In a forked child it goes on in the parent."""


def socket_of(wire: Wire) -> socket.socket | None:
    """Return the socket, or None when disconnected. `is_connected` is younger than redis-py 5.0."""
    return wire._sock  # pyright: ignore[reportPrivateUsage]  # there is no public way to watch it
