"""The stores that each guarantee is tested on. One store more is one line more in STORES."""

from __future__ import annotations

import os
import signal
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


class Missing(Exception):
    """There is no such server here."""


@dataclass(frozen=True)
class Place:
    """Where a store is, and what can be done to it from outside."""

    url: str
    process_local: bool = False
    fences: bool = True
    slack: float = 0.0
    """Seconds by which a lease may outlive its ttl."""
    pause: Callable[[], AbstractContextManager[None]] | None = None
    """While it lasts the store answers nothing that changes anything."""


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


def server(variable: str, *, fences: bool = True, slack: float = 0.0) -> Callable[[Path], Place]:
    """Return what finds a running server: its URL in the environment's *variable*, its process in `<variable>_PID`."""

    def find(folder: Path) -> Place:
        url, pid = os.environ.get(variable), os.environ.get(f"{variable}_PID")
        if not url:
            raise Missing(f"set {variable} to the URL of a server")

        @contextmanager
        def pause() -> Iterator[None]:
            os.kill(int(pid or 0), signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(int(pid or 0), signal.SIGCONT)

        return Place(url, fences=fences, slack=slack, pause=pause if pid else None)

    return find


STORES: dict[str, Callable[[Path], Place]] = {
    "memory": memory,
    "sqlite": sqlite,
}


class Store:
    """A store under test, with a prefix of its own for each test."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.url = place.url
        self.prefix = f"{uuid.uuid4().hex}:"
        self._opened: list[Once] = []

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
        return made

    def free_at_once(self, key: str) -> bool:
        """Whether nobody holds *key* now."""
        return self.backend().holder(self.prefix + key) is None

    def close(self) -> None:
        for once in self._opened:
            once.close()

    def needs_processes(self) -> None:
        if self.place.process_local:
            pytest.skip("another process has a store of its own")

    def needs_fences(self) -> None:
        if not self.place.fences:
            pytest.skip("this store promises no fences")

    def paused(self) -> AbstractContextManager[None]:
        if self.place.pause is None:
            pytest.skip("this store can't be paused from here")
        return self.place.pause()


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Store]:
    """Yield the store of that name; skip the test, or fail it if servers are required, where it is missing."""
    try:
        store = Store(STORES[name](folder))
    except Missing as missing:
        if os.environ.get("ONCE_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name}: {missing}")
        pytest.skip(f"{name}: {missing}")
    try:
        yield store
    finally:
        store.close()
