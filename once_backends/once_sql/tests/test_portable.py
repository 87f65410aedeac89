"""Databases and drivers that are served in the portable way: the same nine rules, by an Engine of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from once_core import Backend
from once_core.errors import BackendUnavailable, ConfigurationError
from once_core.testing import BackendConformance
from once_core.testing.servers import free_port
from once_sql import SqlBackend
from once_sql.portable import PortableStatements
from sql_servers import MariadbServer, PostgresServer, SqlServer


def portable(url: str) -> Engine:
    """Return an engine like one of a driver that no dialect here knows."""
    engine = create_engine(url.replace("mysql:", "mysql+pymysql:").replace("postgresql:", "postgresql+psycopg:"))
    engine.dialect.driver = "another"
    return engine


def through_pg8000(url: str) -> Engine:
    """Return an engine of a driver that no dialect here knows indeed."""
    return create_engine(url.replace("postgresql:", "postgresql+pg8000:"))


class ServerRules(BackendConformance):
    """What is the same for all servers."""

    race_rounds = 60  # the database's own doing, at four statements a round over one connection
    engine_of = staticmethod(portable)
    server: SqlServer

    @pytest.fixture
    def backend(self) -> Iterator[SqlBackend]:
        engine = self.engine_of(self.server.url)
        backend = SqlBackend(engine, table="portable")
        assert isinstance(backend._sql, PortableStatements)
        yield backend
        backend.close()
        engine.dispose()

    def unreachable(self) -> Backend:
        return SqlBackend(self.engine_of(self.server.url.replace(f":{self.server.port}/", f":{free_port()}/")))


class TestPostgresql(ServerRules):
    @pytest.fixture(autouse=True)
    def _server(self, postgresql: SqlServer) -> None:
        self.server = postgresql


@pytest.mark.skipif(find_spec("pg8000") is None, reason="pg8000 is not installed")
class TestPostgresqlThroughPg8000(TestPostgresql):
    engine_of = staticmethod(through_pg8000)


class TestMariadb(ServerRules):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: SqlServer) -> None:
        self.server = mariadb


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = portable(f"sqlite:///{tmp_path}/once.db")
    yield engine
    engine.dispose()


def live(backend: SqlBackend) -> None:
    first = backend.acquire("key", "token", 60)
    assert backend.acquire("key", "other", 60) is None
    assert first == backend.acquire("key", "token", 60)
    assert backend.renew("key", "token", 60)
    assert backend.renew_many([("key", "token", 60.0), ("Key", "token", 60.0)]) == [True, False]
    assert [("key", "token")] == [(key, holder.token) for key, holder in backend.holders("k")]
    assert backend.release("key", "token")
    assert not backend.release("key", "token")
    backend.purge()
    second = backend.acquire("key", "other", 60)
    assert first
    assert second
    assert second.fence
    assert first.fence
    assert second.fence > first.fence
    backend.close()


def test_a_dialect_without_autocommit_is_asked_in_transactions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(engine.dialect, "get_isolation_level_values", unknown)
    live(SqlBackend(engine))


def test_rows_are_counted_where_a_change_can_not_answer(engine: Engine) -> None:
    engine.dialect.update_returning = False
    live(SqlBackend(engine))


def test_a_driver_that_can_do_neither_is_refused(engine: Engine) -> None:
    engine.dialect.update_returning = engine.dialect.supports_sane_rowcount = False
    with pytest.raises(ConfigurationError, match="another can't tell whether a row was changed"):
        SqlBackend(engine).holder("key")


@pytest.mark.parametrize(
    ("clock", "complaint"),
    [
        ("CAST(strftime('%s', 'now') AS INTEGER) * 1000", "but tells"),
        ("CURRENT_TIMESTAMP", "but tells"),
        ("UTC_MILLISECONDS()", "no such function"),
    ],
    ids=["of whole seconds", "of dates", "that is not there"],
)
def test_a_clock_that_does_not_show_milliseconds_is_refused(engine: Engine, clock: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{complaint}.*SqlBackend\(engine, clock="):
        SqlBackend(engine, clock=clock).holder("key")


def test_a_clock_may_be_said(engine: Engine) -> None:
    backend = SqlBackend(engine, clock="CAST((julianday('now') - 2440587.5) * 86400000 + 100000.5 AS INTEGER)")
    grant, usual = backend.acquire("key", "token", 60), SqlBackend(engine).acquire("another", "token", 60)

    assert grant
    assert usual
    assert grant.fence
    assert usual.fence
    assert 90_000 < grant.fence - usual.fence < 110_000


def test_a_table_that_can_not_be_used_is_refused_with_the_statement_for_another(server: SqlServer) -> None:
    server.say("CREATE TABLE once_leases (id INT)")
    engine = portable(server.url)
    with pytest.raises(ConfigurationError, match="CREATE TABLE once_leases") as refusal:
        SqlBackend(engine).acquire("key", "token", 60)

    assert "secret" not in str(refusal.value)
    live(SqlBackend(engine, table="my_leases"))
    engine.dispose()


@pytest.mark.parametrize("first", ["native", "portable"])
def test_the_two_ways_share_no_table(server: SqlServer, first: str) -> None:
    # They write keys differently: with some keys each would let its own run.
    url = server.url.replace("mysql:", "mysql+pymysql:").replace("postgresql:", "postgresql+psycopg:")
    engines = {"native": create_engine(url), "portable": portable(server.url)}
    backends = {way: SqlBackend(engine) for way, engine in engines.items()}
    assert backends.pop(first).acquire("key", "token", 60)

    for other in backends.values():
        with pytest.raises(ConfigurationError, match=r"(?s)once_leases.* choose another(,| by)"):
            other.acquire("Key", "token", 60)

    for engine in engines.values():
        engine.dispose()


def test_a_table_that_takes_no_lease_is_never_taken_for_a_held_key(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE once_leases (key VARCHAR(400) PRIMARY KEY, token VARCHAR(1000), expires_at BIGINT, "
            "fence BIGINT, owner TEXT NOT NULL)"
        )

    with pytest.raises((BackendUnavailable, ConfigurationError), match="CREATE TABLE"):
        SqlBackend(engine).acquire("key", "token", 30.0)


@pytest.mark.parametrize("kind", [PostgresServer, MariadbServer])
def test_a_server_that_was_restarted_while_nobody_asked_is_asked_anew(
    kind: type[SqlServer], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: SqlServer = request.getfixturevalue("postgresql" if kind is PostgresServer else "mariadb")
    monkeypatch.setattr("once_sql.portable._IDLE", 0)
    engine = portable(server.url)
    backend = SqlBackend(engine, table="portable")
    backend.acquire("restarted", "token", 600)
    server.restart()

    assert backend.renew("restarted", "token", 600)
    backend.close()
    engine.dispose()


def test_a_server_that_is_away_is_unavailable(server: SqlServer) -> None:
    engine = portable(server.url.replace(f":{server.port}/", f":{free_port()}/"))
    with pytest.raises(BackendUnavailable, match=r"once:\*\*\*@127"):
        SqlBackend(engine).acquire("key", "token", 60)
    engine.dispose()
