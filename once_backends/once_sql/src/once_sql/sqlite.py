"""SQLite: the text of its statements, and what it takes to open a database file."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from math import ceil
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import Parameters, connect_apart, shown
from .names import Names, from_bytes, to_bytes
from .statements import Ask, Asked, Renewal, Row, in_pages

# Milliseconds since 1970, rounded to undo what julianday's floating point did to the clock's whole milliseconds. A
# statement reads the clock once, and only after it has the write lock: a grant does not age while it waits.
NOW = "CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)"


class SqliteStatements:
    """All that is ever sent about one *table*, made once."""

    names = Names(to_bytes, from_bytes)

    def __init__(self, table: str) -> None:
        self.table = table

        # No index on expires_at: it would cost each acquire and release a quarter more, and spare the purge, once a
        # minute, a millisecond for every 10,000 rows.
        self.create = f"""
            CREATE TABLE IF NOT EXISTS "{table}" (
                key BLOB PRIMARY KEY, token BLOB NOT NULL, expires_at INTEGER NOT NULL, fence INTEGER NOT NULL
            ) WITHOUT ROWID"""

        # Why is this atomic? SQLite lets one statement write at a time. Of many that ask for a free key the first
        # finds the row absent or expired and writes itself in; the second, let in after it, finds it live and not
        # its own: no row is changed, none returned. `excluded.fence` is the clock, read under the lock. The fence
        # outgrows its predecessor even within one millisecond and after the clock was set back, as a release keeps
        # the row; it stays as it is for the token that holds already and whose reply was lost.
        self.acquire = f"""
            INSERT INTO "{table}" AS lease (key, token, expires_at, fence) VALUES (:key, :token, {NOW} + :ms, {NOW})
            ON CONFLICT (key) DO UPDATE SET
                token = excluded.token,
                expires_at = excluded.expires_at,
                fence = CASE
                    WHEN lease.expires_at > excluded.fence THEN lease.fence
                    ELSE max(lease.fence + 1, excluded.fence)
                END
            WHERE lease.expires_at <= excluded.fence OR lease.token = excluded.token
            RETURNING fence"""

        self.renew = f"""
            UPDATE "{table}" SET expires_at = {NOW} + :ms
            WHERE key = :key AND token = :token AND expires_at > {NOW}
            RETURNING 1"""

        self.release = f"""
            UPDATE "{table}" SET expires_at = 0
            WHERE key = :key AND token = :token AND expires_at > {NOW}
            RETURNING 1"""

        self.holder = f"""
            SELECT token, expires_at - {NOW} FROM "{table}" WHERE key = :key AND expires_at > {NOW}"""

        self._holders = f"""
            SELECT key, token, expires_at - {NOW} FROM "{table}"
            WHERE key >= :start AND key < :end AND expires_at > {NOW}
            ORDER BY key LIMIT :page"""

        # A row that was granted and ended over an hour ago: without it the key's fence starts from the clock again,
        # which must not be set back by more than that meanwhile. The limit keeps the write lock under 0.1 s.
        self.purge = f"""
            DELETE FROM "{table}" WHERE key IN (
                SELECT key FROM "{table}"
                WHERE fence <= {NOW} - 3600000 AND expires_at <= {NOW} - 3600000 LIMIT 50000)"""

    def take(self, ask: Ask, asked: Asked) -> int | None:
        """Take a key that is free or the token's own, and return the fence; else None."""
        rows = ask(self.acquire, asked)
        return int(rows[0][0]) if rows else None

    def renew_many(self, ask: Ask, batch: Sequence[Renewal]) -> set[bytes]:
        """Renew (key, token, ms) of different keys by one statement; return the keys of those that were."""
        asked = ", ".join(["(?, ?, ?)"] * len(batch))
        renewed = ask(
            f"""
            WITH asked (key, token, ms) AS (VALUES {asked})
            UPDATE "{self.table}" AS lease SET expires_at = {NOW} + asked.ms
            FROM asked
            WHERE lease.key = asked.key AND lease.token = asked.token AND lease.expires_at > {NOW}
            RETURNING key""",
            list(chain.from_iterable(batch)),
        )
        return {row[0] for row in renewed}

    def holders(self, ask: Ask, prefix: bytes) -> Iterator[Row]:
        """Yield key, token and milliseconds left of each lease whose key starts with *prefix*."""
        return in_pages(ask, self._holders, prefix)


def private_engine(url: URL, timeout: float) -> Engine:
    """Return an engine without a pool for *url*, whose relative path stays what it is now when the process moves."""
    arguments = {"check_same_thread": False, "timeout": timeout}
    return create_engine(url.set(database=_path(url)), poolclass=NullPool, connect_args=arguments)


class SqliteDatabase:
    """A database file: how to open it, and how to say what is wrong with it."""

    Error: type[Exception] = sqlite3.Error
    embedded = True

    def __init__(self, engine: Engine, sql: SqliteStatements, timeout: float) -> None:
        self.name = shown(engine.url)
        self.timeout = timeout
        self._path = _path(engine.url)
        self._engine = engine
        self._sql = sql
        self._identity: tuple[int, int] | None = None
        self._look_again = 0.0

    def open(self) -> sqlite3.Cursor:
        self._refuse_bad_places()
        try:
            connection: Any = connect_apart(self._engine).dbapi_connection
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise self._explain(error) from error
        except SQLAlchemyError as error:
            raise BackendUnavailable(f"{self.name}: {error}") from error
        self._identity = self._identify()
        cursor: sqlite3.Cursor = connection.cursor()
        return cursor

    def is_current(self, cursor: sqlite3.Cursor) -> bool:
        # Without this look a process would go on for ever in a file that was deleted, and others in a new one. At 5 us
        # it is a tenth of a call, so it is not for each of them: who deletes the file has ended all leases anyway.
        now = monotonic()
        if now < self._look_again:
            return True
        self._look_again = now + 0.1
        identity = self._identify()
        return identity is not None and identity == self._identity

    def ask(self, cursor: sqlite3.Cursor, sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        # All rows in one call of C: no signal handler can run, and fork, between the first row and the commit that
        # comes after the last.
        return list(chain.from_iterable(map(cursor.execute, (sql,), (parameters,))))

    def close(self, cursor: sqlite3.Cursor) -> None:
        cursor.connection.close()

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if sqlite3.sqlite_version_info < (3, 35):
            raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: once-sql needs 3.35 or newer")
        connection.isolation_level = None
        if sys.version_info >= (3, 12):
            connection.autocommit = True  # an engine of the user's may have turned it off
        connection.execute(f"PRAGMA busy_timeout = {ceil(self.timeout * 1000)}")
        # The change to WAL, which all processes of a fresh start attempt at once, does not wait for the busy timeout,
        # nor does what meets it.
        deadline = monotonic() + self.timeout
        while True:
            try:
                self._make_table(connection)
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or monotonic() > deadline:
                    raise
            sleep(0.01)

    def _make_table(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal":
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ConfigurationError(f"{self.name}: no write-ahead log is possible there: take a file on a local disk")
        connection.execute(self._sql.create)
        columns = connection.execute(f'PRAGMA table_info("{self._sql.table}")').fetchall()
        if {column[1]: column[5] for column in columns} != {"key": 1, "token": 0, "expires_at": 0, "fence": 0}:
            raise self._foreign_table()

    def _refuse_bad_places(self) -> None:
        folder, exists = os.path.dirname(self._path), os.path.exists(self._path)
        if not os.path.isdir(folder):
            raise ConfigurationError(f"{self.name}: there is no folder {folder}: create it, or name another file")
        if exists and not os.path.isfile(self._path):
            raise ConfigurationError(f"{self.name}: {self._path} is not a file: name one, such as /var/lib/app/jobs.db")
        if not os.access(folder, os.W_OK) or (exists and not os.access(self._path, os.R_OK | os.W_OK)):
            raise ConfigurationError(
                f"{self.name}: {self._path} can't be written: give this process the right to write the file and its "
                "folder, or name another file"
            )

    def _explain(self, error: sqlite3.Error) -> BackendUnavailable | ConfigurationError:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                return ConfigurationError(
                    f"{self.name}: {self._path} is not a sound SQLite database: name another file, or move it away"
                )
            case sqlite3.SQLITE_READONLY:
                return ConfigurationError(
                    f"{self.name}: {self._path} is read-only: make it writable, or name another file"
                )
            case sqlite3.SQLITE_ERROR:
                return self._foreign_table()
        return BackendUnavailable(f"{self.name}: {error}")

    def _foreign_table(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.name}: {self._sql.table!r} is no table of leases there: choose another, as in ?table=my_leases"
        )


def _path(url: URL) -> str:
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ConfigurationError(
            f"{url!r}: only SQLite through Python's own sqlite3 is served: write sqlite:///jobs.db"
        )
    if url.host:
        raise ConfigurationError(
            f"{url!r}: a path needs three slashes, and an absolute one four: write sqlite:///{url.host}"
        )
    if not url.database or ":memory:" in url.database:
        raise ConfigurationError(f"{url!r}: a database in memory is this process's alone: use memory:// for that")
    if url.database.startswith("file:") or "\0" in url.database:
        raise ConfigurationError(f"{url!r}: the database has to be a plain path: write sqlite:///jobs.db")
    return os.path.abspath(url.database)


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
