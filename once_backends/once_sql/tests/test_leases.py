"""What is SQLite's own about the leases: rows, fences, batches, and files that vanish."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from math import inf
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from sqlalchemy import create_engine, event

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable
from once_sql import SqlBackend
from once_sql.sqlite import NOW

HOUR = 3_600_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "once.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SqlBackend]:
    backend = SqlBackend(f"sqlite:///{path}")
    yield backend
    backend.close()


@pytest.fixture
def raw(path: Path, backend: SqlBackend) -> Iterator[sqlite3.Connection]:
    """Another client of the same file, whose table is there."""
    backend.purge()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def insert(raw: sqlite3.Connection, rows: list[tuple[bytes, bytes]]) -> None:
    raw.execute("BEGIN")
    raw.executemany(f"INSERT INTO once_leases VALUES (?, ?, {NOW} + 60000, 0)", rows)
    raw.execute("COMMIT")


def fence(grant: Grant | None) -> int:
    assert grant is not None
    assert grant.fence is not None
    return grant.fence


def test_a_fence_grows_even_within_one_millisecond(backend: SqlBackend) -> None:
    fences = []
    for number in range(300):
        fences.append(fence(backend.acquire("key", f"token-{number}", 60)))
        assert backend.release("key", f"token-{number}")

    assert fences == sorted(set(fences))


def test_a_fence_grows_though_the_clock_was_set_back(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    before = fence(backend.acquire("key", "token", 60)) + HOUR
    raw.execute("UPDATE once_leases SET fence = ?", (before,))
    backend.release("key", "token")

    assert fence(backend.acquire("key", "other", 60)) > before


def test_a_released_key_is_free_though_the_clock_was_set_back(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    backend.acquire("key", "token", 60)
    backend.release("key", "token")

    assert raw.execute("SELECT expires_at FROM once_leases").fetchall() == [(0,)]


def test_a_grant_that_waited_counts_from_when_it_was_made(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    grants: list[Grant | None] = []
    raw.execute("BEGIN IMMEDIATE")
    thread = Thread(target=lambda: grants.append(backend.acquire("key", "token", 60)))
    thread.start()
    sleep(0.3)
    (meanwhile,) = raw.execute(f"SELECT {NOW}").fetchone()
    raw.execute("COMMIT")
    thread.join()

    assert fence(grants[0]) >= meanwhile


def test_a_ttl_is_rounded_up_beyond_what_the_clock_shows(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    backend.acquire("key", "token", 30.0001)

    # The fence of a new key is the clock's millisecond, which may be over already.
    assert raw.execute("SELECT expires_at - fence FROM once_leases").fetchall() == [(30_001 + 1,)]


def test_the_longest_ttl_is_held(backend: SqlBackend) -> None:
    backend.acquire("key", "token", inf)

    assert backend.acquire("key", "other", 60) is None
    assert backend.renew_many([("key", "token", inf)]) == [True]


def test_purge_removes_what_ended_over_an_hour_ago_and_nothing_else(
    backend: SqlBackend, raw: sqlite3.Connection
) -> None:
    rows = [
        (b"long gone", -HOUR - 1, -2 * HOUR),
        (b"long released", None, -HOUR - 1),
        (b"just ended", -1, -2 * HOUR),
        (b"just released", None, -1),
        (b"live", HOUR, -2 * HOUR),
    ]
    raw.executemany(f"INSERT INTO once_leases VALUES (?, x'', coalesce({NOW} + ?, 0), {NOW} + ?)", rows)
    backend.purge()
    left = {key for (key,) in raw.execute("SELECT key FROM once_leases")}

    assert left == {b"just ended", b"just released", b"live"}


def test_purge_is_bounded(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    raw.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50010) "
        "INSERT INTO once_leases SELECT CAST(i AS BLOB), x'', 0, 0 FROM n"
    )
    backend.purge()

    assert raw.execute("SELECT count(*) FROM once_leases").fetchone() == (10,)


def test_many_leases_are_renewed_by_few_statements(path: Path, raw: sqlite3.Connection) -> None:
    engine = create_engine(f"sqlite:///{path}")
    statements: list[str] = []
    event.listen(engine, "connect", lambda connection, _: connection.set_trace_callback(statements.append))
    backend = SqlBackend(engine)
    leases = [(f"key-{number}", f"token-{number}", 60.0) for number in range(10_005)]
    insert(raw, [(key.encode(), token.encode()) for key, token, _ in leases])
    raw.execute("UPDATE once_leases SET expires_at = 0 WHERE key = x'6b65792d37'")  # key-7
    raw.execute("UPDATE once_leases SET token = x'00' WHERE key = x'6b65792d3130303034'")  # key-10004
    answers = backend.renew_many(leases)
    backend.close()
    engine.dispose()

    assert [place for place, answer in enumerate(answers) if not answer] == [7, 10_004]
    assert len(answers) == len(leases)
    assert sum("UPDATE" in statement for statement in statements) == 2


def test_any_keys_are_renewed_together(backend: SqlBackend) -> None:
    keys = ["plain", 'quo"ted\\', "nul\0", "line\n", "half a pair \ud83d", "\U0001f600", "ключ ", "a\\u0000"]
    for key in keys:
        backend.acquire(key, "token", 60)
    leases = [(key, "token", 60.0) for key in keys]

    assert backend.renew_many([*leases, ("plain", "stranger", 60.0), ("plain", "token", 60.0)]) == [
        *[True] * len(keys),
        False,
        True,
    ]


def test_what_was_not_asked_about_is_not_known(path: Path, raw: sqlite3.Connection) -> None:
    engine = create_engine(f"sqlite:///{path}")
    updates: list[str] = []

    def lock_at_the_second(statement: str) -> None:
        if "UPDATE" in statement:
            updates.append(statement)
            if len(updates) == 2:
                raw.execute("BEGIN IMMEDIATE")

    event.listen(engine, "connect", lambda connection, _: connection.set_trace_callback(lock_at_the_second))
    backend = SqlBackend(engine, timeout=0.1)
    backend.acquire("key-1", "token", 60)
    updates.clear()
    answers = backend.renew_many([(f"key-{number}", "token", 60.0) for number in range(10_002)])
    raw.execute("ROLLBACK")
    backend.close()
    engine.dispose()

    assert answers == [False, True, *[False] * 9_998, None, None]


def test_holders_begin_with_exactly_the_prefix(backend: SqlBackend) -> None:
    for key in ("a_%", "a_%1", "A_%1", "ab%1", "a_", "b", "a_%\U0010ffff"):
        backend.acquire(key, "token", 60)
    backend.acquire("a_%2", "token", 60)
    backend.release("a_%2", "token")

    assert [key for key, _ in backend.holders("a_%")] == ["a_%", "a_%1", "a_%\U0010ffff"]


def test_holders_are_listed_beyond_one_page(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    rows = [(f"key-{number:04}".encode(), f"token-{number}".encode()) for number in range(2_500)]
    insert(raw, rows)

    assert [(key.encode(), holder.token.encode()) for key, holder in backend.holders("")] == rows


def test_a_closed_backend_may_be_used_again(backend: SqlBackend) -> None:
    backend.acquire("key", "token", 60)
    backend.close()
    backend.close()

    assert backend.renew("key", "token", 60)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_vanished_is_not_used_for_long(backend: SqlBackend, path: Path, how: str) -> None:
    backend.acquire("key", "token", 600)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).rename(path.with_name("old.db" + suffix))
    newer = SqlBackend(f"sqlite:///{path}")
    if how == "replaced":
        newer.acquire("key", "newer", 600)
    deadline = monotonic() + 10
    while backend.renew("key", "token", 600) and monotonic() < deadline:
        sleep(0.01)
    backend.acquire("another", "token", 600)

    assert newer.acquire("another", "newer", 600) is None
    holder = backend.holder("key")
    assert (holder and holder.token) == ("newer" if how == "replaced" else None)
    assert (backend.acquire("key", "third", 60) is None) is (how == "replaced")
    newer.close()


def test_a_dropped_table_is_made_again_by_the_next_question(backend: SqlBackend, raw: sqlite3.Connection) -> None:
    raw.execute("DROP TABLE once_leases")
    with pytest.raises(BackendUnavailable, match="no such table"):
        backend.acquire("key", "token", 60)

    assert backend.acquire("key", "token", 60) is not None


def test_a_full_disk_is_unavailable(path: Path, backend: SqlBackend) -> None:
    backend.purge()
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 10"))
    full = SqlBackend(engine)
    with pytest.raises(BackendUnavailable, match="full"):
        full.acquire("key" * 100_000, "token", 60)
    full.close()
    engine.dispose()

    assert backend.holder("key") is None


def test_a_question_waits_no_longer_than_the_timeout_for_another(path: Path, raw: sqlite3.Connection) -> None:
    patient = SqlBackend(f"sqlite:///{path}?timeout=0.2")
    raw.execute("BEGIN IMMEDIATE")
    failures: list[str] = []

    def ask() -> None:
        try:
            patient.acquire("key", "token", 60)
        except BackendUnavailable as error:
            failures.append(str(error))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raw.execute("ROLLBACK")
    patient.close()

    assert len(failures) == 8
    assert any("still busy with this process's other questions" in failure for failure in failures)


class Interrupted(Exception):
    """What a signal handler raises, as Celery's soft time limit does."""


def test_a_signal_handler_that_raises_leaves_nothing_locked(backend: SqlBackend) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    backend.acquire("key", "token", 600)
    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for round_ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + round_ * 1e-6)
                while True:
                    backend.renew("key", "token", 600)
            except Interrupted:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    holders: list[Holder | None] = []
    thread = Thread(target=lambda: holders.append(backend.holder("key")))
    thread.start()
    thread.join()

    assert interrupted == 300
    assert [holder.token for holder in holders if holder] == ["token"]
