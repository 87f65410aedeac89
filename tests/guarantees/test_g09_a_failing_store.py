"""G9: before the body `on_unavailable` decides what a failing store means; after it no result is lost."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial

import pytest

from once_core import SKIPPED, AlreadyLocked, BackendUnavailable, current_lease

from .backends import Relay, awaited, away
from .calls import DEADLINE, Beside, Held, wait_until
from .kinds import FORMS, Kind
from .stores import Store


def refused() -> None:
    raise ConnectionRefusedError("nobody is there")


FAILURES = [away, refused]


def failing(store: Store, failure: Callable[[], object], verb: str = "acquire") -> Relay:
    relay = Relay(store.backend())
    relay.before[verb] = failure
    return relay


@pytest.mark.parametrize("failure", FAILURES)
def test_raise_is_the_default(memory: Store, form: Kind, failure: Callable[[], None]) -> None:
    ran: list[bool] = []
    with pytest.raises(BackendUnavailable):
        form(memory.once(failing(memory, failure)), "key", partial(ran.append, True))()

    assert [] == ran


@pytest.mark.parametrize("failure", FAILURES)
def test_skip_skips(memory: Store, kind: Kind, failure: Callable[[], None]) -> None:
    once = memory.once(failing(memory, failure), on_unavailable="skip")

    assert SKIPPED is kind(once, "key", lambda: "ran")()


def test_skip_with_raise_on_locked_is_already_locked_by_nobody_known(memory: Store) -> None:
    once = memory.once(failing(memory, away), on_unavailable="skip")

    @once.once(key="key", raise_on_locked=True)
    def plain() -> None: ...

    @once.once(key="key", raise_on_locked=True)
    async def coroutine() -> None: ...

    calls: list[Callable[[], None]] = [plain, lambda: asyncio.run(coroutine())]
    for call in calls:
        with pytest.raises(AlreadyLocked) as caught:
            call()
        assert ("key", None) == (caught.value.key, caught.value.holder)


@pytest.mark.parametrize("lock", ["with", "async with"])
def test_a_lock_can_not_skip(memory: Store, lock: str) -> None:

    with pytest.raises(BackendUnavailable):
        FORMS[lock](memory.once(failing(memory, away)), "key", lambda: "ran", on_unavailable="skip")()


@pytest.mark.parametrize("failure", FAILURES)
def test_run_runs_unguarded_and_says_so(
    memory: Store, form: Kind, failure: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    def body() -> tuple[object, ...]:
        lease = current_lease()
        assert lease is not None
        return lease.fence, lease.remaining, lease.lost

    with caplog.at_level(logging.WARNING, "once_core"):
        seen = form(memory.once(failing(memory, failure)), "key", body, on_unavailable="run")()

    assert (None, 0.0, False) == seen
    assert "unguarded" in caplog.text


def test_two_unguarded_runs_of_one_process_still_never_overlap(memory: Store, kind: Kind) -> None:

    once = memory.once(failing(memory, away), on_unavailable="run")
    with Held(partial(kind, once, "key")):
        assert SKIPPED is kind(once, "key", lambda: "ran")()


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_release_that_fails_costs_no_result(
    memory: Store, form: Kind, failure: Callable[[], None], native: bool
) -> None:
    relay = Relay(memory.backend(), native=native)
    relay.before["release"] = failure
    if native:
        relay.aio.before["release"] = awaited(failure)

    assert "result" == form(memory.once(relay), "key", lambda: "result")()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_release_that_fails_hides_no_error_of_the_body(
    memory: Store, form: Kind, failure: Callable[[], None]
) -> None:
    def body() -> None:
        raise KeyError("the body's own")

    with pytest.raises(KeyError, match="the body's own"):
        form(memory.once(failing(memory, failure, "release")), "key", body)()


def test_a_release_that_hangs_for_a_while_costs_no_result(memory: Store, form: Kind) -> None:
    over = threading.Event()
    relay = failing(memory, lambda: over.wait(30), "release")
    call = Beside(form(memory.once(relay), "key", lambda: "result"))
    wait_until(lambda: relay.count("release"), "the release is under way")
    over.set()

    assert "result" == call.result()


@pytest.mark.parametrize("native", [False, True])
def test_a_renewal_that_hangs_is_not_waited_for_when_the_run_ends(memory: Store, form: Kind, native: bool) -> None:
    over = threading.Event()
    relay = Relay(memory.backend(), native=native)
    relay.before["renew"] = lambda: over.wait(2 * DEADLINE)

    def body() -> str:
        wait_until(lambda: relay.count("renew"), "the renewal is under way")
        return "result"

    try:
        assert "result" == Beside(form(memory.once(relay, ttl=3.0), "key", body)).result()
    finally:
        over.set()


def test_a_store_that_goes_away_during_the_run_costs_no_result(memory: Store, form: Kind) -> None:
    relay = Relay(memory.backend())

    def body() -> str:
        for verb in ("acquire", "renew", "release", "holder"):
            relay.before[verb] = away
        lease = current_lease()
        assert lease is not None
        wait_until(lambda: lease.lost, "the lease is lost")
        return "result"

    assert "result" == form(memory.once(relay, ttl=0.4), "key", body)()


@pytest.mark.parametrize("question", ["is_locked", "holder", "release"])
def test_a_question_to_a_store_that_is_away_is_never_answered_with_no(memory: Store, question: str) -> None:
    once = memory.once(failing(memory, refused, "holder"))

    @once.once(key="key")
    def plain() -> None: ...

    @once.once(key="key")
    async def coroutine() -> None: ...

    for ask in (
        getattr(plain, question),
        getattr(once.lock("key"), question),
        lambda: asyncio.run(getattr(coroutine, question)()),
        lambda: asyncio.run(getattr(once.lock("key"), f"a{question}")()),
    ):
        with pytest.raises(BackendUnavailable):
            ask()


def test_the_next_call_after_a_failure_runs(memory: Store, kind: Kind) -> None:
    relay = failing(memory, away)
    once = memory.once(relay)
    with pytest.raises(BackendUnavailable):
        kind(once, "key", lambda: "ran")()
    relay.before.clear()

    assert "ran" == kind(once, "key", lambda: "ran")()
