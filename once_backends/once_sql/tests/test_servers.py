"""What is the servers' own about the leases: batches, purges, forks, poolers, durability."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from once_core.errors import ConfigurationError
from once_sql import SqlBackend, mysql, postgresql, url
from sql_servers import MariadbServer, Pgbouncer, PostgresServer, SqlServer

HOUR = 3_600_000


@pytest.fixture
def backend(server: SqlServer) -> Iterator[SqlBackend]:
    backend = SqlBackend(server.url)
    backend.purge()
    yield backend
    backend.close()


def clock(server: SqlServer) -> str:
    return mysql.NOW if isinstance(server, MariadbServer) else postgresql.NOW


def insert(server: SqlServer, keys: str, count: int, expires_at: str, fence: str = "0") -> None:
    """Insert *count* rows whose keys are *keys* and a number, each with a token `token-` and that number."""
    if isinstance(server, MariadbServer):
        number, series = "seq", f"seq_0_to_{count - 1}"
        key, token = f"CONCAT('{keys}', {number})", f"CONCAT('token-', {number})"
    else:
        number, series = "n", f"generate_series(0, {count - 1}) AS n"
        key, token = f"convert_to('{keys}' || {number}, 'UTF8')", f"convert_to('token-' || {number}, 'UTF8')"
    server.say(f"INSERT INTO once_leases SELECT {key}, {token}, {expires_at}, {fence} FROM {series}")


def test_ten_thousand_leases_are_renewed_by_one_statement(
    server: SqlServer, backend: SqlBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(server, "key-", 10_000, f"{clock(server)} + 60000")
    leases = [(f"key-{number}", f"token-{number}", 600.0) for number in range(10_000)]
    asked: list[str] = []
    ask = backend._store.ask

    def counting(statement: Any, parameters: Any) -> list[tuple[Any, ...]]:
        asked.append(statement)
        return ask(statement, parameters)

    monkeypatch.setattr(backend._store, "ask", counting)
    answers = backend.renew_many(leases)

    assert [True] * 10_000 == answers
    assert len(asked) == 1
    assert [(10_000,)] == server.say(f"SELECT count(*) FROM once_leases WHERE expires_at > {clock(server)} + 500000")


def test_of_many_leases_those_that_are_held_are_renewed(server: SqlServer, backend: SqlBackend) -> None:
    insert(server, "key-", 100, f"{clock(server)} + 60000")
    asked = [(f"key-{number}", f"token-{number}", 600.0) for number in range(100)]
    asked[7] = ("key-7", "stranger", 600.0)
    backend.release("key-9", "token-9")

    assert [number not in (7, 9) for number in range(100)] == backend.renew_many(asked)


def test_purge_removes_what_ended_over_an_hour_ago_and_nothing_else(server: SqlServer, backend: SqlBackend) -> None:
    now = clock(server)
    insert(server, "long gone", 1, f"{now} - {HOUR} - 1", f"{now} - 2 * {HOUR}")
    insert(server, "long released", 1, "0", f"{now} - {HOUR} - 1")
    insert(server, "just ended", 1, f"{now} - 1", f"{now} - 2 * {HOUR}")
    insert(server, "just released", 1, "0", f"{now} - 1")
    insert(server, "live", 1, f"{now} + {HOUR}", f"{now} - 2 * {HOUR}")
    backend.purge()
    key = "`key`" if isinstance(server, MariadbServer) else "key"

    assert [(b"just ended0",), (b"just released0",), (b"live0",)] == server.say(
        f"SELECT {key} FROM once_leases ORDER BY {key}"
    )


def test_purge_is_bounded(server: SqlServer, backend: SqlBackend) -> None:
    most = 10_000 if isinstance(server, MariadbServer) else 50_000
    insert(server, "old-", most + 10, "0")
    backend.purge()

    assert [(10,)] == server.say("SELECT count(*) FROM once_leases")


def test_holders_are_listed_beyond_one_page(server: SqlServer, backend: SqlBackend) -> None:
    insert(server, "key-", 2_500, f"{clock(server)} + 60000")
    insert(server, "other-", 10, f"{clock(server)} + 60000")
    found = {key: holder.token for key, holder in backend.holders("key-")}

    assert {f"key-{number}": f"token-{number}" for number in range(2_500)} == found


def test_a_fence_grows_though_the_clock_was_set_back(server: SqlServer, backend: SqlBackend) -> None:
    grant = backend.acquire("key", "token", 60)
    assert grant
    assert grant.fence
    server.say(f"UPDATE once_leases SET fence = fence + {HOUR}")
    backend.release("key", "token")
    later = backend.acquire("key", "other", 60)

    assert later
    assert later.fence == grant.fence + HOUR + 1


@pytest.mark.parametrize("key", ["it's", 'an "', "back\\slash", "new\nline", "nul\0", "%s", "\\'"])
def test_a_servers_sql_mode_changes_no_key(mariadb: MariadbServer, key: str) -> None:
    mariadb.say("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    backend = SqlBackend(mariadb.url)
    try:
        assert backend.acquire(key, "token", 60)
        assert backend.acquire(key, "other", 60) is None
        assert [True] == backend.renew_many([(key, "token", 60)])
        assert [key] == [held for held, _ in backend.holders("")]
        assert backend.release(key, "token")
    finally:
        mariadb.say("SET GLOBAL sql_mode = DEFAULT")
        backend.close()


def test_a_child_that_exits_leaves_the_parents_connections_alone(server: SqlServer) -> None:
    program = """
import os, sys
from once_sql import SqlBackend
backend = SqlBackend(sys.argv[1])
assert backend.acquire("key", "parent", 600)
child = os.fork()
if child == 0:
    assert backend.acquire("another", "child", 600)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert backend.renew("key", "parent", 600)
assert backend.acquire("another", "parent", 600) is None
"""
    done = subprocess.run([sys.executable, "-c", program, server.url], check=False, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")


def test_behind_a_pooler_nothing_is_prepared_on_a_server_process_of_the_moment(pgbouncer: Pgbouncer) -> None:
    backends = [SqlBackend(pgbouncer.url) for _ in range(6)]
    for turn in range(20):
        for number, backend in enumerate(backends):
            assert backend.acquire(f"key-{number}", f"token-{turn}", 60)
        for number, backend in reversed([*enumerate(backends)]):
            assert backend.release(f"key-{number}", f"token-{turn}")
    for backend in backends:
        backend.close()


@pytest.mark.parametrize(("durable", "lazy"), [("true", {"release"}), ("false", {"acquire", "renew", "release"})])
def test_only_what_may_be_lost_is_not_waited_for(postgresql: PostgresServer, durable: str, lazy: set[str]) -> None:
    backend = SqlBackend(f"{postgresql.url}?durable={durable}")
    sql: Any = backend._sql
    texts = {"acquire": sql.acquire, "renew": sql.renew, "release": sql.release}

    assert lazy == {verb for verb, text in texts.items() if "synchronous_commit" in text}
    assert backend.acquire(f"durable={durable}", "token", 60)
    assert backend.renew(f"durable={durable}", "token", 60)
    assert backend.release(f"durable={durable}", "token")
    backend.close()


def test_a_psycopg_without_libpq_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_libpq(*_: object, **__: object) -> None:
        raise ImportError("no pq wrapper available.")

    monkeypatch.setattr(url, "create_engine", no_libpq)
    with pytest.raises(ConfigurationError, match=r'no pq wrapper.*pip install "once-sql\[postgresql\]"'):
        SqlBackend("postgresql://host/database")


def test_the_statement_that_makes_the_table_is_printed(server: SqlServer) -> None:
    scheme = server.url.partition(":")[0]
    printed = subprocess.run(
        [sys.executable, "-m", "once_sql", f"{scheme}://?table=printed"], check=True, capture_output=True, text=True
    ).stdout
    server.say(printed.rstrip(";\n"))
    backend = SqlBackend(f"{server.url}?table=printed")

    assert backend.acquire("key", "token", 60)
    backend.close()


def test_an_engine_of_ones_own_is_used_with_its_driver(server: SqlServer) -> None:
    driver = "mysql+pymysql" if isinstance(server, MariadbServer) else "postgresql+psycopg"
    engine = create_engine(server.url.replace(server.url.partition(":")[0], driver, 1))
    backend = SqlBackend(engine, table="of_an_engine", timeout=2)
    assert backend.acquire("key", "token", 60)
    backend.close()
    engine.dispose()

    assert [(1,)] == server.say("SELECT count(*) FROM of_an_engine")
