"""A dict under a lock that keeps the nine rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from threading import Lock
from time import monotonic, time_ns
from weakref import WeakSet

from once_core import Grant, Holder


class MemoryBackend:
    """A store of this process alone. Each object is a private one; `memory://name` is shared by its name.

    *clock* tells seconds that never go back; one that can be stepped spares tests the waiting.
    """

    never_blocks = True

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._now = clock
        # A resource may outlive this process and remember its fences: counting from the wall clock, they grow all the
        # same, as no process grants a million times a second.
        self._fences = count(time_ns() // 1000)
        self._begin_empty()
        _backends.add(self)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        with self._lock:
            now = self._now()
            lease = self._leases.get(key)
            if lease is None or lease[1] <= now:
                fence = next(self._fences)
            elif lease[0] == token:
                fence = lease[2]
            else:
                return None
            self._leases[key] = (token, now + ttl, fence)
        return Grant(fence)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        with self._lock:
            now = self._now()
            lease = self._leases.get(key)
            if lease is None or lease[0] != token or lease[1] <= now:
                return False
            self._leases[key] = (token, now + ttl, lease[2])
            return True

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        return [self.renew(*lease) for lease in leases]

    def release(self, key: str, token: str) -> bool:
        with self._lock:
            lease = self._leases.get(key)
            if lease is None or lease[0] != token:
                return False
            del self._leases[key]
            return lease[1] > self._now()

    def holder(self, key: str) -> Holder | None:
        with self._lock:
            lease = self._leases.get(key)
            remaining = lease[1] - self._now() if lease else 0.0
        return Holder(lease[0], remaining) if lease and remaining > 0 else None

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        with self._lock:
            keys = [key for key in self._leases if key.startswith(prefix)]
        for key in keys:
            if holder := self.holder(key):
                yield key, holder

    def purge(self) -> None:
        with self._lock:
            now = self._now()
            for key in [key for key, lease in self._leases.items() if lease[1] <= now]:
                del self._leases[key]

    def _begin_empty(self) -> None:
        self._leases: dict[str, tuple[str, float, int]] = {}
        self._lock = Lock()


_backends: WeakSet[MemoryBackend] = WeakSet()


def _begin_empty_after_fork() -> None:
    # The parent's runs are not this process's, and another of its threads may have held the lock.
    for backend in list(_backends):
        backend._begin_empty()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_empty_after_fork)
