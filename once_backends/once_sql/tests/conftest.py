"""The servers that the tests share, each started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sql_servers import MariadbServer, Pgbouncer, PostgresServer, SqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[SqlServer]:
    with MariadbServer() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgresql: PostgresServer) -> Iterator[Pgbouncer]:
    with Pgbouncer(postgresql) as server:
        yield server


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> SqlServer:
    """Run the test with each of the servers, without a table."""
    server: SqlServer = request.getfixturevalue(request.param)
    server.say("DROP TABLE IF EXISTS once_leases")
    return server
