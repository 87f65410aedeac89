"""Redis keeps the nine rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from once_core import Backend
from once_core.testing import BackendConformance
from once_core.testing.servers import free_port
from once_redis import RedisBackend
from redis_server import RedisServer


class TestRedis(BackendConformance):
    has_aio = True

    @pytest.fixture
    def backend(self, server: RedisServer) -> Iterator[RedisBackend]:
        self.server = server
        backend = RedisBackend(server.url)
        yield backend
        backend.close()

    def restart(self, backend: Backend) -> Backend:
        self.server.restart()
        return backend

    def unreachable(self) -> Backend:
        return RedisBackend(f"redis://127.0.0.1:{free_port()}")
