"""What all tests share: the servers that some have started are stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guarantees.stores import stop_servers

pytest.register_assert_rewrite("queues.rules")


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    yield
    stop_servers()
