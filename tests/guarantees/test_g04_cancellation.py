"""G4: a cancellation at any await - asking, running, giving back, once or twice - leaves no key held."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from once_core import Once

from .backends import Relay, Swift
from .calls import DEADLINE, wait_until
from .stores import Store

Run = Callable[[], Coroutine[Any, Any, object]]


def decorated(once: Once, key: str, body: Run) -> Run:
    @once.once(key=key)
    async def run() -> object:
        return await body()

    return run


def locked(once: Once, key: str, body: Run) -> Run:
    async def run() -> object:
        async with once.lock(key):
            return await body()

    return run


@pytest.fixture(params=[decorated, locked])
def guard(request: pytest.FixtureRequest) -> Callable[[Once, str, Run], Run]:
    guard: Callable[[Once, str, Run], Run] = request.param
    return guard


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.005)


async def ended_cancelled(task: asyncio.Task[Any]) -> None:
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(asyncio.CancelledError):
            await task


async def for_ever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return None


RELAYS: dict[str, Callable[[Any], Relay]] = {
    "straight": Swift,
    "bridge": Relay,
    "native": lambda backend: Relay(backend, native=True),
}


@pytest.mark.parametrize("way", RELAYS)
def test_a_cancellation_in_the_body_frees_the_key(
    store: Store, guard: Callable[[Once, str, Run], Run], way: str
) -> None:
    once = store.once(RELAYS[way](store.backend()))
    once.lock("key").is_locked()  # the first question opens the store, in a thread
    begun: list[bool] = []

    async def body() -> None:
        begun.append(True)
        await for_ever()

    async def main() -> bool:
        task = asyncio.create_task(guard(once, "key", body)())
        await until(lambda: begun)
        task.cancel()
        await ended_cancelled(task)
        return store.free_at_once("key")

    assert asyncio.run(main())


class Gate:
    """Stops what comes, in threads or in coroutines, until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self.passed = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def open(self) -> None:
        self._open.set()

    def stop(self) -> None:
        with self._lock:
            self.waiting += 1
        assert self._open.wait(2 * DEADLINE)
        with self._lock:
            self.passed += 1

    async def astop(self) -> None:
        self.waiting += 1
        while not self._open.is_set():
            await asyncio.sleep(0.005)
        self.passed += 1


def stopped(store: Store, way: str, side: str, verb: str, gate: Gate) -> Once:
    relay = RELAYS[way](store.backend())
    if way == "native":
        getattr(relay.aio, side)[verb] = gate.astop
    else:
        getattr(relay, side)[verb] = gate.stop
    once = store.once(relay)
    once.lock("key").is_locked()  # the first question opens the store, in a thread
    return once


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("verb", ["acquire", "release"])
@pytest.mark.parametrize("way", ["bridge", "native"])
def test_a_cancellation_amid_a_question_leaves_the_key_free(
    memory: Store, guard: Callable[[Once, str, Run], Run], way: str, verb: str, side: str, times: int
) -> None:
    gate = Gate()
    once = stopped(memory, way, side, verb, gate)

    async def main() -> None:
        task = asyncio.create_task(guard(once, "key", at_once)())
        await until(lambda: gate.waiting)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        await ended_cancelled(task)

    asyncio.run(main())
    gate.open()
    wait_until(lambda: way == "native" or gate.passed == gate.waiting, "what was asked is answered")
    wait_until(lambda: memory.free_at_once("key"), "the key is free")

    async def again() -> object:
        return await decorated(once, "key", lambda: asyncio.sleep(0, "again"))()

    assert "again" == asyncio.run(again())


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("way", ["bridge", "native"])
def test_twenty_tasks_cancelled_at_once_leave_no_key_stuck(
    store: Store, guard: Callable[[Once, str, Run], Run], way: str, times: int
) -> None:
    gate = Gate()
    once = stopped(store, way, "before", "release", gate)
    keys = [f"key-{number}" for number in range(20)]
    begun: list[bool] = []

    async def body() -> None:
        begun.append(True)
        await for_ever()

    async def main() -> None:
        tasks = [asyncio.create_task(guard(once, key, body)()) for key in keys]
        await until(lambda: len(begun) == 20)
        for task in tasks:
            task.cancel()
        await until(lambda: gate.waiting)
        if times == 2:  # some of them while their release is queued
            for task in tasks:
                task.cancel()
            await asyncio.gather(*map(ended_cancelled, tasks))
        gate.open()
        await asyncio.gather(*map(ended_cancelled, tasks))

    asyncio.run(main())
    gate.open()

    for key in keys:
        wait_until(lambda: store.free_at_once(key), f"{key} is free")  # noqa: B023  # waited for at once


def test_tasks_cancelled_while_their_question_is_queued_leave_no_key_stuck(
    memory: Store, guard: Callable[[Once, str, Run], Run]
) -> None:
    gate = Gate()
    once = stopped(memory, "bridge", "before", "acquire", gate)
    keys = [f"key-{number}" for number in range(40)]

    async def main() -> None:
        tasks = [asyncio.create_task(guard(once, key, at_once)()) for key in keys]
        await until(lambda: gate.waiting)
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*map(ended_cancelled, tasks))

    asyncio.run(main())
    gate.open()

    async def again() -> list[object]:
        return [await decorated(once, key, lambda: asyncio.sleep(0, "again"))() for key in keys]

    for key in keys:
        wait_until(lambda: memory.free_at_once(key), f"{key} is free")  # noqa: B023  # waited for at once
    assert ["again"] * 40 == asyncio.run(again())


def test_a_cancellation_of_one_that_waits_for_a_held_key_leaves_the_holder_alone(store: Store) -> None:
    once, backend = store.once(), store.backend()
    backend.acquire(f"{store.prefix}key", "holder", 300.0)

    async def wait() -> None:
        async with once.lock("key", wait=3600):
            pass

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.3)
        task.cancel()
        await ended_cancelled(task)

    asyncio.run(main())
    holder = backend.holder(f"{store.prefix}key")

    assert holder is not None
    assert "holder" == holder.token
