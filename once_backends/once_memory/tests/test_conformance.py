"""The memory store keeps the nine rules."""

from __future__ import annotations

from typing import ClassVar

import pytest
from once_memory import MemoryBackend

from once_core.testing import BackendConformance


class TestMemoryBackend(BackendConformance):
    process_local: ClassVar[bool] = True

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()
