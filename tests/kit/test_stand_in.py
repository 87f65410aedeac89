"""The fixture for users' own tests: what is configured is swapped for memory, can be steered, and comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import once_core
from api.both import Both, Coroutines, Plain
from once_core import (
    SKIPPED,
    AlreadyLocked,
    BackendUnavailable,
    ConfigurationError,
    LeaseLost,
    NotConfigured,
    Once,
    current_lease,
)
from once_core.testing import StandIn, in_memory, once_store
from once_memory import MemoryBackend

__all__ = ["once_store"]

NOWHERE = "sqlite:////no/such/folder/once.db"


@pytest.fixture(params=[Plain(), Coroutines()], ids=lambda both: both.name)
def both(request: pytest.FixtureRequest) -> Both:
    both: Both = request.param
    return both


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCE_URL", raising=False)


def body(inside: Callable[[], object] = lambda: None) -> str:
    inside()
    return "ran"


def lost() -> bool:
    lease = current_lease()
    assert lease is not None
    return lease.lost


# What is swapped, and comes back.


def test_what_was_decorated_before_asks_memory_with_no_store_configured(both: Both) -> None:
    work = once_core.once(key="work")(both.function(body))

    with in_memory() as store, store.held("work"):
        assert both.call(work) is None
        assert both.call(work.is_locked)
    with pytest.raises(NotConfigured):
        both.call(work)


@pytest.mark.parametrize("source", [NOWHERE, MemoryBackend()], ids=["URL", "object"])
def test_other_onces_ask_memory_too_and_their_own_store_afterwards(both: Both, source: Any) -> None:
    once = Once(source, prefix="billing:", ttl=7)
    work = once.once(key="work")(both.function(body))

    with in_memory() as store:
        assert "ran" == both.call(work)
        with store.held("work"):
            assert "ran" == both.call(work)
        with store.of(once).held("work"):
            assert both.call(work) is None
        with once.lock("ttl") as lease:
            assert 7 == lease.ttl
    if source is NOWHERE:
        with pytest.raises(ConfigurationError, match="no folder /no/such/folder"):
            both.call(work)
    else:
        source.acquire("billing:work", "token", 60)
        assert both.call(work) is None


def test_onces_on_one_store_share_what_stands_in_for_it_and_others_do_not() -> None:
    one, same, other = Once(NOWHERE), Once(NOWHERE), Once("memory://other")

    with in_memory(), one.lock("key"):
        assert same.lock("key").is_locked()
        assert not other.lock("key").is_locked()


def test_each_test_begins_with_an_empty_store() -> None:
    for _ in range(2):
        with in_memory():
            assert not once_core.lock("key").is_locked()
            assert "ran" == once_core.once(key="key", hold_at_least=60)(body)()


def test_a_store_that_was_open_stays_open() -> None:
    once = Once(MemoryBackend())
    setting = once.open()

    with once.lock("key"):
        with in_memory():
            assert not once.lock("key").is_locked()
        assert once.lock("key").is_locked()

    assert once.open() is setting


def test_a_configuration_of_the_test_asks_memory_and_ends_with_it() -> None:
    once = Once(MemoryBackend(), prefix="before:")

    with in_memory() as store:
        once.configure(NOWHERE, prefix="meanwhile:")
        with store.of(once).held("key"):
            assert once.lock("key").is_locked()
        with pytest.raises(ConfigurationError):
            once.configure("nosuch://")

    assert "before:" == once.open().prefix
    assert not once.lock("key").is_locked()


def test_a_once_that_was_made_meanwhile_asks_its_own_store_afterwards() -> None:
    with in_memory() as store:
        once = Once(NOWHERE)
        with store.of(once).held("key"):
            assert once.lock("key").is_locked()

    with pytest.raises(ConfigurationError, match="no folder /no/such/folder"):
        once.lock("key").is_locked()


def test_a_test_that_fails_restores_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE_URL", "memory://theirs")
    with pytest.raises(ZeroDivisionError), in_memory():
        assert "memory://" == os.environ["ONCE_URL"]
        raise ZeroDivisionError

    assert "memory://theirs" == os.environ["ONCE_URL"]
    assert "memory://theirs" == once_core.decorator.default.open().store.source
    once_core.decorator.default.close()


# What can be steered.


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


# How it is had.


@pytest.mark.parametrize(
    "line",
    [
        "from once_core.testing import once_store",
        'pytest_plugins = ["once_core.testing"]',
        'import once_core.testing\npytest_plugins = ["once_core.testing.stand_in"]',
    ],
)
def test_one_line_in_conftest_brings_the_fixture(line: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(line)
    (tmp_path / "test_it.py").write_text("def test_it(once_store): once_store.step(1)")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", tmp_path],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_is_loaded_into_runs_that_do_not_ask_for_it() -> None:
    assert [] == [entry.name for entry in entry_points(group="pytest11") if entry.value.startswith("once")]


def test_without_once_memory_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "once_memory", None)

    with pytest.raises(ImportError, match=r'pip install "once-core\[testing\]"'), in_memory() as store:
        store.held("key").__enter__()
