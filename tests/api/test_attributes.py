"""`key_for`, `is_locked`, `holder` and `release` tell and change what the store knows."""

from __future__ import annotations

import inspect
from functools import partial

import pytest

from once_core import ConfigurationError, Once, current_lease

from .both import Both
from .stores import RIVAL, Stage


def test_they_are_coroutine_functions_on_a_coroutine_function_alone(both: Both, once: Once) -> None:
    check = once.once(key="check-{order}")(both.function(lambda order: order))
    asking = [inspect.iscoroutinefunction(f) for f in (check.is_locked, check.holder, check.release)]

    assert [both.name == "async def"] * 3 == asking
    assert not inspect.iscoroutinefunction(check.key_for)


def test_they_tell_of_a_holder_elsewhere(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check-{order}")(both.function(lambda order: order))
    stage.hold("check-7")
    holder = both.call(check.holder, order=7)

    assert (RIVAL, "elsewhere", 77) == (holder.token, holder.host, holder.pid)
    assert 0 < holder.remaining <= 61  # a store may round up
    assert both.call(check.is_locked, 7) is True
    assert both.call(check.is_locked, 8) is False
    assert both.call(check.holder, 8) is None


def test_they_tell_of_a_run_here(both: Both, stage: Stage) -> None:
    async def body(order: int) -> None:
        lease = current_lease()
        holder = await both.inner(check.holder, order)

        assert lease is not None
        assert lease.token == holder.token
        assert await both.inner(check.is_locked, order) is True

    check = stage.once.once(key="check-{order}")(both.function(body))
    both.call(check, 7)

    assert both.call(check.is_locked, 7) is False
    assert both.call(check.holder, 7) is None


def test_they_take_any_name_of_a_parameter(both: Both, once: Once) -> None:
    check = once.once(key="check-{self}-{key}")(both.function(lambda self, key: self))

    assert both.call(lambda: check.is_locked(self=7, key=1)) is False
    assert both.call(lambda: check.release(self=7, key=1)) is False
    assert both.call(lambda: check.holder(self=7, key=1)) is None


def test_release_frees_the_key_whoever_holds_it(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check-{order}")(both.function(lambda order: order))
    stage.hold("check-7")

    assert both.call(check, 7) is None
    assert both.call(check.release, 7) is True
    assert both.call(check, 7) == 7
    assert both.call(check.release, 7) is False


def test_after_a_forced_release_nothing_is_locked_but_a_second_run_still_is_skipped(both: Both, stage: Stage) -> None:
    calls = []

    async def body(order: int) -> str:
        calls.append(order)
        if len(calls) == 1:
            assert await both.inner(check.release, order) is True
            assert await both.inner(check.is_locked, order) is False
            assert await both.inner(check.holder, order) is None
            assert "skipped" == await both.inner(check, order)
        return "ran"

    check = stage.once.once(key="check-{order}", return_on_locked="skipped")(both.function(body))

    assert "ran" == both.call(check, 7)
    assert "ran" == both.call(check, 7)
    assert [7, 7] == calls


def test_a_run_whose_key_was_force_released_leaves_the_next_holder_s_alone(both: Both, stage: Stage) -> None:
    def body(order: int) -> None:
        lease = current_lease()
        assert lease is not None
        assert stage.backend.release("once:check-7", lease.token)
        stage.hold("check-7")

    check = stage.once.once(key="check-{order}")(both.function(body))
    both.call(check, 7)
    holder = stage.holder("check-7")

    assert holder is not None
    assert RIVAL == holder.token


def test_the_store_sees_the_prefix_and_nobody_else_does(both: Both, stage: Stage) -> None:
    keys = []

    def body(order: int) -> None:
        lease = current_lease()
        assert lease is not None
        keys.append(lease.key)
        assert stage.backend.holder("billing:check-7") is not None

    stage.once.configure(stage.backend, prefix="billing:")
    check = stage.once.once(key="check-{order}")(both.function(body))
    both.call(check, 7)

    assert ["check-7", "check-7"] == [*keys, check.key_for(7)]


def test_key_for_asks_no_store(both: Both) -> None:
    check = Once().once(key="check-{order}")(both.function(lambda order: order))

    assert "check-7" == check.key_for(7)


@pytest.mark.parametrize("attribute", ["is_locked", "holder", "release", "key_for"])
def test_a_value_that_cannot_be_a_key_is_refused_by_each(both: Both, once: Once, attribute: str) -> None:
    check = once.once(key="{order}")(both.function(lambda order: order))

    ask = check.key_for if attribute == "key_for" else partial(both.call, getattr(check, attribute))
    with pytest.raises(ConfigurationError, match="set"):
        ask({1})
