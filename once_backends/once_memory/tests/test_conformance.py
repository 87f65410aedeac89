"""The nine rules, told by the kit."""

from __future__ import annotations

import pytest

from once_core.testing import BackendConformance
from once_memory import MemoryBackend


class TestMemory(BackendConformance):
    process_local = True

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()
