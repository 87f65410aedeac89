"""Connections to one server: one for each question that is under way, kept for the next."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar, TypeVarTuple, cast

import pymemcache  # type: ignore[import-untyped]  # it ships no types

from once_core.errors import BackendUnavailable, ConfigurationError

from .url import Place

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_KEPT = 32


class Client(Protocol):
    """What is asked of pymemcache's client, which is one connection: for one thread at a time."""

    sock: socket.socket | None

    def add(self, key: str, value: bytes, expire: int, noreply: bool) -> bool: ...
    def gets(self, key: str) -> tuple[bytes | None, bytes]: ...
    def gets_many(self, keys: Sequence[str]) -> Mapping[str, tuple[bytes, bytes]]: ...
    def cas(self, key: str, value: bytes, cas: bytes, expire: int, noreply: bool) -> bool | None: ...
    def raw_command(self, command: str) -> bytes: ...
    def stats(self, about: str) -> Mapping[bytes, object]: ...
    def close(self) -> None: ...


class Connections:
    """Lends connections to whoever asks something."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.name = place.name
        self._pid = os.getpid()
        # Its methods are atomic: there is no lock that a signal handler or a fork could leave locked.
        self._idle: deque[Client] = deque()
        self._is_closed = False

    def ask(self, question: Callable[[Client, *Ts], T], *about: *Ts) -> T:
        """Return what *question* returns, lending it a connection. Raise BackendUnavailable if that breaks."""
        client: Client | None = None
        self._is_closed = False
        try:
            client = self._kept() or self._opened()
            answer = question(client, *about)
        except BaseException as error:  # be it a signal's: the rest of an answer would be taken for the next one
            if client is not None:
                client.close()
            if isinstance(error, (pymemcache.MemcacheError, OSError)):
                raise BackendUnavailable(f"{self.name}: {_told(error)}") from error
            raise
        if len(self._idle) < _KEPT:
            self._idle.append(client)
        else:
            client.close()
        if self._is_closed:  # meanwhile
            self.close()
        return answer

    def close(self) -> None:
        """Close the connections, and those in use when they come back; the next question opens one anew."""
        self._is_closed = True
        self._drop()

    def __del__(self) -> None:
        with suppress(Exception):  # whatever is left of it when the interpreter ends
            self.close()

    def _drop(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _kept(self) -> Client | None:
        """Return an idle connection that the server has not closed, as it does when it restarts."""
        if self._pid != os.getpid():  # forked: this closes the child's copies, and the parent goes on with its own
            self._drop()
            self._pid = os.getpid()
        try:
            while _is_broken((client := self._idle.pop()).sock):
                client.close()
        except IndexError:
            return None
        return client

    def _opened(self) -> Client:
        place = self._place
        made = pymemcache.Client(place.address, connect_timeout=place.timeout, timeout=place.timeout, no_delay=True)
        client = cast("Client", made)
        try:
            self._refuse_a_server_without_cas(client)
        except BaseException:
            client.close()
            raise
        return client

    def _refuse_a_server_without_cas(self, client: Client) -> None:
        try:
            settings = client.stats("settings")
        except (pymemcache.MemcacheError, OSError) as error:
            hint = "is it a Memcached, and does it run?"
            raise BackendUnavailable(f"{self.name}: {_told(error)}: {hint}") from error
        if settings.get(b"cas_enabled") in (b"no", False):
            raise ConfigurationError(
                f"{self.name}: this server was started with -C, without the `cas` that a lease needs to be "
                "given back by its holder alone: start it without -C"
            )


def _told(error: Exception) -> str:
    if isinstance(error, pymemcache.MemcacheUnexpectedCloseError):
        return "the server closed the connection"
    text = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error)
    return text.decode(errors="replace") if isinstance(text, bytes) else text or type(error).__name__


def _is_broken(connection: socket.socket | None) -> bool:
    """Whether an idle connection has something to read: that is its end, as nothing was asked."""
    if connection is None:
        return True
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
