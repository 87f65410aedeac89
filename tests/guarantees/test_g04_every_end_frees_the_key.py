"""G4: a run that ends, however it ends, frees its key at once, and only its own."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import pytest

from once_core import AlreadyLocked

from .backends import Relay, first
from .calls import Held, wait_until
from .kinds import FORMS, Kind
from .stores import Store


class Ignore(BaseException):
    """Stands for what task queues raise through everything."""


class Retry(Exception):
    """Stands for what task queues raise to try again."""


class SoftTimeLimit(Exception):
    """Stands for what a signal handler raises anywhere."""


ENDINGS = [ValueError, Retry, Ignore, SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit]


def test_a_result_frees_the_key(store: Store, form: Kind) -> None:
    once = store.once()

    assert "result" == form(once, "key", lambda: "result")()
    assert not once.lock("key").is_locked()
    assert "again" == form(once, "key", lambda: "again")()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_body_raises_comes_out_and_frees_the_key(
    store: Store, form: Kind, ending: type[BaseException]
) -> None:
    once = store.once()

    def body() -> None:
        raise ending("text")

    with pytest.raises(ending):
        form(once, "key", body)()
    # A coroutine that ends by GeneratorExit may be one that is being closed: its key is given back by a thread.
    wait_until(lambda: not once.lock("key").is_locked(), "the key is free")
    assert "again" == form(once, "key", lambda: "again")()


def test_a_skip_inside_the_body_is_not_taken_for_a_skip_of_the_body(store: Store, kind: Kind) -> None:
    once = store.once()

    def body() -> None:
        with once.lock("held by another"):
            pass

    with Held(partial(kind, once, "held by another")), pytest.raises(AlreadyLocked):
        kind(once, "key", body)()
    assert not once.lock("key").is_locked()


@pytest.mark.parametrize("ending", [None, ValueError])
def test_a_run_frees_only_its_own(store: Store, form: Kind, ending: type[BaseException] | None) -> None:
    once, backend = store.once(), store.backend()

    def body() -> None:
        assert once.lock("key").release()
        assert backend.acquire(f"{store.prefix}key", "stranger", 300.0)
        if ending:
            raise ending

    call = form(once, "key", body)
    if ending:
        with pytest.raises(ending):
            call()
    else:
        call()
    holder = once.lock("key").holder()

    assert holder is not None
    assert "stranger" == holder.token


def test_a_skip_frees_nothing(store: Store, form: Kind) -> None:
    with Held(partial(form, store.once(Relay(store.backend())), "key")):
        once = store.once(Relay(store.backend()))
        form(once, "key", lambda: "ran")()

        assert once.lock("key").is_locked()


@contextmanager
def raising_on_signal(error: type[BaseException]) -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def interrupt() -> None:
    signal.raise_signal(signal.SIGUSR1)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("verb", ["acquire", "release"])
@pytest.mark.parametrize("error", [Ignore, SoftTimeLimit])
@pytest.mark.parametrize("plain", ["def", "with"])
def test_a_signal_handler_that_raises_amid_a_question_leaves_the_key_free(
    memory: Store, plain: str, error: type[BaseException], verb: str, side: str
) -> None:
    relay = Relay(memory.backend())
    getattr(relay, side)[verb] = first(interrupt)
    once = memory.once(relay)
    with raising_on_signal(error):
        try:
            FORMS[plain](once, "key", lambda: "result")()
        except Exception:  # which error comes out is another rule's
            pass
        except Ignore:
            pass

    wait_until(lambda: memory.free_at_once("key"), "the key is free", 10)
    assert "again" == FORMS[plain](once, "key", lambda: "again")()


def closed_in_the_body(run: Any) -> None:
    """Run a coroutine until it waits, then close its loop and let it be collected."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # it would tell of the task that is dropped
    try:
        begun = asyncio.Event()
        task = loop.create_task(run(begun))
        loop.run_until_complete(begun.wait())
    finally:
        loop.close()
    del task, begun
    gc.collect()


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("raise_on_lost", [False, True])
def test_a_coroutine_that_is_closed_in_its_body_frees_the_key(store: Store, native: bool, raise_on_lost: bool) -> None:
    once = store.once(Relay(store.backend(), native=native))
    once.lock("key").is_locked()  # the first question opens the store, in a thread

    @once.once(key="decorated", raise_on_lost=raise_on_lost)
    async def decorated(begun: asyncio.Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def locked(begun: asyncio.Event) -> None:
        async with once.lock("locked", raise_on_lost=raise_on_lost):
            begun.set()
            await asyncio.Event().wait()

    for run, key in ((decorated, "decorated"), (locked, "locked")):
        closed_in_the_body(run)
        wait_until(lambda: store.free_at_once(key), "the key is free")  # noqa: B023  # waited for at once
        assert "again" == FORMS["async def"](once, key, lambda: "again")()


def test_a_coroutine_that_is_closed_by_hand_frees_the_key(memory: Store) -> None:
    once = memory.once()
    once.lock("key").is_locked()  # the first question opens the store, in a thread

    class Pause:
        def __await__(self) -> Generator[None, None, None]:
            yield

    @once.once(key="key")
    async def run() -> None:
        await Pause()

    coroutine = run()
    coroutine.send(None)
    assert once.lock("key").is_locked()
    coroutine.close()

    assert not once.lock("key").is_locked()


@pytest.mark.parametrize("native", [False, True])
def test_a_program_that_ends_amid_tasks_frees_their_keys(store: Store, native: bool) -> None:
    once = store.once(Relay(store.backend(), native=native))
    begun = []

    @once.once(key="key-{number}")
    async def run(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(3600)

    async def main() -> set[asyncio.Task[None]]:
        tasks = {asyncio.create_task(run(number)) for number in range(5)}
        while len(begun) < 5:
            await asyncio.sleep(0.01)
        return tasks

    asyncio.run(main())

    assert [True] * 5 == [store.free_at_once(f"key-{number}") for number in range(5)]
