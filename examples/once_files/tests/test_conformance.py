"""The nine rules, told by the kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from once_core import Backend
from once_core.testing import BackendConformance
from once_files import FilesBackend


class TestFiles(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> FilesBackend:
        self.root = tmp_path / "leases"
        self.url = f"files://{self.root}"
        return FilesBackend(self.root)

    def restart(self, backend: Backend) -> Backend:
        return FilesBackend(self.root)

    def unreachable(self) -> Backend:
        (self.root.parent / "a file").touch()
        return FilesBackend(self.root.parent / "a file" / "leases")
