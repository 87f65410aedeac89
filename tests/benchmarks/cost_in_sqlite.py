"""What a call costs in SQLite, against the plugin's own two statements through bare `sqlite3`."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from once_core import Once
from once_sql.sqlite import SqliteStatements

from .by_hand import body, holding_many, new_token
from .ratios import Ratios


def by_hand(path: Path) -> Callable[[int], int | None]:
    """Return the body, guarded; order 2 is held by somebody else."""
    sql = SqliteStatements("by_hand")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", sql.create):
        connection.execute(statement)
    connection.execute(sql.acquire, {"key": b"check-2", "token": b"another", "ms": 3_600_000}).fetchall()

    def guarded(order_id: int) -> int | None:
        lease = {"key": f"check-{order_id}".encode(), "token": new_token().encode()}
        if not connection.execute(sql.acquire, {**lease, "ms": 30_001}).fetchall():
            return None
        try:
            return body(order_id)
        finally:
            connection.execute(sql.release, lease).fetchall()

    return guarded


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url, floor = f"sqlite:///{folder}/once.db", by_hand(Path(folder, "floor.db"))
        once = Once(url)
        guarded = once.once(key="check-{order_id}")(body)
        guarded(1)
        once.open().store.open().acquire("once:check-2", "another", 3600)
        with Ratios("A decorated call in SQLite") as ratios, once.lock("check-3"):
            ratios.compare("run", once=partial(guarded, 1), floor=partial(floor, 1), at_most=1.5)
            ratios.compare("skip", once=partial(guarded, 2), floor=partial(floor, 2), at_most=1.5)
            ratios.compare("skip, held in this process", once=partial(guarded, 3), floor=partial(floor, 2))
        once.close()
        holding_many(url)


if __name__ == "__main__":
    main()
