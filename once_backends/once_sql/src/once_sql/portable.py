"""Any database and driver that SQLAlchemy knows, by expressions of its Core: in more steps, with the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import groupby
from time import monotonic, sleep
from typing import Any, cast

from sqlalchemy import (
    BINARY,
    VARBINARY,
    BigInteger,
    BindParameter,
    Column,
    Connection,
    Engine,
    Insert,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import Parameters, connect_apart, shown
from .names import Names, from_ascii, to_ascii
from .statements import Ask, Asked, Renewal, Row, in_one_line

# Whole milliseconds since 1970, in UTC: local time would jump by an hour in spring, and end all leases.
_CLOCK = "CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) * 1000 AS BIGINT)"
_CLOCKS = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
    "mariadb": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
}
_PLAUSIBLE = range(1_577_836_800_000, 7_258_118_400_000)  # from 2020 to 2200

_BATCH = 500  # leases renewed by one statement, as some databases take no more than 2,000 parameters
_BYTES = (BINARY, LargeBinary, VARBINARY)
_IDLE = 1.0  # seconds after which a connection is looked at before it is used


class PortableStatements:
    """All that is ever sent about one *table*. The *clock* is SQL for the milliseconds since 1970."""

    # Not every database has an index on bytes, and not every collation tells an A from an a.
    names = Names(to_ascii, from_ascii, longest=400, head=25)

    def __init__(self, engine: Engine, table: str, clock: str | None) -> None:
        schema, _, plain = table.rpartition(".")
        now = literal_column(clock or _CLOCKS.get(engine.dialect.name, _CLOCK), BigInteger)
        self.table = Table(
            plain,
            MetaData(schema=schema or None),
            Column("key", String(400), primary_key=True),
            Column("token", String(1000), nullable=False),
            Column("expires_at", BigInteger, nullable=False),
            Column("fence", BigInteger, nullable=False),
        )
        self.create = str(CreateTable(self.table).compile(dialect=engine.dialect))

        lease = self.table.c
        key, token, prefix = (_asked(name, String()) for name in ("key", "token", "prefix"))
        ms, fence, seen = (_asked(name, BigInteger()) for name in ("ms", "fence", "seen"))
        keys, tokens = (_asked(name, String(), expanding=True) for name in ("keys", "tokens"))
        live, left = lease.expires_at > now, lease.expires_at - now
        long_ago = and_(lease.fence <= now - 3_600_000, lease.expires_at <= now - 3_600_000)

        def answering(change: Any) -> Any:
            """Let *change* answer with the rows it changed, where it can: not every driver counts them."""
            return change.returning(lease.key) if engine.dialect.update_returning else change

        self.clock = select(now)
        self._look = select(now, lease.token, lease.expires_at, lease.fence).where(lease.key == key)
        self._insert = insert(self.table).values(key=key, token=token, expires_at=now + ms, fence=fence)

        # Why is this atomic? Of many that have seen the same fence the first changes the row, and with it the fence:
        # the others find no such row any more. So after each fence there is one grant at most, with a greater one.
        self._grant = answering(
            update(self.table)
            .where(lease.key == key, lease.fence == seen, or_(lease.expires_at <= now, lease.token == token))
            .values(token=token, expires_at=now + ms, fence=fence)
        )

        mine = update(self.table).where(lease.key == key, lease.token == token, live)
        self.renew = answering(mine.values(expires_at=now + ms))
        self.tried = (self._look, self.renew)
        self.release = answering(mine.values(expires_at=0))
        self.holder = select(lease.token, left).where(lease.key == key, live)
        self._holders = select(lease.key, lease.token, left).where(lease.key.like(prefix, escape="!"), live)

        ours = update(self.table).where(lease.key.in_(keys), lease.token.in_(tokens), live)
        self._renew_many = ours.values(expires_at=now + ms)
        self._held = select(lease.key, lease.token).where(lease.key.in_(keys), live)

        old = select(lease.key).where(long_ago).limit(10_000).subquery("old")
        self.purge = delete(self.table).where(lease.key.in_(select(old.c.key)), long_ago)

    def take(self, ask: Ask, asked: Asked) -> int | None:
        """Take a key that is free or the token's own, and return the fence; else None."""
        rows = ask(self._look, asked)
        if not rows:
            fence = int(ask(self.clock, {})[0][0])
            if ask(self._insert, {**asked, "fence": fence}):
                return fence
            if not ask(self._look, asked):  # nobody else was first
                raise BackendUnavailable(
                    f"the table takes no lease: let it be as this says: {in_one_line(self.create)}"
                )
            return None
        now, holder, expires_at, seen = rows[0]
        is_live = expires_at > now
        if is_live and holder != asked["token"]:
            return None
        fence = int(seen if is_live else max(seen + 1, now))
        return fence if ask(self._grant, {**asked, "seen": seen, "fence": fence}) else None

    def renew_many(self, ask: Ask, batch: Sequence[Renewal]) -> set[Any]:
        """Renew (key, token, ms) of different keys, hundreds by one statement; return those renewed."""
        renewed: set[str] = set()
        by_length = sorted(batch, key=lambda lease: (lease[2], lease[0]))
        for ms, group in groupby(by_length, key=lambda lease: lease[2]):
            leases = [(key, token) for key, token, _ in group]
            for start in range(0, len(leases), _BATCH):
                some = leases[start : start + _BATCH]
                asked = {"keys": [key for key, _ in some], "tokens": [token for _, token in some], "ms": ms}
                ask(self._renew_many, asked)
                # A lease that is still held now was renewed: nobody else lengthens it.
                renewed.update(key for key, token in ask(self._held, asked) if (key, token) in set(some))
        return renewed

    def holders(self, ask: Ask, prefix: str) -> Iterator[Row]:
        """Yield key, token and milliseconds left of each lease whose key starts with *prefix*."""
        # No more than this one letter of what a key is made of is a wildcard. One statement lists them all, as each
        # collation has an order of its own.
        yield from ask(self._holders, {"prefix": prefix.replace("_", "!_") + "%"})


class PortableDatabase:
    """What an Engine leads to: how to open a connection, and how to say what is wrong with it."""

    Error: type[Exception] = SQLAlchemyError
    embedded = False

    def __init__(self, engine: Engine, sql: PortableStatements, timeout: float) -> None:
        self.name = shown(engine.url)
        self.timeout = timeout
        self._engine = engine
        self._sql = sql
        self._asked_at = 0.0

    def open(self) -> Connection:
        try:
            pooled = connect_apart(self._engine)
            connection = Connection(self._engine, pooled)
            try:
                dialect, raw = self._engine.dialect, pooled.dbapi_connection
                with suppress(Exception):  # not every dialect can; then each statement is in a transaction of its own
                    if raw and "AUTOCOMMIT" in dialect.get_isolation_level_values(raw):
                        dialect.set_isolation_level(raw, "AUTOCOMMIT")
                if not (dialect.update_returning or dialect.supports_sane_rowcount):
                    raise ConfigurationError(
                        f"{self.name}: {dialect.driver} can't tell whether a row was changed: take another driver"
                    )
                self._look_at_clock(connection)
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            raise BackendUnavailable(f"{self.name}: {_reason(error)}") from error
        return connection

    def is_current(self, connection: Connection) -> bool:
        if monotonic() < self._asked_at + _IDLE:
            return True
        with suppress(SQLAlchemyError):
            return bool(self.ask(connection, select(1), {}))
        return False

    def ask(self, connection: Connection, statement: Any, parameters: Parameters) -> list[Row]:
        # SQLAlchemy would set a column by the parameter of its name: ours have others.
        asked = {f"{name}_": value for name, value in cast("Asked", parameters).items()}
        try:
            with connection.begin():
                result = connection.execute(statement, asked)
                if isinstance(statement, Insert):
                    rows: list[Row] = [()]
                elif result.returns_rows:
                    rows = [tuple(row) for row in result]
                else:
                    rows = [()] * result.rowcount
        except IntegrityError:  # the row is there already: an answer
            rows = []
        self._asked_at = monotonic()
        return rows

    def close(self, connection: Connection) -> None:
        connection.close()

    def _look_at_clock(self, connection: Connection) -> None:
        # By one that shows whole seconds only, a lease would end up to one too early.
        now: Any = None
        for _ in range(3):
            try:
                now = self.ask(connection, self._sql.clock, {})[0][0]
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise
                now = _reason(error)
            if isinstance(now, int | float | Decimal) and int(now) in _PLAUSIBLE and now % 1000:
                return
            sleep(0.002)
        raise ConfigurationError(
            f"{self.name}: {self._sql.clock} should tell the milliseconds since 1970, but tells {now}: say what does, "
            "as in SqlBackend(engine, clock=\"DATEDIFF_BIG(millisecond, '1970-01-01', SYSUTCDATETIME())\")"
        )

    def _prepare(self, connection: Connection) -> None:
        try:
            self._try_out(connection)
        except DBAPIError:
            with suppress(DBAPIError):  # another process has just made it
                self.ask(connection, CreateTable(self._sql.table), {})
            try:
                self._try_out(connection)
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise
                raise ConfigurationError(
                    f"{self.name}: there is no table of leases {self._sql.table} that can be made and written: "
                    f"{_reason(error)}: choose another by table=..., or let somebody who may make it by: "
                    f"{in_one_line(self._sql.create)}"
                ) from error
        self._refuse_keys_of_bytes(connection)

    def _try_out(self, connection: Connection) -> None:
        """Ask for a key that cannot be: it fails unless the table is one of leases, and may be written."""
        nobody = {"key": "", "token": "", "ms": 0}
        for statement in self._sql.tried:
            self.ask(connection, statement, nobody)

    def _refuse_keys_of_bytes(self, connection: Connection) -> None:
        # MySQL compares bytes and texts alike. But the native way writes keys differently: the two would never meet.
        table, columns = self._sql.table, []
        with suppress(NotImplementedError, SQLAlchemyError), connection.begin():  # not every dialect can tell
            columns = inspect(connection).get_columns(table.name, table.schema)
        if any(column["name"].lower() == "key" and isinstance(column["type"], _BYTES) for column in columns):
            raise ConfigurationError(
                f"{self.name}: the keys of {table} are bytes, as once writes them by another driver: choose another by "
                "table=..., for all programs that share the leases"
            )


def _asked(name: str, kind: Any, *, expanding: bool = False) -> BindParameter[Any]:
    return bindparam(f"{name}_", type_=kind, expanding=expanding)


def _reason(error: Exception) -> object:
    """Return what the driver said, without SQLAlchemy's pages about it."""
    return error.orig if isinstance(error, DBAPIError) else error
