"""Which database a URL or an Engine is of, and what serves it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from once_core.errors import ConfigurationError

from .connection import Connections, Parameters, SharedConnection
from .statements import Statements

_EXAMPLES = "sqlite:///jobs.db, postgresql://user:password@host/database or mysql://user:password@host/database"
_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_TABLE = re.compile(r"[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?", re.ASCII)


class Asker(Protocol):
    """Runs statements, over connections of its own."""

    def ask(self, statement: Any, parameters: Parameters, /) -> list[tuple[Any, ...]]: ...
    def close(self) -> None: ...


class Served(NamedTuple):
    """What answers the questions about a table."""

    sql: Statements
    store: Asker


def serve(engine_or_url: Engine | str, table: str, timeout: float, clock: str | None) -> Served:
    """Return what serves this database; nothing is connected. Raises ConfigurationError for what can't be served."""
    if isinstance(engine_or_url, str):
        url, options = _read(engine_or_url)
        table = options.get("table", table)
        timeout = _seconds(url, options.get("timeout", timeout))
        engine = _private_engine(url, timeout)
    elif isinstance(engine_or_url, Engine) and not engine_or_url.dialect.is_async:
        engine, url = engine_or_url, engine_or_url.url
        timeout = _seconds(url, timeout)
    else:
        raise ConfigurationError(
            f"{type(engine_or_url).__name__} is neither a URL nor an Engine that blocks: pass a URL, or what "
            "sqlalchemy.create_engine makes; coroutines, too, are served by it, and don't wait in their loop"
        )
    if not _TABLE.fullmatch(table) or table.lower().startswith("sqlite_"):
        raise ConfigurationError(
            f"{url!r}: the table name {table!r} can't be used: take up to 63 letters, digits and underscores, "
            "a letter first, as in table=once_leases, and a schema before it if there is one: table=app.once_leases"
        )
    match engine.dialect.name, engine.dialect.driver:
        case "sqlite", "pysqlite":
            from .sqlite import SqliteDatabase, SqliteStatements

            lite = SqliteStatements(table)
            return Served(lite, SharedConnection(SqliteDatabase(engine, lite, timeout)))
        case "postgresql", "psycopg":
            from .postgresql import PostgresqlDatabase, PostgresqlStatements

            post = PostgresqlStatements(table)
            return Served(post, Connections(PostgresqlDatabase(engine, post, timeout)))
        case "mysql" | "mariadb", "pymysql":
            from .mysql import MysqlDatabase, MysqlStatements

            my = MysqlStatements(table)
            return Served(my, Connections(MysqlDatabase(engine, my, timeout)))
    from .portable import PortableDatabase, PortableStatements

    any_ = PortableStatements(engine, table, clock)
    return Served(any_, SharedConnection(PortableDatabase(engine, any_, timeout)))


def _read(text: str) -> tuple[URL, dict[str, Any]]:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{text!r} is not a database URL: write {_EXAMPLES}") from None
    ours = {name: value for name, value in url.query.items() if name in ("timeout", "table")}
    theirs = url.query.keys() - ours.keys()
    for name in url.query:
        if (name not in ours and url.get_backend_name() == "sqlite") or not isinstance(url.query[name], str):
            raise ConfigurationError(f"{url!r}: {name!r} is no option, or given twice: there are timeout and table")
    return url.set(query={name: url.query[name] for name in theirs}), ours


def _private_engine(url: URL, timeout: float) -> Engine:
    """Return an engine without a pool for *url*."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        from .sqlite import private_engine

        return private_engine(url, timeout)
    if kind not in _DRIVERS:
        raise ConfigurationError(f"{url!r} is not served by a URL: write {_EXAMPLES}")
    if "+" not in url.drivername:
        url = url.set(drivername=_DRIVERS[kind])
    arguments: dict[str, Any] = {"connect_timeout": max(round(timeout), 1)}
    if kind != "postgresql":
        arguments |= {"read_timeout": timeout, "write_timeout": timeout}
    if url.drivername != _DRIVERS[kind]:
        raise ConfigurationError(f"{url!r}: write {_DRIVERS[kind]}://, or leave the driver out")
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = "postgresql" if kind == "postgresql" else "mysql"
        raise ConfigurationError(f'{url!r}: {error}: type pip install "once-sql[{extra}]"') from error


def _seconds(where: URL, value: str | float) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(value)) <= 60:
            return seconds
    raise ConfigurationError(f"{where!r}: timeout={value} is no time to wait: take seconds, above 0 and up to 60")
