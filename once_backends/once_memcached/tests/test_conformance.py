"""The Memcached store keeps the nine rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memcached_server import MemcachedServer
from once_core import Backend
from once_core.testing import BackendConformance
from once_core.testing.servers import free_port
from once_memcached import MemcachedBackend


class TestMemcached(BackendConformance):
    min_ttl = 1.0
    expiry_slack = 2.0

    @pytest.fixture
    def backend(self, server: MemcachedServer) -> Iterator[MemcachedBackend]:
        self.server = server
        backend = MemcachedBackend(server.url)
        yield backend
        backend.close()

    def restart(self, backend: Backend) -> Backend:
        self.server.restart()
        return backend

    def unreachable(self) -> Backend:
        return MemcachedBackend(f"memcached://127.0.0.1:{free_port()}")
