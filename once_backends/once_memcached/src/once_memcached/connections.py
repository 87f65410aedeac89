"""Connections to one server: one for each question that is under way, kept for the next."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, cast
from weakref import WeakSet

import pymemcache  # type: ignore[import-untyped]  # it ships no types

from once_core.errors import BackendUnavailable, ConfigurationError

from .url import Place

_KEPT = 32


class Client(Protocol):
    """What is asked of pymemcache's client."""

    sock: socket.socket | None

    def add(self, key: str, value: bytes, expire: int, noreply: bool) -> bool: ...
    def gets(self, key: str) -> tuple[bytes | None, bytes]: ...
    def gets_many(self, keys: Sequence[str]) -> Mapping[str, tuple[bytes, bytes]]: ...
    def cas(self, key: str, value: bytes, cas: bytes, expire: int, noreply: bool) -> bool | None: ...
    def raw_command(self, command: str) -> bytes: ...
    def stats(self, about: str) -> Mapping[bytes, object]: ...
    def close(self) -> None: ...


class Connections:
    """Lends connections. A client of pymemcache is one connection, and only one thread may use it at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._idle: deque[Client] = (
            deque()
        )  # its methods are atomic: no lock that a signal or a fork could leave locked
        _living.add(self)

    @contextmanager
    def one(self) -> Generator[Client]:
        """Lend a connection. What goes wrong meanwhile is BackendUnavailable, and its end."""
        client: Client | None = None
        try:
            client = self._kept() or self._opened()
            yield client
        except BaseException as error:  # be it a signal's: the rest of an answer would be taken for the next one
            if client is not None:
                client.close()
            if isinstance(error, (pymemcache.MemcacheError, OSError)):
                raise BackendUnavailable(f"{self._place.name}: {error or type(error).__name__}") from error
            raise
        if len(self._idle) < _KEPT:
            self._idle.append(client)
        else:
            client.close()

    def close(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def leave_to_parent(self) -> None:
        """Forget the connections without closing them, as the parent works on with them."""
        _inherited.append(self._idle)
        self._idle = deque()

    def __del__(self) -> None:
        with suppress(Exception):  # whatever is left of it when the interpreter ends
            self.close()

    def _kept(self) -> Client | None:
        with suppress(IndexError):
            while client := self._idle.pop():
                if not _is_broken(client.sock):
                    return client
                client.close()
        return None

    def _opened(self) -> Client:
        place = self._place
        made = pymemcache.Client(place.address, connect_timeout=place.timeout, timeout=place.timeout, no_delay=True)
        client = cast("Client", made)
        try:
            settings = client.stats("settings")
        except BaseException:
            client.close()
            raise
        if settings.get(b"cas_enabled") in (b"no", False):
            client.close()
            raise ConfigurationError(
                f"{place.name}: this server was started with -C, without the `cas` that a lease needs to be given back "
                "by its holder alone: start it without -C"
            )
        return client


def _is_broken(connection: socket.socket | None) -> bool:
    """Whether an idle connection has something to read: that is its end, as nothing was asked."""
    if connection is None:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


_living: WeakSet[Connections] = WeakSet()
_inherited: list[deque[Client]] = []


def _after_fork_in_child() -> None:
    for connections in list(_living):
        connections.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
