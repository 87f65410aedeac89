"""The servers that the tests share: started by the first that asks for one, and given to each without a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sql_servers import MariadbServer, Pgbouncer, PostgresServer, SqlServer


@pytest.fixture(scope="session")
def started_postgresql() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def started_mariadb() -> Iterator[MariadbServer]:
    with MariadbServer() as server:
        yield server


@pytest.fixture(scope="session")
def started_pgbouncer(started_postgresql: PostgresServer) -> Iterator[Pgbouncer]:
    with Pgbouncer(started_postgresql) as server:
        yield server


@pytest.fixture
def postgresql(started_postgresql: PostgresServer) -> PostgresServer:
    as_at_first = ("CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO public")
    started_postgresql.say("DROP SCHEMA public CASCADE", *as_at_first)
    return started_postgresql


@pytest.fixture
def mariadb(started_mariadb: MariadbServer) -> MariadbServer:
    started_mariadb.say("DROP DATABASE once", "CREATE DATABASE once")
    return started_mariadb


@pytest.fixture
def pgbouncer(started_pgbouncer: Pgbouncer, postgresql: PostgresServer) -> Pgbouncer:
    """A pooler of *postgresql*, which the test gets without a table like any other."""
    assert started_pgbouncer.postgresql is postgresql
    return started_pgbouncer


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> SqlServer:
    """Run the test with each of the servers."""
    server: SqlServer = request.getfixturevalue(request.param)
    return server
