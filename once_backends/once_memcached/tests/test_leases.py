"""What is peculiar to leases in Memcached: names, whole seconds, and a server that forgets."""

from __future__ import annotations

from contextlib import closing
from time import monotonic, sleep

import pymemcache  # type: ignore[import-untyped]  # it ships no types
import pytest

from memcached_server import MemcachedServer
from once_core import Grant
from once_core.errors import BackendUnavailable, ConfigurationError
from once_memcached import MemcachedBackend
from once_memcached.backend import _name


class Small(MemcachedServer):
    options = ("-m", "2", "-M")


@pytest.mark.parametrize("ttl", [30 * 24 * 3600, 90 * 24 * 3600, 1e300])
def test_a_ttl_that_memcached_takes_for_a_date_is_refused(backend: MemcachedBackend, key: str, ttl: float) -> None:
    with pytest.raises(ConfigurationError, match=r"memcached://127.*over 30 days"):
        backend.acquire(key, "token", ttl)

    assert backend.holder(key) is None


def test_a_ttl_of_almost_thirty_days_is_kept(backend: MemcachedBackend, key: str) -> None:
    assert backend.acquire(key, "token", 30 * 24 * 3600 - 1)

    holder = backend.holder(key)
    assert holder is not None
    assert holder.remaining is not None
    assert holder.remaining > 30 * 24 * 3600 - 60


def test_a_lease_of_a_fraction_of_a_second_is_never_let_go_early(
    server: MemcachedServer, backend: MemcachedBackend, key: str
) -> None:
    def server_clock() -> int:
        with closing(pymemcache.Client((server.host, server.port), timeout=3)) as client:
            return int(client.stats()[b"uptime"])

    for number in range(20):  # at different moments of the server's second
        before, asked = server_clock(), monotonic()
        assert backend.acquire(f"{key}-{number}", "token", 0.3)
        sleep(0.05 * (number % 5))
        held = backend.holder(f"{key}-{number}")
        late = monotonic() > asked + 0.3
        stood_still = server_clock() > before + 1  # the server did, on a busy machine: see the README
        assert held is not None or late or stood_still


@pytest.mark.parametrize("name", ["key", "k" * 250, "a~b", "~" + "0" * 63])
def test_a_key_that_memcached_can_take_is_its_own_name(name: str) -> None:
    assert name == _name(name)


def test_no_key_has_the_name_of_another() -> None:
    keys = ["k" * 251, "k" * 252, "a b", "a_b", "a\nb", "\u043a\u043b\u044e\u0447" * 2500, "\ud800", "\ud801", "a\0"]
    keys += [_name(key) for key in keys]

    names = [_name(key) for key in keys]

    assert len(set(keys)) == len(set(names))
    assert max(map(len, names)) <= 250
    assert all("!" <= char <= "~" for name in names for char in name)


def test_an_answer_that_was_lost_is_asked_for_again_and_lengthened(backend: MemcachedBackend, key: str) -> None:
    assert backend.acquire(key, "token", 2.0)

    assert Grant() == backend.acquire(key, "token", 60.0)

    holder = backend.holder(key)
    assert holder is not None
    assert holder.remaining is not None
    assert holder.remaining > 30


def test_a_number_that_was_right_before_a_restart_frees_nobody_elses_key(server: MemcachedServer, key: str) -> None:
    backend = MemcachedBackend(server.url)
    assert backend.acquire(key, "before", 60.0)
    server.restart()
    assert backend.acquire(key, "after", 60.0)

    assert not backend.release(key, "before")
    assert not backend.renew(key, "before", 60.0)

    holder = backend.holder(key)
    assert holder is not None
    assert "after" == holder.token
    backend.close()


@pytest.mark.parametrize(
    "token", ["END", "STORED", "a\r\nEND\r\n", '"', "", "\u043a\u043b\u044e\u0447", "\ud800", "\\"]
)
def test_a_token_may_be_any_text(backend: MemcachedBackend, key: str, token: str) -> None:
    assert backend.acquire(key, token, 60.0)

    assert backend.acquire(key, token, 60.0)
    assert not backend.acquire(key, token + token + "another", 60.0)
    assert [True] == backend.renew_many([(key, token, 60.0)])
    holder = backend.holder(key)
    assert holder is not None
    assert token == holder.token
    assert backend.release(key, token)


def test_a_full_server_that_evicts_nothing_is_unavailable() -> None:
    def fill(server: Small) -> None:
        with closing(pymemcache.Client((server.host, server.port), timeout=3)) as client:
            for number in range(1000):
                client.set(f"filler-{number}", b"x" * 100_000, noreply=False)

    def take(backend: MemcachedBackend) -> None:
        for number in range(20_000):
            backend.acquire(f"key-{number}", "token", 60.0)

    with Small() as server:
        with pytest.raises(pymemcache.MemcacheServerError, match="out of memory"):
            fill(server)
        backend = MemcachedBackend(server.url)
        with pytest.raises(BackendUnavailable, match="out of memory"):
            take(backend)
        backend.close()


def test_many_leases_are_renewed_by_few_questions(backend: MemcachedBackend, key: str) -> None:
    leases = [(f"{key}-{number}", f"token-{number}", 60.0) for number in range(1000)]
    for name, token, ttl in leases[10:]:
        assert backend.acquire(name, token, ttl)
    assert backend.acquire(leases[0][0], "another", 60.0)

    answers = backend.renew_many([*leases, leases[500]])

    assert [False] * 10 + [True] * 991 == answers
    holder = backend.holder(leases[0][0])
    assert holder is not None
    assert "another" == holder.token


def test_a_batch_with_a_server_that_went_away_is_unavailable(server: MemcachedServer, key: str) -> None:
    backend = MemcachedBackend(f"{server.url}?timeout=1")
    assert backend.acquire(key, "token", 60.0)

    with server.paused(), pytest.raises(BackendUnavailable):
        backend.renew_many([(key, "token", 60.0)])
    backend.close()
