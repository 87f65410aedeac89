"""The lease's table: every move that it allows is made, by `def` and by `async def`, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest

from once_core import BackendUnavailable, Grant
from once_core.lease import ASKING, ENDED, ENDING, HELD, LOST, MOVES, Lease
from once_core.process import clock
from once_core.run import abegin, aend, begin, end, settle

from .scripted import Script, lease_on, until

STATES = (ASKING, HELD, ENDING, ENDED, LOST)
EVENTS = ("granted", "refused", "left", "expired", "denied", "told")


class Native(Script):
    """The same answers for coroutines, without a thread."""

    @property
    def aio(self) -> Any:
        return _Aio(self)


class _Aio:
    def __init__(self, script: Script) -> None:
        self._script = script

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        async def ask(*args: Any) -> Any:
            await asyncio.sleep(0)
            return self._script.answer(verb, *args)

        return ask


class Direct(Script):
    never_blocks = True


class Sync:
    def begin(self, lease: Lease) -> bool:
        return begin(lease)

    def end(self, lease: Lease) -> None:
        end(lease)


class Async:
    def begin(self, lease: Lease) -> bool:
        return asyncio.run(abegin(lease))

    def end(self, lease: Lease) -> None:
        asyncio.run(aend(lease))


@pytest.fixture(
    params=[(Sync, Script), (Async, Script), (Async, Native), (Async, Direct)], ids=lambda p: str(p[1].__name__)
)
def way(request: pytest.FixtureRequest) -> tuple[Any, Callable[..., Script]]:
    """Who waits for the store: a thread, the bridge, the event loop, or nobody."""
    caller, backend = request.param
    return caller(), backend


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_a_lease_makes_the_moves_of_the_table_and_no_others(state: str, event: str) -> None:
    lease = lease_on(Script())
    lease.state = state

    moved = lease.move(event)

    assert ((state, event) in MOVES) == moved
    assert MOVES.get((state, event), state) == lease.state


def test_a_granted_lease_is_held_then_ends_when_the_store_is_told(way: Any) -> None:
    caller, backend = way
    seen: list[str] = []
    script = backend()
    lease = lease_on(script)
    script_opened(lease)

    def release(*_: Any) -> bool:
        seen.append(lease.state)
        return True

    script.answers["release"] = release

    began = caller.begin(lease)
    held = lease.state
    caller.end(lease)

    assert (True, HELD, [ENDING], ENDED) == (began, held, seen, lease.state)
    assert 7 == lease.fence


def test_a_refused_lease_has_ended_and_runs_nothing(way: Any) -> None:
    caller, backend = way
    script = backend(acquire=None)
    lease = lease_on(script)
    script_opened(lease)

    began = caller.begin(lease)
    caller.end(lease)

    assert (False, ENDED) == (began, lease.state)
    assert lease.store.running == {}
    assert "release" not in script.asked


def test_a_store_that_is_away_refuses_and_is_told_in_case_the_grant_was_made(way: Any) -> None:
    caller, backend = way
    script = backend(acquire=BackendUnavailable("away"))
    lease = lease_on(script)
    script_opened(lease)

    with pytest.raises(BackendUnavailable, match="away"):
        caller.begin(lease)
    caller.end(lease)

    assert ENDED == lease.state
    assert until(lambda: "release" in script.asked)


def test_a_lease_that_expires_in_its_body_is_lost_and_given_back_without_waiting(way: Any) -> None:
    caller, backend = way
    script = backend()
    lease = lease_on(script)
    script_opened(lease)
    caller.begin(lease)
    lease.deadline = 1e-9  # long ago

    caller.end(lease)

    assert LOST == lease.state
    assert lease.lost
    assert until(lambda: "release" in script.asked)


def test_a_lease_that_the_store_gave_away_is_lost_at_its_end(way: Any) -> None:
    caller, backend = way
    lease = lease_on(backend(release=False))
    script_opened(lease)
    caller.begin(lease)

    caller.end(lease)

    assert LOST == lease.state


def test_a_store_that_cannot_be_told_ends_the_lease_all_the_same(way: Any) -> None:
    caller, backend = way
    for error in (BackendUnavailable("away"), RuntimeError("not even the right error")):
        lease = lease_on(backend(release=error))
        script_opened(lease)
        caller.begin(lease)

        caller.end(lease)

        until(partial(ended, lease))


def ended(lease: Lease) -> bool:
    return lease.state == ENDED


def test_a_grant_that_arrives_after_its_ttl_is_given_back_and_asked_for_again(way: Any) -> None:
    caller, backend = way
    late = iter([True, False])
    script = backend()
    lease = lease_on(script)
    script_opened(lease)
    span = lease.span

    def acquire(*_: Any) -> Grant:
        lease.span = -1.0 if next(late) else span
        return Grant(7)

    script.answers["acquire"] = acquire

    assert caller.begin(lease)
    assert ["acquire", "release", "acquire"] == script.asked
    caller.end(lease)


def test_a_store_slower_than_the_ttl_is_unavailable(way: Any) -> None:
    caller, backend = way
    script = backend()
    lease = lease_on(script)
    script_opened(lease)
    lease.span = -1.0

    with pytest.raises(BackendUnavailable, match="longer than the ttl"):
        caller.begin(lease)

    assert ENDED == lease.state


def test_a_caller_who_leaves_while_asking_lets_the_grant_be_given_back(way: Any) -> None:
    caller, backend = way
    script = backend()
    lease = lease_on(script)
    script_opened(lease)
    script.answers["acquire"] = lambda *_: lease.leave() and Grant(7)

    began = caller.begin(lease)

    assert (False, ENDING) == (began, lease.state)
    assert "release" in script.asked
    settle(lease)
    assert until(lambda: lease.state == ENDED)


def test_settling_twice_gives_back_once_more_at_most_and_loses_nothing() -> None:
    lease = lease_on(Script())
    begin(lease)

    settle(lease)
    settle(lease)

    assert until(lambda: lease.state == ENDED)
    settle(lease)
    assert ENDED == lease.state


def test_a_renewal_that_is_denied_loses_the_lease() -> None:
    lease = lease_on(Script())
    begin(lease)
    lease.begin_renewal(due=clock())

    lease.end_renewal(0.0, 30.0, False)

    assert LOST == lease.state
    end(lease)


def test_a_lease_that_is_not_held_is_not_renewed() -> None:
    lease = lease_on(Script())

    assert not lease.begin_renewal(due=clock())


def test_a_foreign_answer_to_acquire_is_the_backends_failure(way: Any) -> None:
    caller, backend = way
    lease = lease_on(backend(acquire="yes"))
    script_opened(lease)

    with pytest.raises(BackendUnavailable, match="answered 'yes': let it return"):
        caller.begin(lease)


def script_opened(lease: Lease) -> None:
    """Open the store: until then, nobody knows what it can."""
    lease.store.open()
