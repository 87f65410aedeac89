"""`current_lease()` is the lease of the run that asks."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from once_core import Lease, LeaseLost, current_lease

from .both import Both
from .stores import Stage, until


def leased() -> Lease:
    """Return the current lease."""
    lease = current_lease()
    assert lease is not None
    return lease


def test_outside_a_run_there_is_none() -> None:
    assert current_lease() is None


def test_a_run_sees_its_key_token_fence_and_time(both: Both, stage: Stage) -> None:
    def body(order: int) -> None:
        lease = leased()
        holder = stage.holder("check-7")

        assert holder is not None
        assert ("check-7", holder.token, 5.0) == (lease.key, lease.token, lease.ttl)
        assert isinstance(lease.fence, int)
        assert 0 < lease.remaining <= 5
        assert lease.lost is False
        assert lease.function.endswith("body")
        assert "check-{order}" == lease.template
        lease.raise_if_lost()

    both.call(stage.once.once(key="check-{order}", ttl=5.0)(both.function(body)), 7)

    assert current_lease() is None


def test_fences_grow_and_tokens_differ(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check")(both.function(lambda: leased()))
    leases = [both.call(check) for _ in range(3)]
    fences = [lease.fence for lease in leases]

    assert sorted(set(fences)) == fences
    assert 3 == len({lease.token for lease in leases})


def test_after_the_run_the_lease_is_over_but_not_lost(both: Both, stage: Stage) -> None:
    lease = both.call(stage.once.once(key="check")(both.function(lambda: leased())))

    assert (0.0, False) == (lease.remaining, lease.lost)
    lease.raise_if_lost()


def test_a_nested_run_has_its_own_and_gives_the_outer_one_back(both: Both, stage: Stage) -> None:
    inner = stage.once.once(key="inner")(both.function(lambda: leased().key))

    async def body() -> list[str]:
        keys = [leased().key, await both.inner(inner), leased().key]
        async with both.entered(stage.once.lock("lock")):
            keys.append(leased().key)
        return [*keys, leased().key]

    check = stage.once.once(key="outer")(both.function(body))

    assert ["outer", "inner", "outer", "lock", "outer"] == both.call(check)


def test_a_skipped_call_changes_nothing(both: Both, stage: Stage) -> None:
    stage.hold("inner")
    inner = stage.once.once(key="inner")(both.function(lambda: leased().key))

    async def body() -> str:
        await both.inner(inner)
        return leased().key

    assert "outer" == both.call(stage.once.once(key="outer")(both.function(body)))


def test_each_task_has_its_own(stage: Stage) -> None:
    @stage.once.once(key="check-{order}")
    async def check(order: int, barrier: asyncio.Barrier) -> str:
        await barrier.wait()
        return leased().key

    async def main() -> list[str | None]:
        barrier = asyncio.Barrier(3)
        return list(await asyncio.gather(*(check(order, barrier) for order in range(3))))

    assert ["check-0", "check-1", "check-2"] == asyncio.run(main())


def test_a_thread_has_none_unless_it_runs_in_the_run_s_context(stage: Stage) -> None:
    seen = []

    def look() -> None:
        lease = current_lease()
        seen.append(lease and lease.key)

    with stage.once.lock("check"):
        context = contextvars.copy_context()
        for target in (look, lambda: context.run(look)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert [None, "check"] == seen


def test_a_lease_that_was_taken_is_lost(both: Both, stage: Stage) -> None:
    def body() -> None:
        lease = leased()
        stage.backend.release("once:check", lease.token)
        stage.hold("check")
        until(lambda: lease.lost)

        assert 0.0 == lease.remaining
        with pytest.raises(LeaseLost, match="check"):
            lease.raise_if_lost()

    both.call(stage.once.once(key="check", ttl=0.3)(both.function(body)))

    assert stage.holder("check") is not None


def test_a_lost_lease_costs_the_result_only_if_that_was_chosen(both: Both, stage: Stage) -> None:
    def body() -> str:
        lease = leased()
        stage.backend.release("once:check", lease.token)
        until(lambda: lease.lost)
        return "ran"

    function = both.function(body)

    assert "ran" == both.call(stage.once.once(key="check", ttl=0.3)(function))
    with pytest.raises(LeaseLost):
        both.call(stage.once.once(key="check", ttl=0.3, raise_on_lost=True)(function))


def test_a_coroutine_is_cancelled_when_its_lease_is_lost_if_that_was_chosen(stage: Stage) -> None:
    cleaned_up = []

    @stage.once.once(key="check", ttl=0.3, raise_on_lost=True)
    async def check() -> None:
        stage.backend.release("once:check", leased().token)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.append(leased().lost)

    with pytest.raises(LeaseLost):
        asyncio.run(check())

    assert [True] == cleaned_up


def test_an_error_of_the_body_goes_before_the_loss(both: Both, stage: Stage) -> None:
    def body() -> None:
        lease = leased()
        stage.backend.release("once:check", lease.token)
        until(lambda: lease.lost)
        raise ZeroDivisionError

    check = stage.once.once(key="check", ttl=0.3, raise_on_lost=True)(both.function(body))

    with pytest.raises(ZeroDivisionError):
        both.call(check)


def test_its_text_names_key_and_token(stage: Stage) -> None:
    with stage.once.lock("check") as lease:
        assert "'check'" in repr(lease)
        assert lease.token in repr(lease)


def test_what_outlives_the_body_has_no_lease(stage: Stage) -> None:
    tasks = []

    @stage.once.once(key="check")
    async def check() -> None:
        tasks.append(asyncio.create_task(afterwards()))

    over = asyncio.Event()

    async def afterwards() -> object:
        await over.wait()
        return current_lease()

    async def main() -> object:
        await check()
        over.set()
        return await tasks[0]

    assert asyncio.run(main()) is None


def test_locks_that_are_left_in_any_order_leave_the_lease_around_them(stage: Stage) -> None:
    first, second = stage.once.lock("first"), stage.once.lock("second")

    with stage.once.lock("around") as around:
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert current_lease() is around

    assert current_lease() is None
