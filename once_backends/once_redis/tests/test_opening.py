"""What a URL may say, whose client may be given, and how a server that can't be asked is told."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio as redis_asyncio

from once_core import ConfigurationError, Once
from once_core.errors import BackendUnavailable, OnceError
from once_redis import RedisBackend, once_offer_backends
from once_redis.url import read_url
from redis_server import RedisServer

README = Path(__file__).parents[1] / "README.md"


def works(url: str) -> None:
    backend = RedisBackend(url)
    assert backend.acquire("works", "token", 60)
    assert backend.aio is None or asyncio.run(backend.aio.renew("works", "token", 60))
    assert backend.release("works", "token")
    backend.close()


def failure(url: str) -> OnceError:
    backend = RedisBackend(url)
    with pytest.raises(OnceError) as raised:
        backend.acquire("key", "token", 60)
    backend.close()
    assert "secret" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://host?ttl=1", "'ttl' is no option here. There are timeout, max_connections, db"),
        ("redis://host?ssl_ca_certs=x", "'ssl_ca_certs' is no option here"),
        ("redis://host?timeout=0", "timeout can't be '0': take seconds, above 0 and up to 60"),
        ("redis://host?timeout=nan", "timeout can't be 'nan'"),
        ("redis://host?max_connections=none", "max_connections can't be 'none': take a number from 1"),
        ("redis://host/first", "db can't be 'first'"),
        ("redis://host:port", "'host:port' is no host with a port"),
        ("redis://one,two", "several hosts are sentinels or a cluster"),
        ("redis://host#1", "write ? @ # as %3F %40 %23"),
        ("redis://user:pass?word@host", "write ? @ # as %3F %40 %23"),
        ("redis+http://host", "is no URL of Redis: write redis://host:6379/0"),
        ("rediss+unix:///path", "is no URL of Redis"),
        ("redis+unix://path", "a socket's path needs three slashes"),
        ("redis+sentinel://host", "which service do the sentinels watch?"),
        ("redis+cluster://host/1", "a cluster has 0 only"),
        ("rediss://host?ssl_cert_reqs=perhaps", "take required, optional or none"),
        ("rediss://host?ssl_ca_certs=missing.pem", "ssl_ca_certs can't be 'missing.pem': there is no such file"),
    ],
)
def test_a_url_that_can_not_be_meant_is_refused(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        RedisBackend(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(ConfigurationError) as raised:
        RedisBackend("redis://user:secret@host?password=secret&ttl=1")

    assert "redis://user:***@host" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(read_url("redis://user:secret@host"))


def test_both_schemes_are_offered() -> None:
    assert {"redis", "rediss"} == set(once_offer_backends())


def test_a_unix_socket_will_do(server: RedisServer) -> None:
    works(server.socket_url)
    works(f"{server.socket_url}?db=3")


def test_databases_are_apart(server: RedisServer) -> None:
    one, two = RedisBackend(f"{server.url}/1"), RedisBackend(f"{server.url}?db=2")
    assert one.acquire("database", "token", 60)

    assert two.holder("database") is None
    assert one.release("database", "token")
    for backend in (one, two):
        backend.close()


@pytest.mark.parametrize("decode", [False, True])
def test_a_clients_settings_are_taken_and_its_connections_left_alone(server: RedisServer, decode: bool) -> None:
    with redis.Redis(port=server.port, db=5, decode_responses=decode) as client:
        assert client.ping()
        backend = RedisBackend(client)
        assert backend.acquire("client", "token", 60)
        assert [] == [*RedisBackend(server.url).holders("client")]
        assert backend.release("client", "token")
        backend.close()

        assert client.ping()


def test_an_asynchronous_client_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"give it the redis\.Redis of the same settings"):
        RedisBackend(redis_asyncio.Redis())  # type: ignore[arg-type]  # as a caller without a type checker may


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": 61}, {"max_connections": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"(timeout|max_connections) can't be '\d+': take"):
        RedisBackend(redis.Redis(), **wrong)


def test_something_else_is_refused() -> None:
    client: Any = object()
    with pytest.raises(ConfigurationError, match=r"was given a object: give it a URL"):
        RedisBackend(client)


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://user:secret@127.0.0.1:{listener.getsockname()[1]}"
    error = failure(url)

    assert isinstance(error, BackendUnavailable)
    assert url.replace("secret", "***") in str(error)


def test_a_host_that_has_no_address_is_unavailable() -> None:
    assert isinstance(failure("redis://no.such.host.invalid"), BackendUnavailable)


def test_a_server_that_never_answers_is_unavailable_within_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(f"redis://127.0.0.1:{listener.getsockname()[1]}?timeout=0.2")

    assert isinstance(error, BackendUnavailable)


def test_a_wrong_database_is_told(server: RedisServer) -> None:
    error = failure(f"{server.url}/99")

    assert isinstance(error, ConfigurationError)
    assert "the server has no such database" in str(error)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("redis+cluster", "this is no cluster: write redis://"),
        ("redis+sentinel", "this is no sentinel: write redis://"),
    ],
)
def test_a_single_server_is_no_group(server: RedisServer, kind: str, advice: str) -> None:
    error = failure(f"{server.url.replace('redis', kind, 1)}{'/leases' if 'sentinel' in kind else ''}")

    assert isinstance(error, ConfigurationError)
    assert advice in str(error)


def test_a_full_server_is_unavailable(server: RedisServer, raw: Any) -> None:
    raw.config_set("maxmemory", "1")
    try:
        error = failure(server.url)
    finally:
        raw.config_set("maxmemory", "0")

    assert isinstance(error, BackendUnavailable)
    assert "memory is full" in str(error)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """Yield the TLS URL of a server, its plain URL, and the authority's certificate."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    files = ("--tls-cert-file", f"{folder}/cert.pem", "--tls-key-file", f"{folder}/key.pem")
    with RedisServer("--tls-port", port, *files, "--tls-auth-clients", "no") as server:
        yield f"rediss://127.0.0.1:{port}", server.url, f"{folder}/cert.pem"


def test_tls(tls: tuple[str, str, str]) -> None:
    secure, _, certificate = tls

    works(f"{secure}?ssl_ca_certs={certificate}")
    works(f"{secure}?ssl_cert_reqs=none")
    works(f"{secure}?ssl_cert_reqs=none&ssl_check_hostname=true")


def test_a_certificate_for_another_host_is_refused(tls: tuple[str, str, str]) -> None:
    secure, _, certificate = tls
    elsewhere = f"{secure.replace('127.0.0.1', '127.1')}?ssl_ca_certs={certificate}"  # the same place by another name

    assert "CERTIFICATE_VERIFY_FAILED" in str(failure(elsewhere))
    works(f"{elsewhere}&ssl_check_hostname=no")


def test_a_certificate_that_is_not_trusted_is_told(tls: tuple[str, str, str]) -> None:
    assert "name the authority's by ssl_ca_certs=" in str(failure(tls[0]))


def test_tls_at_a_plain_port_and_the_other_way_round(tls: tuple[str, str, str]) -> None:
    secure, plain, _ = tls

    assert "does not speak TLS at this port" in str(failure(f"{plain.replace('redis:', 'rediss:')}?timeout=1"))
    assert "then write rediss://" in str(failure(f"{secure.replace('rediss:', 'redis:')}?timeout=1"))


def test_the_readme_runs(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)

    exec(code.replace("redis://localhost:6379", server.url), {"__name__": "readme"})
    Once(server.url).close()
