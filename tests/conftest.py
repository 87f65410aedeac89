"""What all tests share: the servers that some have started are stopped at the end, and no store stays configured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import once_core
from guarantees.stores import stop_servers
from once_core import decorator

pytest.register_assert_rewrite("queues.rules")


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    yield
    stop_servers()


@pytest.fixture(autouse=True)
def no_configuration() -> Iterator[None]:
    yield
    if decorator.default._source is not None:  # by a document's example, say
        once_core.configure(None)
