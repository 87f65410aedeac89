"""One connection, and Memcached's text protocol as far as a lease needs it: a few lines go out, a few come back."""

from __future__ import annotations

import encodings.idna  # noqa: F401  # else the first connection imports it: a child that is forked amid that would hang
import select
import socket

from once_core.errors import BackendUnavailable, ConfigurationError

from .url import Place

LINE = b"\r\n"
END = b"END\r\n"

_ANSWERS = (b"END", b"VALUE ", b"STORED", b"NOT_STORED", b"EXISTS", b"NOT_FOUND", b"HD", b"EN", b"STAT ")


class Wire:
    """A connection, for one thread at a time. After any error it has to be closed: the rest of an answer may come."""

    def __init__(self, place: Place) -> None:
        self._name = place.name
        self._socket = _connected(place)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        try:
            self._refuse_a_server_without_cas()
        except BaseException:
            self.close()
            raise

    def ask(self, request: bytes, *, end: bytes = LINE, times: int = 1) -> bytes:
        """Send *request* and return the answer: all until *end* has come so many *times*.

        Raises OSError, and BackendUnavailable for an answer that begins with none of the words which stand for success.
        """
        self._socket.sendall(request)
        answer = b""
        while not (answer.endswith(end) and answer.count(end) >= times):
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("the server closed the connection")
            answer += received
            if LINE in answer and not answer.startswith(_ANSWERS):
                raise BackendUnavailable(
                    f"{self._name} answered {answer.partition(LINE)[0].decode(errors='replace')!r}"
                )
        return answer

    def is_broken(self) -> bool:
        """Whether there is something to read although nothing was asked: that is its end."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        self._socket.close()

    def _refuse_a_server_without_cas(self) -> None:
        try:
            settings = self.ask(b"stats settings\r\n", end=END)
        except BackendUnavailable as error:
            raise BackendUnavailable(f"{error} to `stats settings`: is it a Memcached?") from None
        if b"STAT cas_enabled no\r\n" in settings:
            raise ConfigurationError(
                f"{self._name}: this server was started with -C, without the `cas` that a lease needs to be given back "
                "by its holder alone: start it without -C"
            )


def _connected(place: Place) -> socket.socket:
    if isinstance(place.address, tuple):
        connection = socket.create_connection(place.address, place.timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(place.timeout)
    try:
        connection.connect(place.address)
    except BaseException:
        connection.close()
        raise
    return connection
