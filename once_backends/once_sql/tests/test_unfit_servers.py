"""How a server is found unfit or away, and what is said of it: never the password, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import create_engine, make_url

from once_core.errors import BackendUnavailable, ConfigurationError, OnceError
from once_core.testing.servers import free_port
from once_sql import SqlBackend
from sql_servers import MariadbServer, PostgresServer, SqlServer


def told(url: str, kind: type[OnceError], verb: str = "acquire") -> str:
    """Return what a first call of a store at *url* is told, which is without its password."""
    backend = SqlBackend(url)
    with pytest.raises(kind) as raised:
        backend.acquire("key", "token", 60) if verb == "acquire" else backend.holder("key")
    backend.close()
    assert "secret" not in f"{raised.value}{raised.value!r}{backend!r}"
    return str(raised.value)


def told_of_url(url: str) -> str:
    """Return what is told of a URL that is refused, when it is read or by the first call."""
    with pytest.raises(ConfigurationError) as raised:
        SqlBackend(url).acquire("key", "token", 60)
    assert "secret" not in f"{raised.value}"
    return str(raised.value)


def at(server: SqlServer, **changes: object) -> str:
    return make_url(server.url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]  # a URL's own


@pytest.fixture
def user(server: SqlServer) -> Iterator[str]:
    """Make a user `guest` that may log in and no more; yield its URL."""
    host = "@'%'" if isinstance(server, MariadbServer) else ""
    if host:
        server.say(f"CREATE USER guest{host} IDENTIFIED BY 'secret'", f"GRANT SHOW DATABASES ON *.* TO guest{host}")
        server.say(f"GRANT SELECT ON once.* TO guest{host}")
    else:
        server.say("CREATE USER guest PASSWORD 'secret'")
    yield at(server, username="guest")
    if not host:
        server.say("DROP OWNED BY guest")
    server.say(f"DROP USER guest{host}")


def test_nobody_at_the_port_is_unavailable(server: SqlServer) -> None:
    port = free_port()

    assert f"***@127.0.0.1:{port}" in told(at(server, port=port), BackendUnavailable)


def test_a_wrong_password_is_said(server: SqlServer) -> None:
    assert "check user, password" in told(at(server, password="secrets"), ConfigurationError)


def test_a_wrong_database_is_said(server: SqlServer) -> None:
    assert "check user, password" in told(at(server, database="missing"), ConfigurationError)


def test_who_may_not_make_the_table_is_told_the_statement(server: SqlServer, user: str) -> None:
    message = told(user, ConfigurationError)
    (statement,) = re.findall(r"CREATE TABLE .*", message)
    to_guest = "once_leases TO guest" + ("@'%'" if isinstance(server, MariadbServer) else "")
    server.say(statement, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {to_guest}")
    backend = SqlBackend(user)

    assert backend.acquire("key", "token", 60)
    backend.purge()
    backend.close()


@pytest.mark.parametrize("right", ["INSERT", "UPDATE"])
def test_who_may_not_write_the_table_is_told_so(server: SqlServer, user: str, right: str) -> None:
    backend = SqlBackend(server.url)
    backend.purge()
    backend.close()
    to_guest = "once_leases TO guest" + ("@'%'" if isinstance(server, MariadbServer) else "")
    server.say(f"GRANT SELECT, DELETE, {'UPDATE' if right == 'INSERT' else 'INSERT'} ON {to_guest}")

    assert "give this user the right" in told(user, ConfigurationError)


@pytest.mark.parametrize(
    "columns",
    [
        "key_ INT PRIMARY KEY, owner INT",
        "{key} {bytes} NOT NULL, token {bytes} NOT NULL, expires_at BIGINT NOT NULL, fence BIGINT NOT NULL",
        "{key} INT PRIMARY KEY, token {bytes} NOT NULL, expires_at BIGINT NOT NULL, fence BIGINT NOT NULL",
        "{key} {bytes} PRIMARY KEY, token {bytes} NOT NULL, expires_at INT NOT NULL, fence INT NOT NULL",
        "{key} {bytes} PRIMARY KEY, token {long} NOT NULL, expires_at BIGINT NOT NULL, fence BIGINT NOT NULL, "
        "job INT NOT NULL",
        "{key} {bytes} PRIMARY KEY, token {short} NOT NULL, expires_at BIGINT NOT NULL, fence BIGINT NOT NULL",
    ],
    ids=["other columns", "no primary key", "a key of another type", "small numbers", "one more", "short tokens"],
)
def test_something_else_by_the_name_of_the_table_is_refused(server: SqlServer, columns: str) -> None:
    mariadb = isinstance(server, MariadbServer)
    names = {"key": "key", "bytes": "bytea", "long": "bytea", "short": "varchar(8)"}
    if mariadb:
        names = {"key": "`key`", "bytes": "VARBINARY(512)", "long": "VARBINARY(1024)", "short": "VARBINARY(8)"}
    server.say(f"CREATE TABLE once_leases ({columns.format(**names)})")

    message = told(server.url, ConfigurationError)
    assert "once_leases" in message
    assert "is no table of leases: choose another, as in ?table=my_leases" in message
    backend = SqlBackend(f"{server.url}?table=my_leases")
    assert backend.acquire("key", "token", 60)
    assert backend.release("key", "token")
    backend.close()


@contextmanager
def read_only(server: SqlServer) -> Iterator[None]:
    """While it lasts `guest` may write nothing, as on a replica."""
    if isinstance(server, MariadbServer):
        server.say("SET GLOBAL read_only = 1")
        yield
        server.say("SET GLOBAL read_only = 0")
    else:
        server.say("ALTER ROLE guest SET default_transaction_read_only = on")
        yield


@pytest.mark.parametrize("table_is_there", [False, True])
def test_a_server_that_may_only_be_read_is_refused(server: SqlServer, user: str, table_is_there: bool) -> None:
    if table_is_there:
        backend = SqlBackend(server.url)
        backend.purge()
        backend.close()
    everything = "once.* TO guest@'%'" if isinstance(server, MariadbServer) else "SCHEMA public TO guest"
    server.say(f"GRANT ALL ON {everything}")
    with read_only(server):
        message = told(user, ConfigurationError)

    assert "name the server that is written to" in message


@pytest.mark.parametrize("verb", ["acquire", "holder"])
def test_a_server_that_stands_still_is_unavailable(server: SqlServer, verb: str) -> None:
    asking: dict[str, Callable[[SqlBackend], object]] = {
        "acquire": lambda backend: backend.acquire("key", "other", 60),
        "holder": lambda backend: backend.holder("key"),
    }
    backend = SqlBackend(f"{server.url}?timeout=1")
    backend.acquire("key", "token", 60)
    with server.paused():
        with pytest.raises(BackendUnavailable, match=r"\*\*\*@127\.0\.0\.1"):
            asking[verb](backend)
        told(f"{server.url}?timeout=1", BackendUnavailable, verb)

    assert backend.renew("key", "token", 60)
    backend.close()


def test_a_dropped_table_is_made_again_by_the_next_question(server: SqlServer) -> None:
    backend = SqlBackend(server.url)
    backend.acquire("key", "token", 60)
    server.say("DROP TABLE once_leases")
    with pytest.raises(BackendUnavailable, match="once_leases"):
        backend.acquire("key", "token", 60)

    assert backend.acquire("key", "token", 60)
    backend.close()


def test_a_table_that_does_not_fit_any_more_is_unavailable_and_no_token_is_told(server: SqlServer) -> None:
    backend = SqlBackend(server.url)
    backend.acquire("key", "token", 60)
    server.say("ALTER TABLE once_leases ADD COLUMN job INT NOT NULL DEFAULT 0")
    server.say("ALTER TABLE once_leases ALTER COLUMN job DROP DEFAULT")
    with pytest.raises(BackendUnavailable, match="job") as first:
        backend.acquire("another", "token", 60)
    with pytest.raises(BackendUnavailable, match="is no table of leases") as later:
        backend.acquire("another", "token", 60)
    backend.close()

    for error in (first.value, later.value):
        assert "\n" not in str(error)
        assert b"token".hex() not in str(error)


def test_a_schema_that_is_not_there_is_named_and_has_to_be_made_first(server: SqlServer) -> None:
    message = told(f"{server.url}?table=nowhere.once_leases", ConfigurationError)

    assert "nowhere" in message
    assert "create the schema first" in message


def test_a_table_may_be_in_another_schema(server: SqlServer) -> None:
    server.say("CREATE SCHEMA app")
    backend = SqlBackend(f"{server.url}?table=app.leases")
    assert backend.acquire("key", "token", 60)
    backend.close()

    assert [(1,)] == server.say("SELECT count(*) FROM app.leases", "SELECT count(*) FROM app.leases")
    server.say("DROP TABLE app.leases", "DROP SCHEMA app")


@pytest.mark.parametrize(
    "option", ["tiemout=3", "ssl_ca=/missing.pem", "read_timeout=abc", "charset=klingon", "port=abc"]
)
def test_an_option_that_pymysql_does_not_take_is_refused(mariadb: MariadbServer, option: str) -> None:
    message = told_of_url(f"{mariadb.url}?{option}")

    assert "pymysql can't use these options" in message
    assert "check the options of the URL" in message


@pytest.mark.parametrize("option", ["sslmode=requires", "sslmde=require", "keepalives=abc"])
def test_an_option_that_psycopg_does_not_take_is_refused(postgresql: PostgresServer, option: str) -> None:
    assert "options of the URL" in told_of_url(f"{postgresql.url}?{option}")


def test_an_option_that_another_driver_does_not_take_is_refused(tmp_path: Path) -> None:
    backend = SqlBackend(create_engine(f"sqlite:///{tmp_path}/once.db", connect_args={"tiemout": 3}))

    with pytest.raises(ConfigurationError, match=r"can't use these options \(.*tiemout"):
        backend.acquire("key", "token", 60)


def test_who_asks_for_tls_that_the_server_does_not_have_is_told_so(server: SqlServer) -> None:
    option = "sslmode=require"
    if isinstance(server, MariadbServer):
        option = "ssl_verify_cert=true"
        if pymysql.VERSION < (1, 2):
            pytest.skip("PyMySQL goes on without TLS there, before 1.2")

    assert "out, or switch TLS on at the server" in told(f"{server.url}?{option}", ConfigurationError)


@pytest.mark.parametrize("option", ["", "?sslmode=disable"])
def test_a_server_that_is_no_postgresql_is_asked_about(mariadb: MariadbServer, option: str) -> None:
    url = f"postgresql://once:secret@{mariadb.host}:{mariadb.port}/once{option}"

    assert "is it a PostgreSQL" in told(url, BackendUnavailable)


def test_a_server_that_is_no_mysql_is_asked_about(postgresql: PostgresServer) -> None:
    url = f"mysql://once:secret@{postgresql.host}:{postgresql.port}/once?timeout=1"

    assert "is it a MySQL or MariaDB" in told(url, BackendUnavailable)


def test_a_password_among_the_options_is_not_told(postgresql: PostgresServer) -> None:
    url = f"postgresql://127.0.0.1:{free_port()}/postgres?user=once&password=secret"

    assert "password=***" in told(url, BackendUnavailable)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://once:secret@host:54x/database", "postgresql://once:***@host:54x/database' is no database URL"),
        ("postgresql+psycopg2://once:secret@host/database", "configure(SqlBackend(create_engine(...)))"),
        ("redis://once:secret@host/0", "is no database that SQLAlchemy knows"),
        ("oracle://once:secret@host/database", "configure(SqlBackend(create_engine(...)))"),
        ("postgresql://once:secret@host/database?timeout=never", "take seconds"),
        ("postgresql://once:secret@host/database?durable=perhaps", "durable=true nor durable=false"),
        ("mysql://once:secret@host/database?durable=false", "PostgreSQL by psycopg alone"),
        ("mysql://once:secret@host/database?table=a.b.c", "take up to 63 letters"),
    ],
)
def test_a_url_that_can_not_work_is_refused_with_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        SqlBackend(url)

    assert advice in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_an_engine_for_coroutines_is_refused_with_what_to_pass() -> None:
    asyncio = pytest.importorskip("sqlalchemy.ext.asyncio", exc_type=ImportError, reason="it needs greenlet")
    engine = asyncio.create_async_engine("postgresql+psycopg://host/database")
    for refused in (engine, engine.sync_engine):
        with pytest.raises(ConfigurationError, match=r"create_engine\(\.\.\.\) makes; coroutines, too"):
            SqlBackend(refused)


def test_an_engine_of_ones_own_that_has_lent_out_its_connections_is_not_waited_for(server: SqlServer) -> None:
    url = make_url(server.url)
    driver = "mysql+pymysql" if url.drivername == "mysql" else "postgresql+psycopg"
    engine = create_engine(url.set(drivername=driver), pool_size=1, max_overflow=0, pool_timeout=60)
    backend = SqlBackend(engine)
    with engine.connect():
        assert backend.acquire("key", "token", 60)
        assert backend.release("key", "token")
    backend.close()
    engine.dispose()
