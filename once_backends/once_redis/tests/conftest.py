"""A server, and a cluster, for all tests of a process: each gets them empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from redis_groups import Node, cluster
from redis_server import RedisServer


@pytest.fixture(scope="session")
def started_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def started_nodes() -> Iterator[list[Node]]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture
def server(started_server: RedisServer) -> RedisServer:
    with started_server.client() as client:
        client.flushall()
    return started_server


@pytest.fixture
def nodes(started_nodes: list[Node]) -> list[Node]:
    for node in started_nodes:
        with node.client() as client:
            client.flushall()
    return started_nodes


@pytest.fixture
def raw(server: RedisServer) -> Iterator[Any]:
    """Another client of the same server."""
    with server.client() as client:
        yield client
