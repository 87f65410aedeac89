"""The SQL stores keep the nine rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from once_core import Backend
from once_core.testing import BackendConformance
from once_core.testing.servers import free_port
from once_sql import SqlBackend
from sql_servers import SqlServer


class TestSqlite(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[SqlBackend]:
        self.url = f"sqlite:///{tmp_path}/once.db"
        self.opened = [SqlBackend(self.url)]
        yield self.opened[0]
        for backend in self.opened:
            backend.close()

    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path) -> None:
        self.elsewhere = tmp_path / "elsewhere"

    def restart(self, backend: Backend) -> Backend:
        assert isinstance(backend, SqlBackend)
        backend.close()
        self.opened.append(SqlBackend(self.url))
        return self.opened[-1]

    def unreachable(self) -> Backend:
        self.elsewhere.mkdir()
        backend = SqlBackend(f"sqlite:///{self.elsewhere}/once.db")
        backend.purge()
        backend.close()
        rmtree(self.elsewhere)
        return backend


class ServerRules(BackendConformance):
    """What is the same for all servers."""

    server: SqlServer

    @pytest.fixture
    def backend(self) -> Iterator[SqlBackend]:
        backend = SqlBackend(self.server.url)
        yield backend
        backend.close()

    def restart(self, backend: Backend) -> Backend:
        self.server.restart()
        return backend

    def unreachable(self) -> Backend:
        return SqlBackend(self.server.url.replace(f":{self.server.port}/", f":{free_port()}/"))


class TestPostgresql(ServerRules):
    @pytest.fixture(autouse=True)
    def _server(self, postgresql: SqlServer) -> None:
        self.server = postgresql


class TestMariadb(ServerRules):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: SqlServer) -> None:
        self.server = mariadb
