"""Nothing that the body raises is ever taken for a skip, and whatever it raises frees the key (G4)."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from once_core import AlreadyLocked, BackendUnavailable, ConfigurationError, LeaseLost, Once

from .both import Both
from .stores import Stage


class Retry(Exception):
    """What a task queue raises to try again."""


RAISED = [
    Retry("later"),
    AlreadyLocked("check-7"),
    AlreadyLocked("other", "host:1:2:x"),
    BackendUnavailable("another store is away"),
    LeaseLost("check-7"),
    ConfigurationError("wrong"),
    TypeError("check() takes nothing"),
    KeyboardInterrupt(),
    SystemExit(3),
    asyncio.CancelledError(),
    StopAsyncIteration(),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("raise_on_locked", [True, False])
def test_an_error_of_the_body_passes_and_frees_the_key(
    both: Both, stage: Stage, error: BaseException, raise_on_locked: bool
) -> None:
    raised = copy.copy(error)

    def body(order: int) -> None:
        raise raised

    function = both.function(body)
    check = stage.once.once(key="check-{order}", raise_on_locked=raise_on_locked)(function)
    with pytest.raises(type(error)) as caught:
        both.call(check, 7)

    assert raised is caught.value or isinstance(error, asyncio.CancelledError)  # asyncio makes a new one of it
    assert stage.holder("check-7") is None


def test_a_nested_call_that_is_skipped_does_not_skip_the_outer_one(both: Both, stage: Stage) -> None:
    stage.hold("inner")

    @stage.once.once(key="inner", raise_on_locked=True)
    @both.function
    def inner() -> str:
        return "ran"

    @stage.once.once(key="outer", return_on_locked="skipped")
    @both.function
    async def outer() -> Any:
        return await both.inner(inner)

    with pytest.raises(AlreadyLocked) as caught:
        both.call(outer)

    assert "inner" == caught.value.key


def test_a_call_of_itself_is_skipped_and_its_error_passes(both: Both, once: Once) -> None:
    depth = []

    @once.once(key="check", raise_on_locked=True)
    @both.function
    async def check() -> Any:
        depth.append(1)
        return await both.inner(check)

    with pytest.raises(AlreadyLocked, match="'check' is held by process"):
        both.call(check)

    assert [1] == depth


def test_a_traceback_leads_to_the_body(both: Both, once: Once) -> None:
    @once.once(key="check")
    @both.function
    def check() -> None:
        raise Retry("later")

    with pytest.raises(Retry) as caught:
        both.call(check)

    assert "check" == caught.traceback[-1].name
    assert caught.value.__context__ is None


def test_a_cancelled_coroutine_frees_the_key(stage: Stage) -> None:
    started = asyncio.Event()

    @stage.once.once(key="check")
    async def check() -> None:
        assert stage.holder("check") is not None
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        running = check()
        task = asyncio.ensure_future(running)
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert stage.holder("check") is None
