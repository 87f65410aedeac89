"""`lock` is the lease as a context manager, for `with` and for `async with`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from once_core import AlreadyLocked, Lease, Once, current_lease, locking

from .both import Both
from .stores import RIVAL, Stage, until


def test_entering_gives_the_lease_and_leaving_frees_the_key(both: Both, stage: Stage) -> None:
    async def hold() -> None:
        async with both.entered(stage.once.lock("check")) as lease:
            assert isinstance(lease, Lease)
            assert lease is current_lease()
            holder = stage.holder("check")
            assert holder is not None
            assert lease.token == holder.token
        assert current_lease() is None

    both.run(hold())

    assert stage.holder("check") is None


def test_an_error_inside_passes_and_frees_the_key(both: Both, stage: Stage) -> None:
    async def hold() -> None:
        async with both.entered(stage.once.lock("check")):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both.run(hold())

    assert stage.holder("check") is None
    assert current_lease() is None


def test_a_held_key_is_already_locked_by_its_holder(both: Both, stage: Stage) -> None:
    async def hold(wait: float) -> None:
        async with both.entered(stage.once.lock("check", wait=wait)):
            raise AssertionError("entered")

    stage.hold("check")
    for wait in (0.0, 0.15):
        with pytest.raises(AlreadyLocked) as caught:
            both.run(hold(wait))

        assert "check" == caught.value.key
        assert caught.value.holder is not None
        assert RIVAL == caught.value.holder.token


def test_one_who_waits_enters_when_the_key_is_free(both: Both, stage: Stage) -> None:
    asked = threading.Event()
    entered = []
    acquire = stage.backend.acquire

    def asking(key: str, token: str, ttl: float) -> Any:
        answer = acquire(key, token, ttl)
        if answer is None:
            asked.set()
        return answer

    async def hold() -> None:
        async with both.entered(stage.once.lock("check", wait=50)) as lease:
            entered.append(lease.key)

    stage.hold("check")
    stage.backend.acquire = asking  # type: ignore[method-assign]  # to know that somebody waits
    waiter = threading.Thread(target=lambda: both.run(hold()))
    waiter.start()

    assert asked.wait(20)
    assert [] == entered

    stage.free("check")
    waiter.join(20)

    assert ["check"] == entered


def test_one_who_waits_for_a_run_of_the_same_process_enters_after_it(once: Once) -> None:
    order = []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        with once.lock("check", wait=50):
            order.append("second")

    with once.lock("check"):
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert waiting.wait(20)
        order.append("first")
    waiter.join(20)

    assert ["first", "second"] == order


def test_one_object_may_be_entered_by_many_threads_each_with_a_lease_of_its_own(stage: Stage) -> None:
    lock = stage.once.lock("check", wait=50)
    inside: list[str] = []
    tokens: list[str] = []
    fences: list[int | None] = []

    def hold() -> None:
        with lock as lease:
            inside.append(lease.token)
            tokens.append(lease.token)
            fences.append(lease.fence)
            assert [lease.token] == inside
            inside.remove(lease.token)

    threads = [threading.Thread(target=hold) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)

    assert 5 == len(set(tokens))
    assert sorted(fences, key=lambda fence: fence or 0) == fences


def test_one_object_may_be_entered_by_many_tasks(once: Once) -> None:
    lock = once.lock("check", wait=50)
    inside = 0

    async def hold() -> None:
        nonlocal inside
        async with lock:
            inside += 1
            assert 1 == inside
            await asyncio.sleep(0)
            inside -= 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(hold())

    asyncio.run(main())


def test_entering_again_inside_is_already_locked(both: Both, stage: Stage) -> None:
    lock = stage.once.lock("check")

    async def hold() -> None:
        async with both.entered(lock) as outer:
            with pytest.raises(AlreadyLocked):
                async with both.entered(lock):
                    raise AssertionError("entered")
            assert outer is current_lease()

    both.run(hold())

    assert stage.holder("check") is None


def test_one_object_can_be_entered_again_and_again(both: Both, stage: Stage) -> None:
    lock = stage.once.lock("check")
    tokens = set()

    async def hold() -> None:
        async with both.entered(lock) as lease:
            tokens.add(lease.token)

    for _ in range(3):
        both.run(hold())

    assert 3 == len(tokens)


def test_a_lock_tells_and_frees_what_the_store_knows(stage: Stage) -> None:
    lock = stage.once.lock("check")

    assert (False, None, False) == (lock.is_locked(), lock.holder(), lock.release())
    stage.hold("check")
    holder = lock.holder()
    assert holder is not None
    assert (True, RIVAL, True) == (lock.is_locked(), holder.token, lock.release())
    assert (False, None, False) == (lock.is_locked(), lock.holder(), lock.release())


def test_a_lock_tells_and_frees_it_for_coroutines(stage: Stage) -> None:
    lock = stage.once.lock("check")

    async def main() -> None:
        assert (False, None, False) == (await lock.ais_locked(), await lock.aholder(), await lock.arelease())
        stage.hold("check")
        holder = await lock.aholder()
        assert holder is not None
        assert (True, RIVAL, True) == (await lock.ais_locked(), holder.token, await lock.arelease())
        assert (False, None, False) == (await lock.ais_locked(), await lock.aholder(), await lock.arelease())

    asyncio.run(main())


def test_a_signal_amid_the_leaving_gives_the_key_back(once: Once, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Exception): ...

    def interrupt() -> None:
        monkeypatch.undo()
        raise Interrupted

    lock = once.lock("check")
    with pytest.raises(Interrupted), lock:
        monkeypatch.setattr(locking, "current_lease", interrupt)  # where a signal's handler may raise
    with lock as lease:
        assert "check" == lease.key


def test_a_lock_that_was_not_entered_cannot_be_left(once: Once) -> None:
    with pytest.raises(RuntimeError, match="without having been entered"):
        once.lock("check").__exit__(None, None, None)


def test_a_lock_and_a_function_of_one_key_exclude_each_other(both: Both, once: Once) -> None:
    check = once.once(key="check-{order}", return_on_locked="skipped")(both.function(lambda order: "ran"))

    with once.lock("check-7"):
        assert "skipped" == both.call(check, 7)
    assert "ran" == both.call(check, 7)


def test_a_lease_that_was_given_away_is_lost_and_raises_if_asked_to(both: Both, stage: Stage) -> None:
    from once_core import LeaseLost

    async def hold() -> None:
        async with both.entered(stage.once.lock("check", ttl=0.3, raise_on_lost=True)) as lease:
            stage.backend.release("once:check", lease.token)
            stage.hold("check")
            await _lost(both, lease)

    with pytest.raises(LeaseLost) as caught:
        both.run(hold())

    holder = stage.holder("check")

    assert "check" == caught.value.key
    assert holder is not None
    assert RIVAL == holder.token


async def _lost(both: Both, lease: Lease) -> None:
    if both.name == "def":
        until(lambda: lease.lost)
    else:
        await asyncio.sleep(30)  # until it is cancelled
        raise AssertionError("it was not cancelled")


def test_a_lock_survives_the_configuration_of_another_store(both: Both, once: Once, stage: Stage) -> None:
    lock = once.lock("check")
    hold: Callable[[], Any] = lambda: both.entered(lock)  # noqa: E731

    async def enter_twice() -> None:
        async with hold() as first:
            once.configure(stage.backend)
            async with hold() as second:
                assert first.token != second.token
                holder = stage.holder("check")
                assert holder is not None
                assert second.token == holder.token

    both.run(enter_twice())

    assert stage.holder("check") is None
