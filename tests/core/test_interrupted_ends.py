"""What ends a run amid something else: the collector, a signal, a second cancellation, a close."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from guarantees.kinds import FORMS
from once_core import SKIPPED, BackendUnavailable, Grant, LeaseLost, Once, current_lease, process
from once_core import run as running
from once_core.bridge import Canceller
from once_core.keeper import keeper
from once_core.lease import ENDED, LOST
from once_core.process import is_a_signals
from once_core.run import begin, end, settle_elsewhere

from .scripted import Script, lease_on, until
from .test_state_machine import Direct


class SoftTimeLimit(Exception):
    """What a signal's handler raises."""


class ForEver:
    def __await__(self) -> Generator[None]:
        yield


class Cycle:
    """Holds what holds it: only the collector ends that."""

    held: Any


class Collecting(Direct):
    """The collector comes while its lock is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def answer(self, verb: str, *args: Any) -> Any:
        with self.lock:
            if args[0] == "once:collecting":
                gc.collect()
            return super().answer(verb, *args)


def opened(script: Script) -> Once:
    once = Once(script)
    once.open().store.open()
    return once


@pytest.mark.parametrize("form", ["coroutine", "async with", "with"])
def test_the_collector_may_end_a_run_amid_another_call_of_its_store(form: str) -> None:
    once = opened(Collecting())

    @once.once(key="left")
    async def left(cycle: Cycle) -> None:
        await ForEver()

    async def left_in_a_block(cycle: Cycle) -> None:
        async with once.lock("left"):
            await ForEver()

    def abandon() -> None:
        cycle = Cycle()
        if form == "with":
            lock = once.lock("left")
            lock.__enter__()
            cycle.held = (cycle, lock)
        else:
            form_of: dict[str, Callable[[Cycle], Coroutine[Any, Any, None]]]
            form_of = {"coroutine": left, "async with": left_in_a_block}
            coroutine = form_of[form](cycle)
            cycle.held = coroutine
            coroutine.send(None)

    abandon()

    def collecting() -> None: ...

    call = threading.Thread(target=once.once(key="collecting")(collecting), daemon=True)
    call.start()
    call.join(20)

    assert not call.is_alive()
    assert until(lambda: not once.open().store.running)
    once.close()


def test_a_coroutine_that_is_closed_by_hand_leaves_a_free_key() -> None:
    script = Direct()
    once = opened(script)

    @once.once(key="key")
    async def run() -> None:
        await ForEver()

    coroutine = run()
    coroutine.send(None)
    coroutine.close()

    assert ["acquire", "release"] == script.asked
    once.close()


def test_a_coroutine_that_is_closed_when_no_thread_can_be_had_leaves_a_free_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_more(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process, "start_new_thread", none_more)
    test_a_coroutine_that_is_closed_by_hand_leaves_a_free_key()


def test_a_coroutine_that_is_closed_where_nobody_can_wait_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lock:
        """As gevent's in its hub."""

        def acquire(self, timeout: float = -1) -> None:
            assert timeout < 0, "Cannot switch to MAINLOOP from MAINLOOP"

        def release(self) -> None: ...

    monkeypatch.setattr(running, "allocate_lock", Lock)
    lease = lease_on(Direct())
    begin(lease)

    settle_elsewhere(lease)

    assert until(lambda: lease.state == ENDED)


@pytest.mark.parametrize("backend", [Script, Direct])
def test_a_release_that_was_made_before_it_was_interrupted_is_no_loss(backend: type[Script]) -> None:
    script = backend()
    interruptions = [KeyboardInterrupt()]

    def release(*_: Any) -> bool:
        if interruptions:
            raise interruptions.pop()
        return False

    script.answers["release"] = release
    lease = lease_on(script)
    begin(lease)

    with pytest.raises(KeyboardInterrupt):
        end(lease)

    assert until(lambda: lease.state in (ENDED, LOST))
    assert ENDED == lease.state


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such signal")
@pytest.mark.parametrize("by", ["function", "partial"])
def test_what_a_signals_handler_raises_amid_the_release_reaches_the_caller(by: str) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimit

    script = Script(release=lambda *_: signal.raise_signal(signal.SIGALRM))
    lease = lease_on(script)
    begin(lease)
    before = signal.signal(signal.SIGALRM, handle if by == "function" else partial(handle))
    try:
        with pytest.raises(SoftTimeLimit) as caught:
            end(lease)
        assert is_a_signals(caught.value)
    finally:
        signal.signal(signal.SIGALRM, before)

    script.answers["release"] = True
    assert until(lambda: lease.state == ENDED)


def test_a_loss_that_is_told_twice_cancels_once() -> None:
    lease = lease_on(Script())

    async def main() -> int:
        task = asyncio.current_task()
        assert task
        with pytest.raises(LeaseLost), Canceller(lease) as _:
            assert lease.canceller
            lease.canceller.cancel()
            lease.canceller.cancel()
            await asyncio.sleep(60)
        return task.cancelling()

    assert 0 == asyncio.run(main())


def test_where_there_is_no_task_to_cancel_that_is_said_and_the_key_is_free() -> None:
    script = Direct()
    once = opened(script)
    errors: list[BaseException] = []

    async def hold() -> None:
        async with once.lock("key", raise_on_lost=True):
            raise AssertionError("it was entered")

    def step() -> None:
        try:
            hold().send(None)
        except RuntimeError as error:
            errors.append(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(step)
        while not errors:  # nobody signals it
            await asyncio.sleep(0)

    asyncio.run(main())

    assert "raise_on_lost cancels a task" in str(errors[0])
    assert ["acquire", "release"] == script.asked
    once.close()


@pytest.mark.parametrize("answer", [None, BackendUnavailable("away")], ids=["skip", "unguarded run"])
def test_a_store_that_is_closed_during_a_call_without_a_lease_is_closed_after_it(answer: Any) -> None:
    script = Direct(acquire=answer)
    once = Once(script, on_unavailable="run")
    store = once.open().store

    def close(*_: Any) -> Grant | None:
        once.close()
        if answer:
            raise answer
        return None

    script.answers["acquire"] = close
    once.once(key="key")(lambda: None)()

    assert until(lambda: store.backend is None)


def test_a_run_that_was_started_from_another_keeps_no_memory_of_it() -> None:
    once = Once(Direct())
    seen: list[Any] = []

    @once.once(key="{number}")
    async def run(number: int) -> None:
        lease = current_lease()
        assert lease
        seen.append(lease.previous)
        if number < 3:
            asyncio.get_running_loop().call_soon(lambda: tasks.append(asyncio.create_task(run(number + 1))))

    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        await run(0)
        while len(seen) < 4:  # nobody signals it
            await asyncio.sleep(0)

    asyncio.run(main())

    assert [None] * 4 == seen
    once.close()


@pytest.mark.parametrize("form", ["def", "async def", "with", "async with"])
def test_a_lease_that_is_lost_before_its_body_begins_runs_nothing_and_leaves_no_trace(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = opened(Direct())
    call = FORMS[form](once, "key", lambda: "ran")
    with monkeypatch.context() as pausing:  # for the whole ttl, between the grant and the body
        pausing.setattr(keeper, "watch", lambda lease: lease.lose("expired"))
        assert call() is SKIPPED

    assert {} == once.open().store.running
    assert call() == "ran"
    once.close()
