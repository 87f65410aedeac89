"""The server that the tests share, and a backend on it."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from memcached_server import MemcachedServer
from once_memcached import MemcachedBackend


@pytest.fixture(scope="session")
def server() -> Iterator[MemcachedServer]:
    with MemcachedServer() as server:
        yield server


@pytest.fixture
def backend(server: MemcachedServer) -> Iterator[MemcachedBackend]:
    backend = MemcachedBackend(server.url)
    yield backend
    backend.close()


@pytest.fixture
def key() -> str:
    return f"key-{monotonic()}"
