"""Fixtures that all guarantees share: each test runs over the stores, and over `def` and `async def`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .kinds import FORMS, KINDS, Kind
from .processes import Programs
from .stores import STORES, Store, opened


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Store]:
    """Yield a store for rules that are the core's alone."""
    with opened("memory", tmp_path) as store:
        yield store


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = KINDS[request.param]
    return kind


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Kind:
    form: Kind = FORMS[request.param]
    return form


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.close()
