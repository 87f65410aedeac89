"""An open store: one object for all that name it, closed when nobody needs it, opened again by who still asks."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from once_core import Once, plugins, process, wrapper
from once_core import store as store_module
from once_core.keeper import keeper
from once_core.lease import Lease

from .scripted import Script, until
from .test_state_machine import Native


class Strict(Script):
    """Answers nothing once it is closed."""

    closed = False

    def answer(self, verb: str, *args: Any) -> Any:
        if self.closed:
            raise RuntimeError(f"{verb} after close")
        return super().answer(verb, *args)

    def close(self) -> None:
        self.closed = True


class StrictNative(Strict, Native):
    """Answers coroutines itself."""


@pytest.fixture
def url() -> str:
    return f"memory://{uuid.uuid4()}"


@pytest.fixture(params=[Strict, StrictNative])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Strict]:
    """Let URLs make scripts; return those that were made."""
    made: list[Strict] = []

    def make() -> Strict:
        made.append(request.param())
        return made[-1]

    monkeypatch.setattr(plugins, "maker", lambda url: make)
    return made


def test_a_store_that_is_closed_amid_a_question_is_still_the_only_one_of_its_name(url: str, made: list[Strict]) -> None:
    asked, answer = threading.Event(), threading.Event()

    def look(key: str) -> None:
        asked.set()
        answer.wait(20)

    once = Once(url)
    looking = threading.Thread(target=once.lock("key").is_locked)
    with once.lock("key"):
        made[0].answers["holder"] = look
    looking.start()
    assert asked.wait(20)
    once.close()
    closed_meanwhile = made[0].closed
    store = once.open().store
    answer.set()
    looking.join(20)
    other = Once(url)

    assert not closed_meanwhile
    assert store is other.open().store
    once.close()
    other.close()


def test_a_call_that_began_before_its_store_was_closed_is_served(
    url: str, made: list[Strict], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Once(url)

    def lease(*about: Any) -> Lease:
        closing = threading.Thread(target=once.close)
        closing.start()
        closing.join()
        return Lease(*about)

    async def body() -> str:
        return "ran"

    check, acheck = once.once(key="check")(lambda: "ran"), once.once(key="check")(body)
    check()
    monkeypatch.setattr(wrapper, "Lease", lease)

    assert "ran" == check()
    assert "ran" == asyncio.run(acheck())
    until(lambda: all(backend.closed for backend in made))


def test_a_question_about_a_closed_store_opens_it_and_closes_it_again(url: str, made: list[Strict]) -> None:
    once = Once(url)
    store = once.open().store
    once.close()

    assert store.holder("key") is None
    assert asyncio.run(store.aholder("key")) is None
    until(lambda: made and all(backend.closed for backend in made))


def test_a_store_that_a_fork_waited_for_is_not_asked_until_that_fork_is_made(url: str, made: list[Strict]) -> None:
    asking = threading.Thread(target=Once(url).lock("key").is_locked)
    store_module._forking.add(-1)  # a thread that forks
    try:
        asking.start()
        until(lambda: made)
        asked_meanwhile = [*made[0].asked]
    finally:
        store_module._forking.discard(-1)
    asking.join(20)

    assert [] == asked_meanwhile
    assert ["holder"] == made[0].asked


def test_a_once_that_the_collector_forgets_amid_anything_is_let_go(url: str, made: list[Strict]) -> None:
    once = Once(url)
    with once.lock("key"):
        pass
    with keeper._looking:  # as the keeper's thread, in which the collector may run
        del once
        gc.collect()

    until(lambda: made[0].closed)


def test_a_once_that_is_forgotten_when_no_thread_can_be_had_is_let_go_at_once(
    url: str, made: list[Strict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(function: object, args: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    once = Once(url)
    with once.lock("key"):
        pass
    monkeypatch.setattr(process, "start_new_thread", refuse)
    del once
    gc.collect()

    until(lambda: made[0].closed)


@pytest.mark.parametrize("ending", [Once.close, lambda once: once.configure("memory://")], ids=["close", "configure"])
def test_a_store_that_cannot_be_closed_costs_nothing(
    url: str,
    made: list[Strict],
    ending: Callable[[Once], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def close(self: Strict) -> None:
        raise OSError("no way out")

    monkeypatch.setattr(Strict, "close", close)
    once = Once(url)

    def body() -> str:
        ending(once)
        return "ran"

    assert "ran" == once.once(key="check")(body)()
    assert "no way out" in caplog.text
    once.close()
