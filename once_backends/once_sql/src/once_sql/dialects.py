"""Which database a URL or an Engine is of, and what serves it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine

from once_core.errors import ConfigurationError

from .connection import Connections, Parameters, SharedConnection, shown
from .statements import Statements
from .url import boolean, private_engine, read, seconds, table_name


class Asker(Protocol):
    """Runs statements, over connections of its own."""

    def ask(self, statement: Any, parameters: Parameters, /) -> list[tuple[Any, ...]]: ...
    def close(self) -> None: ...


class Served(NamedTuple):
    """What answers the questions about a table."""

    sql: Statements
    store: Asker


def serve(engine_or_url: Engine | str, *, clock: str | None, **options: Any) -> Served:
    """Return what serves this database; nothing is connected. Raises ConfigurationError for what can't be served."""
    if isinstance(engine_or_url, str):
        url, written = read(engine_or_url)
        options |= written
        engine = private_engine(url, seconds(shown(url), options["timeout"]))
    elif isinstance(engine_or_url, Engine) and not engine_or_url.dialect.is_async:
        engine = engine_or_url
    else:
        raise ConfigurationError(
            f"{type(engine_or_url).__name__} is neither a URL nor an Engine that blocks: pass a URL, or what "
            "sqlalchemy.create_engine(...) makes; coroutines, too, are served by it, from threads"
        )
    where = shown(engine.url)
    table, timeout = table_name(where, options["table"]), seconds(where, options["timeout"])
    durable = boolean(where, options["durable"])
    kind = engine.dialect.name, engine.dialect.driver
    if not durable and kind != ("postgresql", "psycopg"):
        raise ConfigurationError(f"{where}: durable=false is for PostgreSQL by psycopg alone: leave it out")

    match kind:
        case "sqlite", "pysqlite":
            from .sqlite import SqliteDatabase, SqliteStatements

            lite = SqliteStatements(table)
            return Served(lite, SharedConnection(SqliteDatabase(engine, lite, timeout)))
        case "postgresql", "psycopg":
            from .postgresql import PostgresqlDatabase, PostgresqlStatements

            post = PostgresqlStatements(table, durable)
            return Served(post, Connections(PostgresqlDatabase(engine, post, timeout)))
        case "mysql" | "mariadb", "pymysql":
            from .mysql import MysqlDatabase, MysqlStatements

            my = MysqlStatements(table)
            return Served(my, Connections(MysqlDatabase(engine, my, timeout)))
    from .portable import PortableDatabase, PortableStatements

    any_other = PortableStatements(engine, table, clock)
    return Served(any_other, SharedConnection(PortableDatabase(engine, any_other, timeout)))
