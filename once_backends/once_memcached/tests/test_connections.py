"""Where the server is, and what comes over a connection to it, or does not."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from memcached_server import MemcachedServer, UnixMemcachedServer
from once_core import Grant
from once_core.errors import BackendUnavailable, ConfigurationError
from once_core.testing.servers import free_port
from once_memcached import MemcachedBackend
from once_memcached.connections import Client


class WithoutCas(MemcachedServer):
    options = ("-C",)


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
        ("memcached://localhost?password=secret", r"password=\*\*\*.*'password' is no option"),
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


@pytest.mark.parametrize("has_poll", [True, False])
def test_a_restart_of_the_server_costs_no_call(
    server: MemcachedServer, key: str, has_poll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_poll:  # as on Windows
        monkeypatch.delattr("select.poll")
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
    backend = MemcachedBackend(f"{server.url}?timeout=1")
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


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """Yield the URL of something that does *serve* with each connection, and then closes it."""

    def accept() -> None:
        with suppress(OSError):  # the end of the test
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"memcached://127.0.0.1:{listener.getsockname()[1]}?timeout=0.5"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (b"-ERR unknown command 'stats'\r\n", "-ERR unknown command 'stats'.*is it a Memcached"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: some\r\n\r\n", "400 Bad Request.*is it a Memcached"),
        (b"\x15\x03\x03\x00\x02\x02\x16\r\n", "is it a Memcached"),
        (b"\x4a\x00\x00\x00\x0a5.5.5-10.11", "timed out"),
        (b"", "closed the connection"),
    ],
    ids=["redis", "http", "tls", "mysql", "nobody"],
)
def test_what_is_no_memcached_is_unavailable_in_time_and_by_what_it_says(answer: bytes, hint: str) -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(answer)
        if answer:
            over.wait(10)

    with listening(serve) as url:
        with pytest.raises(BackendUnavailable, match=hint) as caught:
            MemcachedBackend(url).acquire("key", "token", 30.0)
        over.set()

    assert url in str(caught.value)


def test_an_answer_that_comes_byte_by_byte_is_waited_for(server: MemcachedServer, key: str) -> None:
    def crumble(connection: socket.socket) -> None:
        with socket.create_connection((server.host, server.port)) as behind:
            threading.Thread(target=pass_on, args=(connection, behind), daemon=True).start()
            while data := behind.recv(4096):
                for byte in data:
                    connection.sendall(bytes([byte]))

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    with listening(crumble) as url:
        backend = MemcachedBackend(url)
        assert backend.acquire(key, "token", 60.0)
        assert not backend.acquire(key, "stranger", 60.0)
        assert [True, False] == backend.renew_many([(key, "token", 60.0), (key, "stranger", 60.0)])
        assert backend.release(key, "token")
        assert backend.holder(key) is None
        backend.close()


def test_two_hundred_threads_ask_at_once(backend: MemcachedBackend, key: str) -> None:
    barrier = threading.Barrier(200)

    def ask(number: int) -> bool:
        barrier.wait()
        return backend.acquire(key, f"token-{number}", 60.0) is not None

    with ThreadPoolExecutor(200) as threads:
        granted = list(threads.map(ask, range(200)))

    assert 1 == sum(granted)


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

    def interrupted(client: Client) -> None:
        assert client.sock is not None
        client.sock.sendall(f"get {key}\r\n".encode())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend._connections.ask(interrupted)

    assert backend.renew(key, "token", 60.0)


def test_a_connection_that_is_in_use_when_all_are_closed_is_closed_when_it_comes_back(
    backend: MemcachedBackend, key: str
) -> None:
    def closed_meanwhile(client: Client) -> Client:
        backend.close()
        assert client.sock is not None
        return client

    assert backend._connections.ask(closed_meanwhile).sock is None
    assert backend.acquire(key, "token", 60.0)  # a question opens one anew, and it is kept
    assert backend._connections.ask(lambda client: client) is backend._connections.ask(lambda client: client)
