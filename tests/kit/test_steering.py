"""The fixture for users' own tests: keys are held, stores away, leases lost, and time steps, as a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import once_core
from api.both import Both
from once_core import (
    SKIPPED,
    AlreadyLocked,
    BackendUnavailable,
    LeaseLost,
    Once,
    current_lease,
)
from once_core.testing import StandIn, once_store

__all__ = ["once_store"]


def body(inside: Callable[[], object] = lambda: None) -> str:
    inside()
    return "ran"


def lost() -> bool:
    lease = current_lease()
    assert lease is not None
    return lease.lost


def test_a_held_key_is_another_workers(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work-{i}", return_on_locked=SKIPPED)(both.function(lambda i: i))

    with once_store.held(work.key_for(1)) as holder:
        assert [SKIPPED, 2] == [both.call(work, 1), both.call(work, 2)]
        with pytest.raises(AlreadyLocked, match="'work-1' is held by process 1 on another-worker"):
            once_core.lock("work-1").__enter__()
        assert holder.token == both.call(work.holder, 1).token
        with pytest.raises(pytest.fail.Exception, match="another worker can't hold 'work-1'"):
            once_store.held("work-1").__enter__()

    assert 1 == both.call(work, 1)


def test_a_held_key_is_free_when_its_ttl_has_passed(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work")(both.function(body))

    with once_store.held("work", ttl=30):
        once_store.step(29)
        assert both.call(work) is None
        once_store.step(1)
        assert "ran" == both.call(work)


@pytest.mark.parametrize(("policy", "result"), [("skip", None), ("run", "ran")])
def test_a_store_that_is_away_can_not_be_asked(both: Both, once_store: StandIn, policy: Any, result: str) -> None:
    work = once_core.once(key="work")(both.function(body))
    by_policy = once_core.once(key="work", on_unavailable=policy)(both.function(body))

    with once_store.away():
        with pytest.raises(BackendUnavailable, match="the test lets the store be away"):
            both.call(work)
        with pytest.raises(BackendUnavailable):
            both.call(work.is_locked)
        assert result == both.call(by_policy)
    assert "ran" == both.call(work)


def test_a_run_can_lose_its_lease(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work")(both.function(body))

    def inside() -> None:
        assert not lost()
        once_store.lose("work")
        assert lost()

    assert "ran" == both.call(work, inside)


def test_a_loss_is_raised_to_those_who_chose_it(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work", raise_on_lost=True)(both.function(body))

    with pytest.raises(LeaseLost):
        both.call(work, lambda: once_store.lose("work"))
    assert "ran" == both.call(work)


def test_only_a_run_can_lose_its_lease(once_store: StandIn) -> None:
    def fail(keys: str) -> Any:
        return pytest.raises(pytest.fail.Exception, match=f"no run holds 'key'.*under way: {keys}$")

    with once_store.held("key"), once_core.lock("other"), fail("'other'"):
        once_store.lose("key")
    with fail("none"):
        once_store.lose("key")


def test_a_step_spares_the_wait_for_hold_at_least(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work", hold_at_least=300)(both.function(body))

    assert ["ran", None] == [both.call(work), both.call(work)]
    once_store.step(301)
    assert "ran" == both.call(work)


def test_a_run_outlives_its_ttl_in_steps(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work", ttl=30, raise_on_lost=True)(both.function(body))

    def inside() -> None:
        for _ in range(20):
            once_store.step(29)

    assert "ran" == both.call(work, inside)


def test_a_step_past_the_ttl_loses_the_lease(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work", ttl=30, raise_on_lost=True)(both.function(body))

    with pytest.raises(LeaseLost):
        both.call(work, lambda: once_store.step(31))


def test_hold_at_most_ends_a_run_that_renews(both: Both, once_store: StandIn) -> None:
    seen: list[bool] = []
    work = once_core.once(key="work", ttl=30, hold_at_most=60)(both.function(body))

    def inside() -> None:
        for _ in range(4):
            once_store.step(17)
            seen.append(lost())

    assert "ran" == both.call(work, inside)
    assert [False, False, False, True] == seen


def test_a_lease_is_lost_when_the_store_is_away_for_longer_than_its_ttl(both: Both, once_store: StandIn) -> None:
    work = once_core.once(key="work", ttl=30)(both.function(body))
    seen: list[bool] = []

    def inside() -> None:
        with once_store.away():
            once_store.step(20)
            seen.append(lost())
            once_store.step(20)
            seen.append(lost())

    both.call(work, inside)
    assert [False, True] == seen


def test_a_step_counts_for_all_stores(once_store: StandIn) -> None:
    other = Once("memory://other")

    with once_store.of(other).held("key", ttl=30):
        once_store.step(31)
        assert not other.lock("key").is_locked()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_time_only_goes_on(once_store: StandIn, seconds: float) -> None:
    with pytest.raises(ValueError, match="time goes on"):
        once_store.step(seconds)
