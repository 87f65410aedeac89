"""PostgreSQL: the text of its statements, and what it takes to open a connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import psycopg
from psycopg import errors
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import Parameters, has_something_to_read
from .statements import LONGEST_KEY, Ask, Renewal

# Milliseconds since 1970. now() would stand still inside a transaction, and from before a statement waited for a row.
NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class PostgresqlStatements:
    """All that is ever sent about one *table*, made once."""

    insert: str | None = None  # `acquire` does it all
    longest_key: int | None = LONGEST_KEY

    def __init__(self, table: str) -> None:
        self.table = table = ".".join(f'"{part}"' for part in table.split("."))

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
            RETURNING fence"""

        self.renew = f"""
            UPDATE {table} SET expires_at = {NOW} + %(ms)s
            WHERE key = %(key)s AND token = %(token)s AND expires_at > {NOW}
            RETURNING 1"""

        # The transaction is not waited for until it is on the disk: a release that is lost in a crash of the server
        # costs the ttl, and no more.
        self.release = f"""
            UPDATE {table} SET expires_at = 0
            WHERE key = %(key)s AND token = %(token)s AND expires_at > {NOW}
            RETURNING set_config('synchronous_commit', 'off', true)"""

        self.holder = f"""
            SELECT token, expires_at - {NOW} FROM {table} WHERE key = %(key)s AND expires_at > {NOW}"""

        self.holders = f"""
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

    def renew_many(self, ask: Ask, batch: Sequence[Renewal]) -> set[bytes]:
        """Renew (key, token, ms) of different keys by one statement; return the keys of those that were."""
        keys, tokens, ms = map(list, zip(*batch, strict=True))
        return {row[0] for row in ask(self._renew_many, {"keys": keys, "tokens": tokens, "ms": ms})}


class PostgresqlDatabase:
    """A database on a server: how to open a connection, and how to say what is wrong with it."""

    Error: type[Exception] = psycopg.Error
    embedded = False

    def __init__(self, engine: Engine, sql: PostgresqlStatements, timeout: float) -> None:
        self.name = repr(engine.url)
        self.timeout = timeout
        self._engine = engine
        self._sql = sql

    def open(self) -> psycopg.Cursor[Any]:
        try:
            pooled = self._engine.raw_connection()
            connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
            pooled.detach()  # from now on it is no other's, and never goes back
            try:
                connection.autocommit = True
                # Else psycopg would wait for ever for a server that stands still.
                vars(connection).update(wait=partial(connection.wait, timeout=self.timeout))
                cursor = connection.cursor()
                self._prepare(cursor)
            except BaseException:
                connection.close()
                raise
        except (psycopg.Error, SQLAlchemyError) as error:
            raise self._explain(error) from error
        return cursor

    def is_current(self, cursor: psycopg.Cursor[Any]) -> bool:
        return not cursor.connection.closed and not has_something_to_read(cursor.connection.fileno())

    def ask(self, cursor: psycopg.Cursor[Any], sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        cursor.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.connection.close()

    def _prepare(self, cursor: psycopg.Cursor[Any]) -> None:
        if self.ask(cursor, "SELECT FROM pg_settings WHERE name = 'transaction_read_only' AND setting = 'on'", ()):
            raise ConfigurationError(
                f"{self.name}: it is read-only, maybe a replica: name the server that is written to"
            )
        try:
            self._try_out(cursor)
        except errors.UndefinedTable:
            with suppress(errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):  # made meanwhile
                self.ask(cursor, self._sql.create, ())
            self._try_out(cursor)

    def _try_out(self, cursor: psycopg.Cursor[Any]) -> None:
        """Let the server plan what will be asked most, without doing it: it fails unless columns, types and key fit."""
        nothing = {"key": b"", "token": b"", "ms": 0}
        for statement in (self._sql.acquire, self._sql.renew, self._sql.release):
            self.ask(cursor, f"EXPLAIN {statement}", nothing)

    def _explain(self, error: Exception) -> BackendUnavailable | ConfigurationError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = f"{self.name}: {str(cause).strip()}"
        if isinstance(cause, errors.InsufficientPrivilege | errors.InvalidSchemaName):
            return ConfigurationError(
                f"{text}: grant it, or let somebody who may create the table by: python -m once_sql postgresql://"
            )
        if isinstance(cause, errors.SyntaxErrorOrAccessRuleViolation):
            return ConfigurationError(
                f"{text}: {self._sql.table} is something else: choose another by ?table=my_leases"
            )
        if isinstance(cause, psycopg.ProgrammingError | errors.InvalidPassword | errors.InvalidCatalogName) or any(
            sign in text for sign in ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf")
        ):
            return ConfigurationError(f"{text}: check user, password, database and options of the URL")
        return BackendUnavailable(text)
