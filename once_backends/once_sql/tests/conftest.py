"""The servers that the tests share, each started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sql_servers import MariadbServer, PostgresServer, SqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[SqlServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[SqlServer]:
    with MariadbServer() as server:
        yield server
