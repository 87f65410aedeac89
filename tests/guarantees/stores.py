"""The stores that each guarantee is tested on. One store more is one line more in STORES."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from once_core import Backend, Once
from once_core.testing.servers import Server


@dataclass(frozen=True)
class Place:
    """Where a store is, and what can be done to it from outside."""

    url: str
    process_local: bool = False
    embedded: bool = True
    fences: bool = True
    slack: float = 0.0
    """Seconds by which a lease may outlive its ttl."""
    pause: Callable[[], AbstractContextManager[None]] | None = None
    """While it lasts the store answers nothing that changes anything."""
    server: Server | None = None


def memory(folder: Path) -> Place:
    return Place(f"memory://{uuid.uuid4().hex}", process_local=True)


def sqlite(folder: Path) -> Place:
    path = folder / "once.db"

    @contextmanager
    def pause() -> Iterator[None]:
        connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    return Place(f"sqlite:///{path}", pause=pause)


def served(by: Callable[[], type[Server]], *, fences: bool = True, slack: float = 0.0) -> Callable[[Path], Place]:
    """Return what finds a server of that kind: the first test that asks starts it, for all tests of this process."""

    def find(folder: Path) -> Place:
        kind = by()
        server: Any = _running[kind] if kind in _running else _running.setdefault(kind, kind().start())
        return Place(server.url, embedded=False, fences=fences, slack=slack, pause=server.paused, server=server)

    return find


def redis() -> type[Server]:
    from redis_server import RedisServer

    return RedisServer


def memcached() -> type[Server]:
    from memcached_server import MemcachedServer

    return MemcachedServer


def postgresql() -> type[Server]:
    from sql_servers import PostgresServer

    return PostgresServer


def mariadb() -> type[Server]:
    from sql_servers import MariadbServer

    return MariadbServer


STORES: dict[str, Callable[[Path], Place]] = {
    "memory": memory,
    "sqlite": sqlite,
    "redis": served(redis),
    "memcached": served(memcached, fences=False, slack=2.0),
    "postgresql": served(postgresql),
    "mariadb": served(mariadb),
}

_running: dict[type[Server], Server] = {}


def stop_servers() -> None:
    while _running:
        _running.popitem()[1].stop()


class Store:
    """A store under test, with a prefix of its own for each test."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.url = place.url
        self.prefix = f"{uuid.uuid4().hex}:"
        self._opened: list[Once] = []
        self._made: list[Any] = []
        self._onlooker: Backend | None = None

    def once(self, backend: str | Backend | None = None, **settings: Any) -> Once:
        """Return a Once on this store, or on *backend*, that is closed when the test is over."""
        settings.setdefault("prefix", self.prefix)
        settings.setdefault("ttl", 300.0)
        once = Once(backend if backend is not None else self.url, **settings)
        self._opened.append(once)
        return once

    def backend(self) -> Backend:
        """Return a backend made by the plugin, as another program would have one."""
        scheme = self.url.partition("://")[0].partition("+")[0]
        (entry,) = entry_points(group="once_core.backends", name=scheme)
        made: Backend = entry.load().once_offer_backends()[scheme](self.url)
        self._made.append(made)
        return made

    def free_at_once(self, key: str) -> bool:
        """Whether nobody holds *key* now."""
        if self._onlooker is None:
            self._onlooker = self.backend()
        return self._onlooker.holder(self.prefix + key) is None

    def close(self) -> None:
        for once in self._opened:
            once.close()
        for backend in self._made:
            if hasattr(backend, "close"):
                backend.close()

    def needs_processes(self) -> None:
        if self.place.process_local:
            pytest.skip("another process has a store of its own")

    def needs_fences(self) -> None:
        if not self.place.fences:
            pytest.skip("this store promises no fences")

    def needs_server(self) -> Server:
        """Return the server, which a test may end and start again: tests of one process come one by one."""
        if self.place.server is None:
            pytest.skip("this store has no server")
        return self.place.server

    def paused(self) -> AbstractContextManager[None]:
        if self.place.pause is None:
            pytest.skip("this store can't be paused from here")
        return self.place.pause()


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Store]:
    """Yield the store of that name; where its server is missing the test is skipped, or fails if it is required."""
    store = Store(STORES[name](folder))
    try:
        yield store
    finally:
        store.close()
