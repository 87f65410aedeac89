"""The SQLite store keeps the nine rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from once_core import Backend
from once_core.testing import BackendConformance
from once_sql import SqlBackend


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
