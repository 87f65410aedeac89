"""Fixtures of the tests of the public names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from once_core import Once
from once_memory import MemoryBackend
from once_sql import SqlBackend

from .both import Both, Coroutines, Plain
from .stores import Stage


@pytest.fixture(params=[Plain(), Coroutines()], ids=lambda both: both.name)
def both(request: pytest.FixtureRequest) -> Both:
    """Make and call a plain function, then a coroutine function."""
    both: Both = request.param
    return both


@pytest.fixture
def once() -> Iterator[Once]:
    """Return a `Once` on a private memory store."""
    once = Once(MemoryBackend())
    yield once
    once.close()


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Return a `Once` with its backend: in memory, then in a SQLite file."""
    if request.param == "memory":
        memory = MemoryBackend()
        once = Once(memory)
        yield Stage(once, memory)
        once.close()
    else:
        sqlite = SqlBackend(f"sqlite:///{tmp_path}/once.db")
        once = Once(sqlite)
        yield Stage(once, sqlite)
        once.close()
        sqlite.close()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCE_URL", raising=False)
