"""A real sentinel: the primary is found, and found again after a failover."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import redis.sentinel

from once_core.errors import BackendUnavailable, ConfigurationError
from once_redis import RedisBackend
from redis_groups import Sentinel, sentinel, wait_for_copies, wait_until
from redis_server import RedisServer

Group = tuple[Sentinel, RedisServer, RedisServer]


@pytest.fixture
def group() -> Iterator[Group]:
    with sentinel() as group:
        yield group


def granted(backend: RedisBackend, key: str, token: str) -> bool:
    try:
        return backend.acquire(key, token, 60) is not None
    except BackendUnavailable:
        return False


@pytest.mark.parametrize("way", ["url", "client"])
def test_a_failover_is_followed(group: Group, way: str) -> None:
    watching, primary, replica = group
    if way == "url":
        backend = RedisBackend(f"{watching.url}?timeout=1")
    else:
        sentinels: Any = redis.sentinel.Sentinel  # which has no types
        client = sentinels([(watching.host, watching.port)]).master_for("leases")
        backend = RedisBackend(client, timeout=1)
    before = backend.acquire("key", "token", 60)
    assert before
    wait_for_copies(primary, replica)
    watching.be_strict()
    primary.kill()
    with pytest.raises(BackendUnavailable):
        backend.renew("key", "token", 60)
    wait_until(lambda: granted(backend, "new", "token"))

    assert backend.acquire("key", "other", 60) is None
    assert before == backend.acquire("key", "token", 60)
    assert asyncio.run(backend.aio.release("key", "token")) if backend.aio else True
    after = backend.acquire("key", "other", 60)
    assert after is not None
    assert (after.fence or 0) > (before.fence or 0)
    backend.close()
    if way == "client":
        assert client.ping()
        client.close()


def test_a_replica_is_refused_as_a_single_server(group: Group) -> None:
    backend = RedisBackend(group[2].url)

    with pytest.raises(ConfigurationError, match=r"this is a replica.*name the primary"):
        backend.acquire("key", "token", 60)
    backend.close()


def test_a_server_that_was_demoted_is_left(group: Group) -> None:
    watching, _, replica = group
    backend = RedisBackend(watching.url)
    backend.acquire("key", "token", 60)
    with watching.client() as client:
        wait_until(lambda: client.execute_command("SENTINEL FAILOVER", "leases"))  # the replica may not be ready yet
    wait_until(lambda: primary_is(watching, replica.port))
    keys = map(str, count())  # what the old primary grants until it knows is lost
    with replica.client() as client:
        wait_until(lambda: granted(backend, key := next(keys), "token") and client.exists(key))
    backend.close()


def primary_is(watching: Sentinel, port: int) -> bool:
    with watching.client() as client:
        return bool(client.sentinel_masters()["leases"]["port"] == port)


def test_an_unknown_service_is_told(group: Group) -> None:
    backend = RedisBackend(f"redis+sentinel://{group[0].host}:{group[0].port}/other")

    with pytest.raises(ConfigurationError, match=r"knows no service 'other'.*name one that the sentinels watch"):
        backend.acquire("key", "token", 60)
    backend.close()
