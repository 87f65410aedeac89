"""Right backends with what the memory store lacks: a store of all processes, coroutines, batches."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any

from once_core.backend import Backend, Grant, Holder
from once_memory import MemoryBackend


class FileBackend:
    """A JSON file that every call locks, reads and writes, timed by the machine's monotonic clock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        with self.opened() as leases:
            lease = self.live(leases, key)
            if lease and lease[0] != token:
                return None
            fence = lease[2] if lease else self.next_fence(leases)
            leases[key] = [token, self.now() + ttl, fence]
        return Grant(fence)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        with self.opened() as leases:
            lease = self.live(leases, key)
            if lease and lease[0] == token:
                lease[1] = self.now() + ttl
                return True
        return False

    def release(self, key: str, token: str) -> bool:
        with self.opened() as leases:
            lease = self.live(leases, key)
            if lease and lease[0] == token:
                del leases[key]
                return True
        return False

    def holder(self, key: str) -> Holder | None:
        with self.opened() as leases:
            lease = self.live(leases, key)
        return Holder(lease[0], lease[1] - self.now()) if lease else None

    def live(self, leases: dict[str, Any], key: str) -> list[Any] | None:
        lease: list[Any] | None = leases.get(key)
        return lease if lease and lease[1] > self.now() else None

    def next_fence(self, leases: dict[str, Any]) -> int:
        leases[""] = ["", 0.0, leases.get("", ["", 0.0, 0])[2] + 1]
        fence: int = leases[""][2]
        return fence

    def now(self) -> float:
        return monotonic()

    @contextmanager
    def opened(self) -> Generator[dict[str, Any]]:
        with self.path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield from self.read_and_write(file)
            finally:
                # Closing is not enough: a child that was forked meanwhile has the same file open, and locked.
                fcntl.flock(file, fcntl.LOCK_UN)

    def read_and_write(self, file: IO[str]) -> Generator[dict[str, Any]]:
        file.seek(0)
        leases = json.loads(file.read() or "{}")
        before = json.dumps(leases)
        try:
            yield leases
        finally:
            if (after := json.dumps(leases)) != before:
                file.seek(0)
                file.truncate()
                file.write(after)
                file.flush()


class Coroutines:
    """The verbs of *backend* as coroutines."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return self.backend.acquire(key, token, ttl)

    async def renew(self, key: str, token: str, ttl: float) -> bool:
        return self.backend.renew(key, token, ttl)

    async def release(self, key: str, token: str) -> bool:
        return self.backend.release(key, token)

    async def holder(self, key: str) -> Holder | None:
        return self.backend.holder(key)


class AbleBackend(MemoryBackend):
    """The memory store with every ability there is."""

    def __init__(self) -> None:
        super().__init__()
        self.aio = Coroutines(self)

    def close(self) -> None:
        pass
