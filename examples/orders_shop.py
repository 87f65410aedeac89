"""The shop of orders.py: its database, a log of all runs that knows nothing of once, and what an act came to.

Times are those of time.monotonic(), which on Linux is one clock for all processes of a machine.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

TABLES = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, state TEXT, instalments_paid INTEGER);
    CREATE TABLE IF NOT EXISTS charges (order_id INTEGER, instalment INTEGER);
    CREATE TABLE IF NOT EXISTS runs (worker TEXT, order_id INTEGER, started REAL, ended REAL, killed INTEGER DEFAULT 0);
    DELETE FROM orders; DELETE FROM charges; DELETE FROM runs;
"""


class Run(NamedTuple):
    """One run of the body, as the log has it; *ended* is None while it goes on."""

    worker: str
    order_id: int
    started: float
    ended: float | None
    killed: int


class Skip(NamedTuple):
    """One request that ran nothing."""

    worker: str
    order_id: int
    at: float


@dataclass
class Act:
    """What was asked for, with or without the decorator, and what came of it."""

    guarded: bool
    workers: tuple[str, ...]
    checks: int
    ttl: float
    began: float = 0.0
    asked: int = 0
    busy: dict[str, int] = field(default_factory=dict[str, int])
    runs: list[Run] = field(default_factory=list[Run])
    skips: list[Skip] = field(default_factory=list[Skip])
    charged_twice: int = 0
    done: bool = False

    @property
    def killed(self) -> Run | None:
        """The run whose worker was killed."""
        return next((run for run in self.runs if run.killed), None)

    @property
    def ran_again(self) -> tuple[Run, float] | None:
        """The next run of the killed one's order, and the seconds from the kill to it."""
        if (killed := self.killed) is None or killed.ended is None:
            return None
        later = [run for run in self.runs if run.order_id == killed.order_id and run.started > killed.ended]
        return (later[0], later[0].started - killed.ended) if later else None

    @property
    def overlaps(self) -> int:
        """How many runs began while another run of the same order was going on."""
        found = 0
        for order_id in {run.order_id for run in self.runs}:
            of_order = [run for run in self.runs if run.order_id == order_id]
            busy_until = 0.0
            for run, following in pairwise(of_order):
                busy_until = max(busy_until, run.ended or float("inf"))
                found += following.started < busy_until
        return found


class Shop:
    """One process's connection to the database. Its statements are safe each; checking an order takes several."""

    def __init__(self, path: Path, worker: str) -> None:
        self.worker = worker
        self.runs_logged = 0
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self._db.close()

    # For the check.

    def instalments_paid(self, order_id: int) -> int:
        (paid,) = self._db.execute("SELECT instalments_paid FROM orders WHERE id = ?", (order_id,)).fetchone()
        return int(paid)

    def charge(self, order_id: int, instalment: int) -> None:
        """Charge the customer, and write down how much is paid now."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO charges VALUES (?, ?)", (order_id, instalment))
            self._db.execute("UPDATE orders SET instalments_paid = ? WHERE id = ?", (instalment, order_id))

    @contextmanager
    def logged_run(self, order_id: int) -> Generator[None]:
        """Write down when a run began and ended."""
        started = time.monotonic()
        self.runs_logged += 1
        row = self._db.execute(
            "INSERT INTO runs (worker, order_id, started) VALUES (?, ?, ?)", (self.worker, order_id, started)
        ).lastrowid
        try:
            yield
        finally:
            self._db.execute("UPDATE runs SET ended = ? WHERE rowid = ?", (time.monotonic(), row))

    # For the spawner.

    def open_anew(self, orders: Iterable[int]) -> None:
        """Make the tables, or empty them, and enter *orders* that are in progress."""
        self._db.executescript(TABLES)
        self._db.executemany("INSERT INTO orders VALUES (?, 'in progress', 0)", [(order,) for order in orders])

    def orders_in_progress(self) -> list[int]:
        return [order_id for (order_id,) in self._db.execute("SELECT id FROM orders WHERE state = 'in progress'")]

    def runs(self) -> list[Run]:
        """Return what the log has, in the order of time."""
        rows = self._db.execute("SELECT worker, order_id, started, ended, killed FROM runs ORDER BY started")
        return [Run(*row) for row in rows]

    def note_killed(self, worker: str, at: float) -> None:
        """End the run that *worker* could not end itself, if there is one."""
        self._db.execute("UPDATE runs SET ended = ?, killed = 1 WHERE worker = ? AND ended IS NULL", (at, worker))

    def charged_twice(self) -> int:
        """Return how many charges were made for an instalment that was paid already."""
        (extra,) = self._db.execute(
            "SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM charges)) FROM charges"
        ).fetchone()
        return int(extra)
