"""The nine rules, told by the kit."""

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
        self.url = f"sqlite:///{tmp_path}/once.db?timeout=2"
        backend = SqlBackend(self.url)
        yield backend
        backend.close()

    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path) -> None:
        self.elsewhere = tmp_path / "elsewhere"

    def restart(self, backend: Backend) -> Backend:
        assert isinstance(backend, SqlBackend)
        backend.close()
        return SqlBackend(self.url)

    def unreachable(self) -> Backend:
        self.elsewhere.mkdir()
        backend = SqlBackend(f"sqlite:///{self.elsewhere}/once.db")
        assert backend.holder("key") is None
        backend.close()
        rmtree(self.elsewhere)
        return backend
