"""The server that the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memcached_server import MemcachedServer


@pytest.fixture(scope="session")
def server() -> Iterator[MemcachedServer]:
    with MemcachedServer() as server:
        yield server
