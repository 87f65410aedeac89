"""What is Redis' own about the leases: what is stored, lost replies, restarts, scripts that are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import pytest

from once_core import Grant, Holder, Once
from once_core.errors import BackendUnavailable
from once_redis import RedisBackend
from once_redis.wire import socket_of
from redis_groups import wait_until
from redis_proxy import Proxy
from redis_server import RedisServer


@pytest.fixture
def backend(server: RedisServer) -> Iterator[RedisBackend]:
    backend = RedisBackend(server.url)
    yield backend
    backend.close()


def fence(grant: Grant | None) -> int:
    assert grant is not None
    assert grant.fence is not None
    return grant.fence


def test_a_lease_is_one_string_with_the_servers_time(backend: RedisBackend, raw: Any) -> None:
    seconds, microseconds = raw.time()
    given = fence(backend.acquire("key", "token", 60))

    assert f"{given} token".encode() == raw.get("key")
    assert seconds * 10**6 + microseconds <= given
    assert [b"key"] == raw.keys()


def test_nothing_is_left_of_a_released_key(backend: RedisBackend, raw: Any) -> None:
    backend.acquire("key", "token", 60)
    backend.release("key", "token")

    assert [] == raw.keys()


def test_a_fence_grows_though_grants_are_microseconds_apart(backend: RedisBackend) -> None:
    fences = []
    for number in range(500):
        fences.append(fence(backend.acquire("key", f"token-{number}", 60)))
        backend.release("key", f"token-{number}")

    assert sorted(set(fences)) == fences


def test_a_ttl_below_a_millisecond_is_rounded_up(backend: RedisBackend) -> None:
    assert backend.acquire("key", "token", 0.0001)


def test_the_longest_ttl_is_held(backend: RedisBackend) -> None:
    assert backend.acquire("key", "token", inf)
    assert backend.acquire("key", "other", 60) is None
    assert [True] == backend.renew_many([("key", "token", inf)])


def test_what_another_program_put_there_is_held_by_it(backend: RedisBackend, raw: Any) -> None:
    raw.set("key", "1")

    assert backend.acquire("key", "1", 60) is None
    assert not backend.renew("key", "1", 60)
    assert not backend.release("key", "1")
    assert Holder("1", None) == backend.holder("key")
    assert b"1" == raw.get("key")


def test_what_is_no_text_is_shown_as_well_as_can_be(backend: RedisBackend, raw: Any) -> None:
    raw.set(b"key\xff", b"\x80value")

    assert [("key\\xff", Holder("\\x80value", None))] == list(backend.holders("key"))


def test_something_that_is_no_string_is_told(backend: RedisBackend, raw: Any) -> None:
    raw.lpush("key", "1")

    with pytest.raises(BackendUnavailable, match=r"choose a prefix of your own"):
        backend.acquire("key", "token", 60)
    assert [] == list(backend.holders("key"))


def test_any_text_is_a_key(backend: RedisBackend) -> None:
    keys = ["half a pair \ud83d", "nul\0", "a*?[b]\\", "ж\n" * 5_000]
    for key in keys:
        assert backend.acquire(key, "token", 60)

    assert set(keys) == {key for key, _ in backend.holders("")}
    assert [True] * 4 == backend.renew_many([(key, "token", 60) for key in keys])


def test_scripts_that_were_flushed_are_told_again(backend: RedisBackend, raw: Any) -> None:
    verbs: list[Callable[[], bool]] = [
        lambda: backend.acquire("key", "token", 60) is not None,
        lambda: backend.renew("key", "token", 60),
        lambda: backend.renew_many([("key", "token", 60)]) == [True],
        lambda: backend.holder("key") is not None,
        lambda: len(list(backend.holders("key"))) == 1,
        lambda: backend.aio is None or asyncio.run(backend.aio.renew("key", "token", 60)),
        lambda: backend.release("key", "token"),
    ]
    for verb in verbs:
        raw.script_flush()
        assert verb()


def test_ten_thousand_leases_are_renewed_and_listed(backend: RedisBackend, raw: Any) -> None:
    leases = [(f"key-{number}", f"token-{number}", 60.0) for number in range(10_000)]
    with raw.pipeline(transaction=False) as pipe:
        for key, token, _ in leases[1:]:
            pipe.set(key, f"1700000000000000 {token}", px=1000 * 60)
        pipe.execute()
    raw.config_resetstat()

    assert [False, *[True] * 9_999] == backend.renew_many(leases)
    assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] <= 51
    assert 9_999 == len(list(backend.holders("key-")))


def test_a_grant_whose_reply_was_lost_is_given_again(server: RedisServer) -> None:
    with Proxy(server.port) as proxy:
        backend = RedisBackend(proxy.url)
        assert backend.acquire("warm", "token", 60)
        proxy.loses_replies = True
        with pytest.raises(BackendUnavailable):
            backend.acquire("key", "token", 60)
        proxy.loses_replies = False
        direct = RedisBackend(server.url)

        assert direct.acquire("key", "other", 60) is None
        assert direct.acquire("key", "token", 60) == backend.acquire("key", "token", 60)
        assert backend.release("key", "token")
        for used in (backend, direct):
            used.close()


def test_a_lost_reply_to_a_coroutine_is_no_answer_either(server: RedisServer) -> None:
    with Proxy(server.port) as proxy:
        backend = RedisBackend(proxy.url)
        aio = backend.aio
        assert aio
        assert asyncio.run(aio.acquire("warm", "token", 60))
        proxy.loses_replies = True
        with pytest.raises(BackendUnavailable):
            asyncio.run(aio.acquire("key", "token", 60))
        proxy.loses_replies = False

        assert backend.holder("key") is not None
        assert asyncio.run(aio.acquire("key", "token", 60))
        assert asyncio.run(aio.release("key", "token"))
        backend.close()


def test_one_question_is_one_attempt(server: RedisServer) -> None:
    with Proxy(server.port) as proxy:
        proxy.loses_replies = True
        backend = RedisBackend(proxy.url)
        with pytest.raises(BackendUnavailable):
            backend.acquire("key", "token", 60)

        assert 1 == proxy.connections


def test_no_fence_goes_back_over_a_restart_without_persistence(backend: RedisBackend, server: RedisServer) -> None:
    first = fence(backend.acquire("key", "token", 60))
    server.restart()

    assert backend.holder("key") is None
    assert fence(backend.acquire("key", "other", 60)) > first


def test_a_run_amid_which_the_server_forgets_all_is_told(backend: RedisBackend, server: RedisServer) -> None:
    once = Once(server.url, ttl=1.5)
    with once.lock("key") as lease:
        server.restart()
        later = fence(backend.acquire("once:key", "another's", 60))
        wait_until(lambda: lease.lost)

    assert later > (lease.fence or 0)
    assert backend.release("once:key", "another's")  # the run that lost it did not
    with once.lock("key"):  # nothing is stuck
        pass
    once.close()


def test_a_connection_that_is_in_use_when_all_are_closed_is_closed_when_it_comes_back(backend: RedisBackend) -> None:
    backend.acquire("key", "token", 60)
    (connections,) = backend._settings.opened
    connection = connections.take()

    backend.close()
    assert socket_of(connection)
    connections.give_back(connection)

    assert socket_of(connection) is None
    assert backend.renew("key", "token", 60)  # a question opens one anew, and it is kept
    kept = connections.take()
    assert socket_of(kept)
    connections.give_back(kept)


def test_a_closed_backend_may_be_used_again(backend: RedisBackend) -> None:
    backend.acquire("key", "token", 60)
    backend.close()
    backend.close()

    assert backend.renew("key", "token", 60)
