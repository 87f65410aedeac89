"""What a decorated call costs, as ratios against a floor measured in the same run.

    tox -e benchmark

The floor of a store is what one would write by hand against it: a decorator with a token, a ttl and a release that
checks the owner, and nothing else. Both sides take turns, and the best of many turns counts, so that a noisy machine
disturbs neither.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
import threading
import time
import timeit
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from once_core import Once
from once_sql.sqlite import SqliteStatements

_numbers = itertools.count()
_head = f"host:{os.getpid()}:"


def new_token() -> str:
    return f"{_head}{time.time_ns() // 1_000_000}:{next(_numbers)}"


def by_hand_in_memory(function: Callable[[int], int]) -> Callable[[int], int | None]:
    """Guard *function* by a plain dict under a lock. Order 2 is held by somebody else."""
    held = {"check-2": ("another", time.monotonic() + 3600)}
    lock = threading.Lock()

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> int | None:
        key, token = f"check-{args[0]}", new_token()
        with lock:
            now = time.monotonic()
            entry = held.get(key)
            if entry is not None and entry[1] > now:
                return None
            held[key] = (token, now + 30)
        try:
            return function(*args, **kwargs)
        finally:
            with lock:
                entry = held.get(key)
                if entry is not None and entry[0] == token:
                    del held[key]

    return guarded


def by_hand_in_sqlite(function: Callable[[int], int], path: Path) -> Callable[[int], int | None]:
    """Guard *function* by the plugin's own two statements, through bare `sqlite3`. Order 2 is held by somebody else."""
    sql = SqliteStatements("by_hand")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", sql.create):
        connection.execute(statement)
    connection.execute(sql.acquire, (b"check-2", b"another", 3_600_000)).fetchall()

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> int | None:
        key, token = f"check-{args[0]}".encode(), new_token().encode()
        if not connection.execute(sql.acquire, (key, token, 30_001)).fetchall():
            return None
        try:
            return function(*args, **kwargs)
        finally:
            connection.execute(sql.release, (key, token)).fetchall()

    return guarded


def ratio(ours: Callable[[], object], floor: Callable[[], object], number: int, turns: int = 40) -> tuple[float, float]:
    """Return the microseconds of *ours*, and how many times those of *floor* they are."""
    best_ours = best_floor = float("inf")
    for _ in range(turns):
        best_ours = min(best_ours, timeit.timeit(ours, number=number))
        best_floor = min(best_floor, timeit.timeit(floor, number=number))
    return best_ours / number * 1e6, best_ours / best_floor


def body(order_id: int) -> int:
    return order_id


def holding_many(url: str, count: int = 10_000, ttl: float = 6.0, seconds: float = 12.0) -> tuple[float, int]:
    """Hold *count* leases in this process; return the share of a core that it takes, and how many were lost."""
    once = Once(url, ttl=ttl)
    locks = [once.lock(f"many-{number}") for number in range(count)]
    leases = [lock.__enter__() for lock in locks]
    time.sleep(1)
    began, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    lost = sum(lease.lost for lease in leases)
    for lock in locks:
        lock.__exit__(None, None, None)
    once.close()
    return share, lost


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        sqlite = f"sqlite:///{path}/once.db"
        calls = Table("store", "what", "microseconds", "times the floor", title="A decorated call")
        for url, floor, number in (
            ("memory://", by_hand_in_memory(body), 5_000),
            (sqlite, by_hand_in_sqlite(body, path / "floor.db"), 500),
        ):
            once = Once(url)
            guarded = once.once(key="check-{order_id}")(body)
            guarded(1)
            once.open().store.open().acquire("once:check-2", "another", 3600)
            with once.lock("check-3"):
                for what, order_id, floor_id in (("run", 1, 1), ("skip", 2, 2), ("skip, held in this process", 3, 2)):
                    ours = partial(guarded, order_id)
                    microseconds, times = ratio(ours, partial(floor, floor_id), number)
                    calls.add_row(url.partition(":")[0], what, f"{microseconds:.1f}", f"{times:.2f}")
            once.close()
        Console().print(calls)

        many = Table("store", "of a core", "lost", title="10,000 leases held, ttl 6 s")
        for url in ("memory://many", sqlite):
            share, lost = holding_many(url)
            many.add_row(url.partition(":")[0], f"{share:.3f}", str(lost))
        Console().print(many)


if __name__ == "__main__":
    main()
