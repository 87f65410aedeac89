"""MariaDB and MySQL: the text of their statements, and what it takes to open a connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil
from typing import Any

import pymysql
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import Parameters, connect_apart, ready, shown
from .names import Names, from_bytes, to_bytes
from .statements import LONGEST_KEY, Ask, Asked, Renewal, Row, in_one_line, in_pages

# Milliseconds since 1970; the time zone is UTC, lest an hour come twice in autumn. NOW() would be the statement's
# start, from before it waited for a row.
NOW = "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS SIGNED)"

_WRONG_PLACE = (
    ER.ACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.BAD_DB_ERROR,
    ER.NO_DB_ERROR,
    1698,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR, as of a user who is known by the socket alone
)
_LONGEST_TOKEN = 1024
_COLUMNS = {
    ("key", "varbinary", LONGEST_KEY, "PRI"),
    ("token", "varbinary", _LONGEST_TOKEN, ""),
    ("expires_at", "bigint", None, ""),
    ("fence", "bigint", None, ""),
}
_READ_ONLY = (ER.OPTION_PREVENTS_STATEMENT, 1792, 1836)  # --read-only, a read-only transaction, a read-only mode


class MysqlStatements:
    """All that is ever sent about one *table*, made once."""

    names = Names(to_bytes, from_bytes, LONGEST_KEY)

    def __init__(self, table: str) -> None:
        self.schema, _, self.plain_table = table.rpartition(".")
        self.table = table = ".".join(f"`{part}`" for part in table.split("."))

        self.create = f"""
            CREATE TABLE IF NOT EXISTS {table} (
                `key` VARBINARY({LONGEST_KEY}) NOT NULL PRIMARY KEY, token VARBINARY({_LONGEST_TOKEN}) NOT NULL,
                expires_at BIGINT NOT NULL, fence BIGINT NOT NULL
            ) ENGINE = InnoDB"""

        # Why is this atomic? The row is locked before WHERE is looked at, by the clock as it is then; a second one
        # that waited for the lock finds it live and not its own. The assignments are made from left to right, so that
        # the fence is decided by the row as it was. LAST_INSERT_ID(x) is x, and is told along with the answer: an
        # UPDATE has no RETURNING.
        self.acquire = f"""
            UPDATE {table} SET
                fence = LAST_INSERT_ID(
                    IF(token = %(token)s AND expires_at > {NOW}, fence, GREATEST(fence + 1, {NOW}))
                ),
                token = %(token)s,
                expires_at = {NOW} + %(ms)s
            WHERE `key` = %(key)s AND (expires_at <= {NOW} OR token = %(token)s)"""

        # Where that finds no row, either there is none, and the first to insert one has it, or the key is held.
        self.insert = f"""
            INSERT INTO {table} (`key`, token, expires_at, fence)
            VALUES (%(key)s, %(token)s, {NOW} + %(ms)s, LAST_INSERT_ID({NOW}))"""

        self.renew = f"""
            UPDATE {table} SET expires_at = {NOW} + %(ms)s
            WHERE `key` = %(key)s AND token = %(token)s AND expires_at > {NOW}"""

        # Both fail for want of a right or on a server that is read-only, and change nothing: nobody's key is empty.
        self.tried = (self.renew, f"EXPLAIN {self.insert}")

        self.release = f"""
            UPDATE {table} SET expires_at = 0
            WHERE `key` = %(key)s AND token = %(token)s AND expires_at > {NOW}"""

        self.holder = f"""
            SELECT token, expires_at - {NOW} FROM {table} WHERE `key` = %(key)s AND expires_at > {NOW}"""

        self._holders = f"""
            SELECT `key`, token, expires_at - {NOW} FROM {table}
            WHERE `key` >= %(start)s AND `key` < %(end)s AND expires_at > {NOW}
            ORDER BY `key` LIMIT %(page)s"""

        # A row that was granted and ended over an hour ago: without it the key's fence starts from the clock again,
        # which must not be set back by more than that meanwhile. The look for them locks nothing, being a table of
        # its own.
        long_ago = f"fence <= {NOW} - 3600000 AND expires_at <= {NOW} - 3600000"
        self.purge = f"""
            DELETE FROM {table} WHERE {long_ago} AND `key` IN (
                SELECT `key` FROM (SELECT `key` FROM {table} WHERE {long_ago} LIMIT 10000) AS old)"""

    def take(self, ask: Ask, asked: Asked) -> int | None:
        """Take a key that is free or the token's own, and return the fence; else None."""
        rows = ask(self.acquire, asked) or ask(self.insert, asked)
        return int(rows[0][0]) if rows else None

    def renew_many(self, ask: Ask, batch: Sequence[Renewal]) -> set[bytes]:
        """Renew (key, token, ms) of different keys, those of one length by one statement; return the keys that were."""
        renewed: set[bytes] = set()
        by_length = sorted(batch, key=lambda lease: (lease[2], lease[0]))  # one order of locks, as others renew as well
        for ms, group in groupby(by_length, key=lambda lease: lease[2]):
            token_of = {key: token for key, token, _ in group}
            asked = {"leases": [*token_of.items()], "keys": [*token_of], "ms": ms}
            mine = f"`key` IN %(keys)s AND (`key`, token) IN %(leases)s AND expires_at > {NOW}"
            done = ask(f"UPDATE {self.table} SET expires_at = {NOW} + %(ms)s WHERE {mine}", asked)
            if len(done) == len(token_of):
                renewed.update(token_of)
            elif done:  # a lease that is still held now was renewed: nobody else lengthens it
                renewed.update(row[0] for row in ask(f"SELECT `key` FROM {self.table} WHERE {mine}", asked))
        return renewed

    def holders(self, ask: Ask, prefix: bytes) -> Iterator[Row]:
        """Yield key, token and milliseconds left of each lease whose key starts with *prefix*."""
        return in_pages(ask, self._holders, prefix)


class MysqlDatabase:
    """A database on a server: how to open a connection, and how to say what is wrong with it."""

    Error: type[Exception] = pymysql.Error
    embedded = False

    def __init__(self, engine: Engine, sql: MysqlStatements, timeout: float) -> None:
        self.name = shown(engine.url)
        self.timeout = timeout
        self._engine = engine
        self._sql = sql

    def open(self) -> Cursor:
        try:
            connection: Any = connect_apart(self._engine).dbapi_connection
            try:
                # Else PyMySQL would wait for ever for a server that stands still, unless the engine says otherwise.
                connection._read_timeout = connection._write_timeout = self.timeout
                connection.autocommit(True)
                cursor: Cursor = connection.cursor()
                self._prepare(cursor)
            except BaseException:
                connection.close()
                raise
        except (pymysql.Error, SQLAlchemyError) as error:
            raise self._explain(error) from error
        return cursor

    def is_current(self, cursor: Cursor) -> bool:
        socket = vars(cursor.connection)["_sock"]
        return socket is not None and not ready(socket.fileno(), 1, 0)  # its end, as nothing was asked

    def ask(self, cursor: Any, sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
        try:
            cursor.execute(sql, parameters)
        except pymysql.IntegrityError as error:
            if error.args[0] != ER.DUP_ENTRY:
                raise
            return []  # the row is there already: an answer
        except pymysql.OperationalError as error:
            if error.args[0] != ER.LOCK_DEADLOCK:
                raise
            cursor.execute(sql, parameters)  # it was undone, for certain, lest two wait for each other for ever
        if cursor.description:
            return list(cursor.fetchall())
        return [
            (cursor.lastrowid,)
        ] * cursor.rowcount  # of rows that were found, changed or not: SQLAlchemy asks for that

    def close(self, cursor: Cursor) -> None:
        cursor.connection.close()

    def _prepare(self, cursor: Cursor) -> None:
        for statement in self._settings():
            self.ask(cursor, statement, ())
        if not (columns := self._columns(cursor)):
            self.ask(cursor, self._sql.create, ())
            columns = self._columns(cursor)
        if columns != _COLUMNS:
            raise ConfigurationError(
                f"{self.name}: {self._sql.table} is no table of leases: choose another, as in ?table=my_leases"
            )
        for statement in self._sql.tried:
            self.ask(cursor, statement, {"key": b"", "token": b"", "ms": 0})

    def _settings(self) -> Iterator[str]:
        # The mode is ours, as PyMySQL before 1.2 does not know NO_BACKSLASH_ESCAPES.
        mode = "sql_mode = 'STRICT_ALL_TABLES'"
        yield f"SET {mode}, time_zone = '+00:00', innodb_lock_wait_timeout = {ceil(self.timeout)}"
        yield "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"  # no locks on what is between rows

    def _columns(self, cursor: Cursor) -> set[tuple[Any, ...]]:
        found = self.ask(
            cursor,
            """
            SELECT column_name, data_type, character_maximum_length, column_key FROM information_schema.columns
            WHERE table_schema = COALESCE(NULLIF(%(schema)s, ''), DATABASE()) AND table_name = %(table)s""",
            {"schema": self._sql.schema, "table": self._sql.plain_table},
        )
        return {tuple(row) for row in found}

    def _explain(self, error: Exception) -> BackendUnavailable | ConfigurationError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        code = cause.args[0] if cause.args else None
        text = f"{self.name}: {cause}"
        if code in _READ_ONLY:
            return ConfigurationError(f"{text}: name the server that is written to")
        if code == ER.TABLEACCESS_DENIED_ERROR:
            return ConfigurationError(
                f"{text}: give this user the right, or let somebody who has it say: {in_one_line(self._sql.create)}"
            )
        if code == ER.BAD_DB_ERROR and self._sql.schema and f"'{self._sql.schema}'" in text:
            return ConfigurationError(f"{text}: create the schema first, or name one that there is in ?table=")
        if code == CR.CR_SSL_CONNECTION_ERROR:
            return ConfigurationError(f"{text}: leave the options of ssl out, or switch TLS on at the server")
        if code in _WRONG_PLACE:
            return ConfigurationError(f"{text}: check user, password and database of the URL")
        if code in (CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR):
            return BackendUnavailable(f"{text}: is it a MySQL or MariaDB, and does it run?")
        return BackendUnavailable(text)
