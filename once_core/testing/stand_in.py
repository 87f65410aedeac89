"""For tests of what is decorated with `@once`: a store in memory in place of the configured one, and how to steer it.

PYTEST_DONT_REWRITE: `pytest_plugins` may name it after something has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import inf
from secrets import token_hex
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING

import pytest

from .. import decorator, process
from ..backend import Backend, Grant, Holder
from ..decorator import Once
from ..errors import BackendUnavailable
from ..keeper import RENEW, keeper
from ..lease import HELD, Lease
from ..store import Store, opening, store_for

if TYPE_CHECKING:
    from once_memory import MemoryBackend

_PATIENCE = 5.0


@pytest.fixture
def once_store() -> Generator[StandIn]:
    """Let once ask a fresh store in memory during the test, whatever is configured; yield what steers it."""
    with in_memory() as store:
        yield store


@contextmanager
def in_memory() -> Generator[StandIn]:
    """Do what the fixture `once_store` does, for tests that don't use pytest's fixtures.

    The default `Once` and all others ask stores in memory, one in place of each that they were configured with. All
    are as they were afterwards: a `configure` in between lasts no longer. `ONCE_URL` is memory:// meanwhile.
    """
    scene = _Scene()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCE_URL", "memory://")
        with opening():
            before = {once: dict(vars(once)) for once in decorator.every}
            for once in before:
                vars(once).update(setting=None, _let_go=None)
            patch.setattr(decorator, "store_for", scene.store_for)
            for name, module in list(sys.modules.items()):
                if name.startswith("once_core.") and vars(module).get("clock") is scene.real_clock:
                    patch.setattr(module, "clock", scene.clock)
        try:
            yield StandIn(decorator.default, scene)
        finally:
            for once in list(decorator.every):
                once.close()
                vars(once).update(before.get(once, {}))


class StandIn:
    """The store in memory of one `Once`, and what a test can let happen to it.

    Keys are without the prefix; `function.key_for(...)` is the key of a call.
    """

    def __init__(self, once: Once, scene: _Scene) -> None:
        self._once = once
        self._scene = scene

    def of(self, once: Once) -> StandIn:
        """Return the store of another `Once` than the default one."""
        if not isinstance(once, Once):
            raise TypeError(f"of() takes a Once, not {once!r}")
        return StandIn(once, self._scene)

    @contextmanager
    def held(self, key: str, ttl: float = 3600.0) -> Generator[Holder]:
        """Let another worker hold *key* during the block, or until *ttl* seconds have passed; yield it."""
        memory, full_key = self._memory.backend, self._full(key)
        token = f"another-worker:1:{time_ns() // 1_000_000}:{token_hex(6)}"
        if memory.acquire(full_key, token, ttl) is None:
            pytest.fail(f"another worker can't hold {key!r}: it is held by {memory.holder(full_key)}")
        try:
            yield Holder(token, ttl)
        finally:
            memory.release(full_key, token)

    @contextmanager
    def away(self) -> Generator[None]:
        """Let the store be out of reach during the block."""
        memory = self._memory
        memory.outages += 1
        try:
            yield
        finally:
            memory.outages -= 1

    def lose(self, key: str) -> None:
        """Let the run that holds *key* lose its lease, as if its renewal had been answered with no."""
        running = self._once.open().store.running
        lease = running.get(self._full(key))
        if lease is None or lease.state != HELD:
            keys = ", ".join(repr(lease.key) for lease in running.values()) or "none"
            pytest.fail(f"no run holds {key!r}, so none can lose it. The keys of the runs under way: {keys}")
        self._memory.backend.release(lease.full_key, lease.token)
        lease.lose("denied")

    def step(self, seconds: float) -> None:
        """Let *seconds* pass at once, for all stores and runs.

        A run under way is renewed then, as if that time had gone by - unless its lease has ended by the step: that is
        what becomes of a run on a machine that stood still.
        """
        if not seconds > 0:
            raise ValueError(f"step({seconds!r}): time goes on by a number of seconds greater than 0")
        self._scene.step(seconds)

    @property
    def _memory(self) -> _Memory:
        memory = self._once.open().store.open()
        assert isinstance(memory, _Memory)
        return memory

    def _full(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"a key is a text, such as check_order.key_for(42), not {key!r}")
        return self._once.open().prefix + key


class _Scene:
    """What the stores of one test share: the time."""

    def __init__(self) -> None:
        self.real_clock = process.clock
        self._ahead = 0.0
        self._memories: dict[str | int, tuple[str | Backend, _Memory]] = {}  # the source stays: an id is its name
        self._stores: set[Store] = set()
        self._open: Callable[[str | Backend], Store] = store_for

    def clock(self) -> float:
        return self.real_clock() + self._ahead

    def store_for(self, source: str | Backend) -> Store:
        """Return a store in memory that stands in for the one that *source* names."""
        name = source if isinstance(source, str) else id(source)
        store = self._open(self._memories.setdefault(name, (source, _Memory(self.clock)))[1])
        self._stores.add(store)
        return store

    def step(self, seconds: float) -> None:
        self._ahead += seconds
        now = self.clock()
        due = [
            (lease, lease.deadline)
            for store in self._stores
            for lease in list(store.running.values())
            if lease.renew_at < inf and now < lease.deadline < now + lease.ttl * (1 - 1 / RENEW)
        ]
        for lease, _ in due:
            lease.renew_at = now
        keeper.look_by(now)
        give_up = monotonic() + _PATIENCE
        for lease, deadline in due:
            while (
                self._is_reached(lease) and lease.state == HELD and lease.renew_at < inf and lease.deadline == deadline
            ):
                if monotonic() > give_up:
                    raise TimeoutError(f"the lease on {lease.key!r} was not renewed within {_PATIENCE:g} s")
                sleep(0.001)

    def _is_reached(self, lease: Lease) -> bool:
        return isinstance(lease.store.backend, _Memory) and not lease.store.backend.outages


class _Memory:
    """A store in memory that can be away."""

    never_blocks = True

    def __init__(self, clock: Callable[[], float]) -> None:
        try:
            from once_memory import MemoryBackend
        except ModuleNotFoundError as error:
            raise ImportError(
                'the fixture once_store needs once-memory, which is not installed: run pip install "once-core[testing]"'
            ) from error
        self.backend = MemoryBackend(clock)
        self.outages = 0

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return self._reached().acquire(key, token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return self._reached().renew(key, token, ttl)

    def release(self, key: str, token: str) -> bool:
        return self._reached().release(key, token)

    def holder(self, key: str) -> Holder | None:
        return self._reached().holder(key)

    def _reached(self) -> MemoryBackend:
        if self.outages:
            raise BackendUnavailable("the test lets the store be away")
        return self.backend
