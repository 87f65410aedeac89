"""What the tests of the rooms leave behind is put away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from once_core import lease


@pytest.fixture(autouse=True)
def _no_current_lease() -> Iterator[None]:
    yield
    lease._current.set(None)
