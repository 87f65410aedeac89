"""Write to a resource at once, and again when a file `go` is there: `write_late URL PREFIX KIND KEY TTL FOLDER`.

Prints whether the second write was accepted, and whether the run knew that it had lost its lease.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from once_core import Once, current_lease

from ..kinds import KINDS
from .witness import wait_for


class Resource:
    """A text that remembers the highest fence it was written with, and rejects any that is lower."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connected() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS resource (fence INTEGER, text TEXT)")

    def write(self, fence: int, text: str) -> bool:
        """Write *text* unless a later holder has written before; return whether it was written."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            (highest,) = connection.execute("SELECT max(fence) FROM resource").fetchone()
            accepted = highest is None or highest <= fence
            if accepted:
                connection.execute("INSERT INTO resource VALUES (?, ?)", (fence, text))
            connection.execute("COMMIT")
            return accepted

    def text(self) -> str | None:
        """Return what was written last."""
        with self._connected() as connection:
            row = connection.execute("SELECT text FROM resource ORDER BY rowid DESC").fetchone()
            return row[0] if row else None

    def _connected(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._path, isolation_level=None, timeout=20))


def main(url: str, prefix: str, kind: str, key: str, ttl: str, folder: str) -> None:
    logging.disable()  # the loss is logged as well
    resource = Resource(Path(folder) / "resource.db")

    def body() -> str:
        lease = current_lease()
        assert lease is not None
        assert lease.fence is not None
        assert resource.write(lease.fence, "written by the early one")
        (Path(folder) / "begun").touch()
        wait_for(Path(folder) / "go")
        accepted = resource.write(lease.fence, "written by the early one, late")
        return f"{'accepted' if accepted else 'rejected'} {'lost' if lease.lost else 'kept'}"

    print(KINDS[kind](Once(url, prefix=prefix, ttl=float(ttl)), key, body)())


if __name__ == "__main__":
    main(*sys.argv[1:])
