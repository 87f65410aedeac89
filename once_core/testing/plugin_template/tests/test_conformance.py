"""The nine rules, told by the kit: `pytest -x` shows the first that is broken. Make it green, then the next."""

from __future__ import annotations

import pytest

from once_coconut import CoconutBackend
from once_core.testing import BackendConformance


class TestCoconut(BackendConformance):
    url = "coconut://localhost"
    # What the store is like, where it is not like most: min_ttl, expiry_slack, process_local, has_aio, ... Read
    # `python -m pydoc once_core.testing.basis`; override `restart` and `unreachable` there where you can.

    @pytest.fixture
    def backend(self) -> CoconutBackend:
        return CoconutBackend(self.url)
