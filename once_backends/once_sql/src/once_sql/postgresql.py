"""PostgreSQL: the text of its statements, and what it takes to open a connection."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, cast

import psycopg
from psycopg import errors
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import Parameters, connect_apart, ready, shown
from .names import Names, from_bytes, to_bytes
from .statements import LONGEST_KEY, Ask, Asked, Renewal, Row, in_one_line, in_pages

# Milliseconds since 1970. now() would stand still inside a transaction, and from before a statement waited for a row.
NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_COLUMNS = {("key", "bytea"), ("token", "bytea"), ("expires_at", "bigint"), ("fence", "bigint")}

# What is told before there is a connection has no state, but words; in English unless the server has others.
_WRONG_URL = re.compile(
    r"authentication failed|does not exist|no password supplied|pg_hba\.conf"
    r"|invalid \w+ value: |for connection option"  # such as sslmode=requires and port=abc
)
_NO_TLS = "server does not support SSL"
_ANOTHER_PROTOCOL = re.compile(
    "received invalid response to|expected authentication request from server|connection timeout expired"
)

# The statement's transaction is not waited for until it is on the disk.
LAZY = "set_config('synchronous_commit', 'off', true)"


class PostgresqlStatements:
    """All that is ever sent about one *table*, made once."""

    names = Names(to_bytes, from_bytes, LONGEST_KEY)

    def __init__(self, table: str, durable: bool) -> None:
        self.table = table = ".".join(f'"{part}"' for part in table.split("."))
        told = "" if durable else f", {LAZY}"

        # No index on expires_at: with one, no update of a row could stay in its page, and only the purge would use it.
        self.create = f"""
            CREATE TABLE IF NOT EXISTS {table} (
                key bytea PRIMARY KEY, token bytea NOT NULL, expires_at bigint NOT NULL, fence bigint NOT NULL
            ) WITH (fillfactor = 50)"""

        # Why is this atomic? Of many that insert one key the first gets in, and the others wait for it and then for
        # the lock of its row. Only with that lock do they look: at the row as it is then, by the clock as it is then.
        # All that is said in DO UPDATE is found out under the lock. NOT EXISTS is a look ahead and no more: it spares
        # those who come for a key that is held the lock, and the write that goes with it.
        self.acquire = f"""
            INSERT INTO {table} AS lease (key, token, expires_at, fence)
            SELECT %(key)s, %(token)s, {NOW} + %(ms)s, {NOW}
            WHERE NOT EXISTS (
                SELECT FROM {table} WHERE key = %(key)s AND token <> %(token)s AND expires_at > {NOW}
            )
            ON CONFLICT (key) DO UPDATE SET
                token = excluded.token,
                expires_at = {NOW} + %(ms)s,
                fence = CASE
                    WHEN lease.token = excluded.token AND lease.expires_at > {NOW} THEN lease.fence
                    ELSE greatest(lease.fence + 1, {NOW})
                END
            WHERE lease.expires_at <= {NOW} OR lease.token = excluded.token
            RETURNING fence{told}"""

        self.renew = f"""
            UPDATE {table} SET expires_at = {NOW} + %(ms)s
            WHERE key = %(key)s AND token = %(token)s AND expires_at > {NOW}
            RETURNING 1{told}"""

        # A release that is lost in a crash of the server costs the ttl, and no more.
        self.release = f"""
            UPDATE {table} SET expires_at = 0
            WHERE key = %(key)s AND token = %(token)s AND expires_at > {NOW}
            RETURNING {LAZY}"""

        self.tried = (self.acquire, self.renew, self.release)

        self.holder = f"""
            SELECT token, expires_at - {NOW} FROM {table} WHERE key = %(key)s AND expires_at > {NOW}"""

        self._holders = f"""
            SELECT key, token, expires_at - {NOW} FROM {table}
            WHERE key >= %(start)s AND key < %(end)s AND expires_at > {NOW}
            ORDER BY key LIMIT %(page)s"""

        self._renew_many = f"""
            UPDATE {table} AS lease SET expires_at = {NOW} + asked.ms
            FROM unnest(%(keys)s::bytea[], %(tokens)s::bytea[], %(ms)s::bigint[]) AS asked (key, token, ms)
            WHERE lease.key = asked.key AND lease.token = asked.token AND lease.expires_at > {NOW}
            RETURNING lease.key"""

        # A row that was granted and ended over an hour ago: without it the key's fence starts from the clock again,
        # which must not be set back by more than that meanwhile. Whoever is at a row keeps it.
        self.purge = f"""
            DELETE FROM {table} WHERE key IN (
                SELECT key FROM {table}
                WHERE fence <= {NOW} - 3600000 AND expires_at <= {NOW} - 3600000
                LIMIT 50000 FOR UPDATE SKIP LOCKED)"""

    def take(self, ask: Ask, asked: Asked) -> int | None:
        """Take a key that is free or the token's own, and return the fence; else None."""
        rows = ask(self.acquire, asked)
        return int(rows[0][0]) if rows else None

    def renew_many(self, ask: Ask, batch: Sequence[Renewal]) -> set[bytes]:
        """Renew (key, token, ms) of different keys by one statement; return the keys of those that were."""
        keys, tokens, ms = map(list, zip(*batch, strict=True))
        return {row[0] for row in ask(self._renew_many, {"keys": keys, "tokens": tokens, "ms": ms})}

    def holders(self, ask: Ask, prefix: bytes) -> Iterator[Row]:
        """Yield key, token and milliseconds left of each lease whose key starts with *prefix*."""
        return in_pages(ask, self._holders, prefix)


class PostgresqlDatabase:
    """A database on a server: how to open a connection, and how to say what is wrong with it."""

    Error: type[Exception] = psycopg.Error
    embedded = False

    def __init__(self, engine: Engine, sql: PostgresqlStatements, timeout: float) -> None:
        self.name = shown(engine.url)
        self.timeout = timeout
        self._engine = engine
        self._sql = sql

    def open(self) -> psycopg.Cursor[Any]:
        try:
            connection = cast("psycopg.Connection[Any]", connect_apart(self._engine).dbapi_connection)
            try:
                connection.autocommit = True
                # Else psycopg would wait for ever for a server that stands still.
                vars(connection).update(wait=partial(self._wait, connection))
                cursor = connection.cursor()
                self._prepare(cursor)
            except BaseException:
                connection.close()
                raise
        except (psycopg.Error, SQLAlchemyError) as error:
            raise self._explain(error) from error
        return cursor

    def is_current(self, cursor: psycopg.Cursor[Any]) -> bool:
        return not cursor.connection.closed and not ready(
            cursor.connection.fileno(), 1, 0
        )  # its end, as nothing was asked

    def ask(self, cursor: psycopg.Cursor[Any], sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        cursor.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.connection.close()

    def _wait(
        self, connection: psycopg.Connection[Any], steps: Generator[int, int, Any], *_: object, **__: object
    ) -> Any:
        """Do what psycopg's own `wait` does with the steps of a statement, up to the timeout."""
        deadline = monotonic() + self.timeout
        try:
            wanted = next(steps)
            while can := ready(connection.fileno(), wanted, deadline - monotonic()):
                wanted = steps.send(can)
        except StopIteration as end:
            return end.value
        raise psycopg.OperationalError(f"no answer within {self.timeout:g} s")

    def _prepare(self, cursor: psycopg.Cursor[Any]) -> None:
        ((pid, read_only),) = self.ask(cursor, "SELECT pg_backend_pid(), current_setting('transaction_read_only')", ())
        if read_only == "on":
            raise ConfigurationError(f"{self.name} is read-only, maybe a replica: name the server that is written to")
        if pid != cursor.connection.info.backend_pid:
            # There is a pooler in between, as pgbouncer: the next statement may be another process's of the server,
            # which knows nothing of what was prepared.
            cursor.connection.prepare_threshold = None
        try:
            self._try_out(cursor)
        except errors.UndefinedTable:
            with suppress(errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):  # made meanwhile
                self.ask(cursor, self._sql.create, ())
            self._try_out(cursor)

    def _try_out(self, cursor: psycopg.Cursor[Any]) -> None:
        """Let the server plan what will be asked most, without doing it: it fails unless columns, types and key fit."""
        nothing = {"key": b"", "token": b"", "ms": 0}
        for statement in self._sql.tried:
            self.ask(cursor, f"EXPLAIN {statement}", nothing)
        # What no plan shows: a column that is too small, or one more that may not be NULL.
        columns = self.ask(
            cursor,
            """
            SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
            WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped""",
            {"table": self._sql.table},
        )
        if set(columns) != _COLUMNS:
            raise self._foreign_table(self.name)

    def _foreign_table(self, text: str) -> ConfigurationError:
        return ConfigurationError(
            f"{text}: {self._sql.table} is no table of leases: choose another, as in ?table=my_leases"
        )

    def _explain(self, error: Exception) -> BackendUnavailable | ConfigurationError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = (isinstance(cause, psycopg.Error) and cause.diag.message_primary) or str(cause).strip()
        text, state = f"{self.name}: {reason}", getattr(cause, "sqlstate", None) or ""
        if isinstance(cause, errors.InvalidSchemaName):
            return ConfigurationError(f"{text}: create the schema first, or name one that there is in ?table=")
        if isinstance(cause, errors.InsufficientPrivilege):
            return ConfigurationError(
                f"{text}: give this user the right, or let somebody who has it say: {in_one_line(self._sql.create)}"
            )
        if state.startswith("42"):  # "syntax error or access rule violation": columns, types or key are others
            return self._foreign_table(text)
        if _NO_TLS in reason:
            return ConfigurationError(f"{text}: leave sslmode out, or switch TLS on at the server")
        if _ANOTHER_PROTOCOL.search(reason):
            return BackendUnavailable(f"{text}: is it a PostgreSQL, and does it run?")
        refused = psycopg.ProgrammingError | errors.InvalidPassword | errors.InvalidCatalogName
        if isinstance(cause, refused) or _WRONG_URL.search(reason):
            return ConfigurationError(f"{text}: check user, password, database and options of the URL")
        return BackendUnavailable(text)
