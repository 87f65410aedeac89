"""Users, their passwords, and what the README says that they have to be allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from once_core import ConfigurationError
from once_core.errors import BackendUnavailable
from once_redis import RedisBackend
from redis_groups import Node
from redis_server import RedisServer

README = Path(__file__).parents[1] / "README.md"


def use_all_verbs(url: str) -> None:
    backend = RedisBackend(url)
    keys = [f"once:user-{number}" for number in range(20)]
    for key in keys:
        assert backend.acquire(key, "token", 60)
        assert backend.renew(key, "token", 60)
        assert backend.holder(key)
    assert [True] * 20 == backend.renew_many([(key, "token", 60) for key in keys])
    assert {*keys} <= {key for key, _ in backend.holders("once:user-")}
    assert all(backend.release(key, "token") for key in keys)
    backend.close()


def allow(servers: Iterable[RedisServer], name: str, permissions: Iterable[str]) -> None:
    for server in servers:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", name, "reset", "on", "nopass", "~once:*", *permissions)


def permissions() -> tuple[list[str], list[str]]:
    """Return what the README says a user needs with one server, and what besides with a cluster."""
    [(alone, besides)] = re.findall(r"The user needs `(.*?)`, and with a cluster `(.*?)`", _text())
    return alone.split(), besides.split()


def _text() -> str:
    return " ".join(README.read_text("utf-8").split())


def test_a_user_needs_what_the_readme_says_and_no_less(server: RedisServer, raw: Any) -> None:
    needed, _ = permissions()
    place = server.url.removeprefix("redis://")
    allow([server], "least", needed)
    use_all_verbs(f"redis://least:any@{place}")
    allow([server], "selecting", [*needed, "+select"])
    use_all_verbs(f"redis://selecting:any@{place}/1")
    for one in needed:
        raw.flushall()
        raw.script_flush()  # else nobody has to tell them
        allow([server], "less", [other for other in needed if other != one])
        with pytest.raises((ConfigurationError, BackendUnavailable), match=r"let this user GET, SET"):
            use_all_verbs(f"redis://less:any@{place}")


def test_a_user_of_a_cluster_needs_what_the_readme_says(nodes: list[Node]) -> None:
    needed, besides = permissions()
    allow(nodes, "least", needed + besides)
    use_all_verbs(f"redis+cluster://least:any@{nodes[0].host}:{nodes[0].port}")


def test_a_password_may_have_any_character(server: RedisServer, raw: Any) -> None:
    raw.acl_setuser("worker", enabled=True, passwords=["+p@ss/w:rd#sec?ret"], keys=["*"], categories=["+@all"])
    place = server.url.removeprefix("redis://")
    use_all_verbs(f"redis://worker:p%40ss%2Fw%3Ard%23sec%3Fret@{place}")
    use_all_verbs(f"redis://{place}?username=worker&password=p%40ss%2Fw%3Ard%23sec%3Fret")


def test_a_wrong_password_is_told_and_not_shown(server: RedisServer, raw: Any) -> None:
    raw.acl_setuser("worker", enabled=True, passwords=["+right"], keys=["*"], categories=["+@all"])
    backend = RedisBackend(server.url.replace("redis://", "redis://worker:secret@"))
    with pytest.raises(ConfigurationError, match=r"redis://worker:\*\*\*@.*check user and password") as raised:
        backend.acquire("key", "token", 60)

    assert "secret" not in str(raised.value)


def test_a_password_for_a_server_that_has_none_is_left_out(server: RedisServer) -> None:
    backend = RedisBackend(server.url.replace("redis://", "redis://:secret@"))

    with pytest.raises(ConfigurationError, match="leave it out") as raised:
        backend.acquire("key", "token", 60)

    assert "secret" not in str(raised.value)


def test_a_password_that_was_changed_meanwhile_is_unavailable(server: RedisServer, raw: Any) -> None:
    backend = RedisBackend(server.url)
    assert backend.acquire("key", "token", 60)
    raw.config_set("requirepass", "secret")
    raw.client_kill_filter(_type="normal", skipme=True)
    try:
        with pytest.raises(BackendUnavailable, match="check user and password"):
            backend.release("key", "token")
    finally:
        raw.config_set("requirepass", "")
    assert backend.release("key", "token")
    backend.close()
