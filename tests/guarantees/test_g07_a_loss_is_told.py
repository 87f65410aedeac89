"""G7: a run that lost its lease is told by ttl after the last renewal that succeeded was sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from once_core import LeaseLost, Once, current_lease

from .backends import Native, Relay, away
from .calls import DEADLINE, wait_until
from .kinds import Kind
from .processes import Programs
from .stores import Store

TTL = 0.4


class Silent(Relay):
    """Grants, and then takes the lease away in a way that can be chosen."""

    def __init__(self, store: Store, how: str) -> None:
        from once_memory import MemoryBackend

        super().__init__(MemoryBackend())
        self.over = threading.Event()
        if how == "hangs":
            self.before["renew"] = lambda: self.over.wait(DEADLINE)
        elif how == "raises":
            self.before["renew"] = away
        elif how == "fails":
            self.before["renew"] = partial(int, "no number")
        else:
            self.before["renew"] = self.forget

    def forget(self) -> None:
        from once_memory import MemoryBackend

        self.backend = MemoryBackend()


HOW = ["hangs", "raises", "fails", "denies"]


def told() -> bool:
    lease = current_lease()
    assert lease is not None
    return lease.lost


@pytest.mark.parametrize("how", HOW)
def test_a_run_is_told_by_ttl_after_the_last_success_was_sent(memory: Store, form: Kind, how: str) -> None:
    relay = Silent(memory, how)

    def body() -> float:
        while True:
            asked = monotonic()
            if told():
                return asked
            assert asked < relay.granted_until(TTL), "the lease is over, and the run was not told"
            sleep(0.005)

    form(memory.once(relay, ttl=TTL), "key", body)()
    relay.over.set()


def test_a_lease_counts_from_before_its_question_was_sent_however_late_the_answer(memory: Store, kind: Kind) -> None:
    ttl, late = 1.5, 0.3
    relay = Relay(memory.backend())
    relay.after["acquire"] = relay.after["renew"] = partial(sleep, late)

    def body() -> None:
        lease = current_lease()
        assert lease is not None
        while relay.count("renew") < 2:
            now = monotonic()
            assert now + lease.remaining <= relay.granted_until(ttl), "it believes in more than it was promised"
            sleep(0.01)

    kind(memory.once(relay, ttl=ttl), "key", body)()


def test_a_run_that_asks_gets_lease_lost(memory: Store, form: Kind) -> None:
    relay = Silent(memory, "denies")

    def body() -> None:
        lease = current_lease()
        assert lease is not None
        lease.raise_if_lost()
        wait_until(lambda: lease.lost, "the lease is lost")
        lease.raise_if_lost()

    with pytest.raises(LeaseLost, match="key"):
        form(memory.once(relay, ttl=TTL), "key", body)()


def test_a_lost_lease_has_no_time_left(memory: Store, form: Kind) -> None:
    def body() -> float:
        wait_until(told, "the lease is lost")
        lease = current_lease()
        assert lease is not None
        return lease.remaining

    assert 0 == form(memory.once(Silent(memory, "denies"), ttl=TTL), "key", body)()


def test_a_run_keeps_its_result_unless_it_asked_for_lease_lost(memory: Store, form: Kind) -> None:
    assert RESULT == form(memory.once(Silent(memory, "denies"), ttl=TTL), "key", until_lost)()


RESULT = "a result nobody may rely on"


def until_lost() -> str:
    wait_until(told, "the lease is lost")
    return RESULT


@pytest.mark.parametrize("how", ["hangs", "denies"])
def test_lease_lost_stands_for_the_result_where_it_is_asked_for(memory: Store, form: Kind, how: str) -> None:
    relay = Silent(memory, how)
    with pytest.raises(LeaseLost, match="key"):
        form(memory.once(relay, ttl=TTL), "key", until_lost, raise_on_lost=True)()
    relay.over.set()


def test_what_the_body_raises_is_not_replaced_by_lease_lost(memory: Store, form: Kind) -> None:
    def body() -> None:
        until_lost()
        raise KeyError("the body's own")

    with pytest.raises(KeyError, match="the body's own"):
        form(memory.once(Silent(memory, "denies"), ttl=TTL), "key", body, raise_on_lost=True)()


def test_a_forced_release_is_told_to_the_run(store: Store, form: Kind) -> None:
    once = store.once(ttl=1.0)

    def body() -> None:
        once.lock("key").release()
        until_lost()

    with pytest.raises(LeaseLost, match="key"):
        form(once, "key", body, raise_on_lost=True)()


def test_lease_lost_does_not_wait_for_a_release_that_hangs(memory: Store, form: Kind) -> None:
    relay, over = Silent(memory, "raises"), threading.Event()
    relay.before["release"] = lambda: over.wait(DEADLINE)
    started = monotonic()
    with pytest.raises(LeaseLost):
        form(memory.once(relay, ttl=TTL), "key", until_lost, raise_on_lost=True)()
    waited = monotonic() - started
    over.set()

    assert waited < DEADLINE / 2


Guard = Callable[[Once], Callable[[float], Coroutine[Any, Any, None]]]


def decorated(once: Once) -> Callable[[float], Coroutine[Any, Any, None]]:
    @once.once(key="key", raise_on_lost=True)
    async def run(seconds: float) -> None:
        await asyncio.sleep(seconds)

    return run


def locked(once: Once) -> Callable[[float], Coroutine[Any, Any, None]]:
    async def run(seconds: float) -> None:
        async with once.lock("key", raise_on_lost=True):
            await asyncio.sleep(seconds)

    return run


@pytest.mark.parametrize("how", ["hangs", "denies"])
@pytest.mark.parametrize("guard", [decorated, locked])
@pytest.mark.parametrize("native", [False, True])
def test_a_coroutine_is_cancelled_as_soon_as_the_loss_is_known(
    memory: Store, guard: Guard, how: str, native: bool
) -> None:
    relay = Silent(memory, how)
    if native:
        relay.aio = Native(relay)

    async def main() -> tuple[type, int]:
        task = asyncio.current_task()
        assert task is not None
        try:
            await guard(memory.once(relay, ttl=TTL))(3600)
        except LeaseLost as lost:
            return type(lost), task.cancelling()
        raise AssertionError("no LeaseLost")

    assert (LeaseLost, 0) == asyncio.run(main())
    relay.over.set()


@pytest.mark.parametrize("guard", [decorated, locked])
def test_a_cancellation_from_outside_is_not_turned_into_lease_lost(memory: Store, guard: Guard) -> None:
    once = memory.once()

    async def main() -> None:
        task: asyncio.Task[None] = asyncio.create_task(guard(once)(3600))
        while memory.free_at_once("key"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("guard", [decorated, locked])
def test_a_cancellation_from_outside_wins_over_a_loss_at_the_same_time(memory: Store, guard: Guard) -> None:
    relay = Silent(memory, "denies")

    async def main() -> None:
        task: asyncio.Task[None] = asyncio.create_task(guard(memory.once(relay, ttl=TTL))(3600))
        while not relay.count("acquire"):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        # The loop is blocked while the lease is lost: both cancellations are due when it goes on.
        sleep(2 * TTL)  # on purpose
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("guard", [decorated, locked])
def test_a_timeout_of_the_caller_stays_a_timeout(memory: Store, guard: Guard) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await guard(memory.once())(3600)

    asyncio.run(main())


def test_observers_are_told_and_delay_nothing(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "watcher-1.0.dist-info").mkdir()
    (tmp_path / "watcher-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: watcher\nVersion: 1.0\n")
    (tmp_path / "watcher-1.0.dist-info" / "entry_points.txt").write_text("[once_core.observers]\nwatcher = watcher\n")
    (tmp_path / "watcher.py").write_text("from guarantees.programs.observed import *\n")

    assert (0, "ok", "") == programs.run("observed", PYTHONPATH=str(tmp_path))
