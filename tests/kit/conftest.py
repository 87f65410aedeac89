"""Fixtures of the tests of what once_core.testing offers."""

from __future__ import annotations

import pytest

from api.both import Both, Coroutines, Plain


@pytest.fixture(params=[Plain(), Coroutines()], ids=lambda both: both.name)
def both(request: pytest.FixtureRequest) -> Both:
    """Make and call a plain function, then a coroutine function."""
    both: Both = request.param
    return both


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCE_URL", raising=False)
