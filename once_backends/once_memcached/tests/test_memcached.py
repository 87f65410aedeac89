"""What is peculiar to Memcached: names, whole seconds, a server that forgets, and one that has no `cas`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from pymemcache import Client  # type: ignore[import-untyped]  # it ships no types

from memcached_server import MemcachedServer, UnixMemcachedServer
from once_core import Grant
from once_core.errors import BackendUnavailable, ConfigurationError
from once_core.testing.servers import free_port
from once_memcached import MemcachedBackend
from once_memcached.backend import _name


class WithoutCas(MemcachedServer):
    options = ("-C",)


class Small(MemcachedServer):
    options = ("-m", "2", "-M")


@pytest.fixture
def backend(server: MemcachedServer) -> Iterator[MemcachedBackend]:
    backend = MemcachedBackend(server.url)
    yield backend
    backend.close()


@pytest.fixture
def key() -> str:
    return f"key-{monotonic()}"


def test_a_server_at_a_unix_socket_is_reached() -> None:
    with UnixMemcachedServer() as server:
        backend = MemcachedBackend(server.url)

        assert Grant() == backend.acquire("key", "token", 30.0)
        assert backend.release("key", "token")
        backend.close()


def test_a_server_without_cas_is_refused_with_the_reason_before_it_is_asked_for_anything() -> None:
    with WithoutCas() as server:
        backend = MemcachedBackend(server.url)

        with pytest.raises(ConfigurationError, match="without -C"):
            backend.acquire("key", "token", 30.0)

        with pytest.raises(ConfigurationError, match="started with -C"):
            backend.holder("key")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("memcached://one,two", "name one server"),
        ("memcached://one:11211,two:11211", "name one server"),
        ("memcached://user:secret@localhost", r"user:\*\*\*@localhost.*no users and passwords"),
        ("memcached://", "is no place"),
        ("memcached://localhost/1", "is no place"),
        ("memcached://localhost:port", "memcached://localhost:11211"),
        ("memcached+tls://localhost", "is no place"),
        ("memcached+unix://", "is no place"),
        ("memcached://localhost?timout=1", "'timout' is no option: there is timeout"),
        ("memcached://localhost?timeout=", "no time to wait"),
        ("memcached://localhost?timeout=0", "no time to wait"),
        ("memcached://localhost?timeout=nan", "no time to wait"),
        ("memcached://localhost?timeout=61", "up to 60"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_at_once(url: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as caught:
        MemcachedBackend(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("ttl", [30 * 24 * 3600, 90 * 24 * 3600, 1e300])
def test_a_ttl_that_memcached_takes_for_a_date_is_refused(backend: MemcachedBackend, key: str, ttl: float) -> None:
    with pytest.raises(ConfigurationError, match="over 30 days"):
        backend.acquire(key, "token", ttl)

    assert backend.holder(key) is None


def test_a_ttl_of_almost_thirty_days_is_kept(backend: MemcachedBackend, key: str) -> None:
    assert backend.acquire(key, "token", 30 * 24 * 3600 - 1)

    holder = backend.holder(key)
    assert holder is not None
    assert holder.remaining is not None
    assert holder.remaining > 30 * 24 * 3600 - 60


def test_a_lease_of_a_fraction_of_a_second_is_never_let_go_early(backend: MemcachedBackend, key: str) -> None:
    for number in range(20):  # at different moments of the server's second
        asked = monotonic()
        assert backend.acquire(f"{key}-{number}", "token", 0.3)
        sleep(0.05 * (number % 5))
        held = backend.holder(f"{key}-{number}")
        assert held is not None or monotonic() > asked + 0.3


@pytest.mark.parametrize("name", ["key", "k" * 250, "a~b", "~" + "0" * 63])
def test_a_key_that_memcached_can_take_is_its_own_name(name: str) -> None:
    assert name == _name(name)


def test_no_key_has_the_name_of_another() -> None:
    keys = ["k" * 251, "k" * 252, "a b", "a_b", "a\nb", "\u043a\u043b\u044e\u0447" * 2500, "\ud800", "\ud801", "a\0"]
    keys += [_name(key) for key in keys]

    names = [_name(key) for key in keys]

    assert len(set(keys)) == len(set(names))
    assert max(map(len, names)) <= 250
    assert all(name.isascii() and name.isprintable() and " " not in name for name in names)


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


def test_a_restart_of_the_server_costs_no_call(server: MemcachedServer, key: str) -> None:
    backend = MemcachedBackend(server.url)
    with ThreadPoolExecutor(8) as threads:
        barrier = threading.Barrier(8)
        list(threads.map(lambda _: barrier.wait() and backend.holder(key), range(8)))  # several idle connections

    server.restart()

    assert [True] * 8 == [bool(backend.acquire(f"{key}-{number}", "token", 30.0)) for number in range(8)]
    backend.close()


def test_a_server_that_does_not_answer_is_unavailable_and_its_late_answer_is_nobodys(
    server: MemcachedServer, key: str
) -> None:
    backend = MemcachedBackend(f"{server.url}?timeout=0.2")
    assert backend.acquire(key, "token", 60.0)

    with server.paused(), pytest.raises(BackendUnavailable, match="timed out"):
        backend.holder(key)

    assert backend.renew(key, "token", 60.0)
    assert backend.release(key, "token")
    assert backend.holder(key) is None
    backend.close()


def test_a_server_that_is_not_there_is_unavailable_by_its_name() -> None:
    url = f"memcached://127.0.0.1:{free_port()}"

    with pytest.raises(BackendUnavailable, match=url):
        MemcachedBackend(url).acquire("key", "token", 30.0)


def test_a_full_server_that_evicts_nothing_is_unavailable() -> None:
    def fill(server: Small) -> None:
        client = Client((server.host, server.port), default_noreply=False)
        try:
            for number in range(1000):
                client.set(f"filler-{number}", b"x" * 100_000)
        finally:
            client.close()

    def take(backend: MemcachedBackend) -> None:
        for number in range(20_000):
            backend.acquire(f"key-{number}", "token", 60.0)

    with Small() as server:
        with pytest.raises(Exception, match="out of memory"):
            fill(server)
        backend = MemcachedBackend(server.url)
        with pytest.raises(BackendUnavailable, match="out of memory"):
            take(backend)
        backend.close()


def test_two_hundred_threads_ask_at_once(backend: MemcachedBackend, key: str) -> None:
    barrier = threading.Barrier(200)

    def ask(number: int) -> bool:
        barrier.wait()
        return backend.acquire(key, f"token-{number}", 60.0) is not None

    with ThreadPoolExecutor(200) as threads:
        granted = list(threads.map(ask, range(200)))

    assert 1 == sum(granted)


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
    backend = MemcachedBackend(f"{server.url}?timeout=0.2")
    assert backend.acquire(key, "token", 60.0)

    with server.paused(), pytest.raises(BackendUnavailable):
        backend.renew_many([(key, "token", 60.0)])
    backend.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")  # the tests' own threads
def test_a_forked_child_asks_over_a_connection_of_its_own(backend: MemcachedBackend, key: str) -> None:
    assert backend.acquire(key, "token", 60.0)
    child = os.fork()
    if not child:
        answers = [backend.renew(key, "stranger", 60.0) for _ in range(500)]
        os._exit(any(answers))

    answers = [backend.renew(key, "token", 60.0) for _ in range(500)]

    assert 0 == os.waitpid(child, 0)[1]
    assert all(answers)


def test_a_question_that_is_interrupted_leaves_no_answer_for_the_next(backend: MemcachedBackend, key: str) -> None:
    assert backend.acquire(key, "token", 60.0)

    def interrupted() -> None:
        with backend._connections.one() as client:
            assert client.sock is not None
            client.sock.sendall(f"get {key}\r\n".encode())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert backend.renew(key, "token", 60.0)
