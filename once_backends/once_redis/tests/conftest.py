"""A server, and a cluster, for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from redis_groups import Node, cluster
from redis_server import RedisServer


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def nodes() -> Iterator[list[Node]]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture
def raw(server: RedisServer) -> Iterator[Any]:
    """Another client of the same server, which is empty."""
    with server.client() as client:
        client.flushall()
        yield client
