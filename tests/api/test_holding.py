"""`hold_at_least` keeps a key taken after a short run; `hold_at_most` gives the key of a long run away."""

from __future__ import annotations

import time

import pytest

from once_core import Grant, LeaseLost, Once, current_lease
from once_memory import MemoryBackend

from .both import Both
from .stores import Stage, until


def test_a_short_run_keeps_its_key_for_hold_at_least(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check", return_on_locked="skipped", hold_at_least=100, ttl=5)(
        both.function(lambda: stage.holder("check"))
    )
    inside = both.call(check)
    after = stage.holder("check")

    assert inside.remaining <= 5.1
    assert after is not None
    assert inside.token == after.token
    assert after.remaining is not None
    assert 5.1 < after.remaining <= 100.1
    assert "skipped" == both.call(check)
    assert both.call(check.is_locked) is True


def test_hold_at_least_counts_from_the_start_of_the_run(both: Both) -> None:
    started: list[float] = []

    class SlowToAnswer(MemoryBackend):
        never_blocks = False

        def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
            granted = super().acquire(key, token, ttl)
            time.sleep(0.3)
            return granted

    backend = SlowToAnswer()
    once = Once(backend)
    both.call(once.once(key="check", hold_at_least=50)(both.function(lambda: started.append(time.monotonic()))))
    holder = backend.holder("once:check")
    once.close()

    assert holder is not None
    assert holder.remaining is not None
    assert started[0] + 49.9 <= time.monotonic() + holder.remaining


def test_a_run_that_failed_keeps_its_key_too(both: Both, stage: Stage) -> None:
    def body() -> None:
        raise ZeroDivisionError

    check = stage.once.once(key="check", hold_at_least=100)(both.function(body))
    with pytest.raises(ZeroDivisionError):
        both.call(check)

    assert stage.holder("check") is not None
    assert both.call(check) is None


def test_the_key_is_free_when_hold_at_least_is_over(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check", hold_at_least=0.2)(both.function(lambda: "ran"))

    assert "ran" == both.call(check)
    assert until(lambda: both.call(check) == "ran")


def test_a_run_longer_than_hold_at_least_frees_its_key_at_once(both: Both, stage: Stage) -> None:
    def body() -> None:
        lease = current_lease()
        assert lease is not None
        began = lease.remaining
        until(lambda: lease.remaining < began - 0.05)

    check = stage.once.once(key="check", hold_at_least=0.01)(both.function(body))
    both.call(check)

    assert stage.holder("check") is None


def test_a_key_kept_by_hold_at_least_can_be_released_by_force(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check", hold_at_least=100)(both.function(lambda: "ran"))
    both.call(check)

    assert both.call(check.release) is True
    assert "ran" == both.call(check)


def test_a_lock_can_hold_at_least(both: Both, stage: Stage) -> None:
    async def hold() -> None:
        async with both.entered(stage.once.lock("check", hold_at_least=100)):
            pass

    both.run(hold())

    assert stage.holder("check") is not None


class Renewals(MemoryBackend):
    """Notes for how long each lease was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[float] = []

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        self.spans.append(ttl)
        return super().acquire(key, token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        self.spans.append(ttl)
        return super().renew(key, token, ttl)


def test_a_run_is_renewed_over_several_ttl_until_hold_at_most() -> None:
    backend = Renewals()

    @Once(backend).once(key="check", ttl=0.9, hold_at_most=2.0, raise_on_lost=True)
    def check() -> None:
        lease = current_lease()
        assert lease is not None
        until(lambda: lease.lost)
        assert backend.holder("once:check") is None

    with pytest.raises(LeaseLost):
        check()

    assert len(backend.spans) > 2
    assert 0.9 == backend.spans[0]
    assert backend.spans[-1] < 0.9
    assert sorted(backend.spans, reverse=True) == backend.spans


def test_a_hold_at_most_shorter_than_the_ttl_is_asked_for_alone() -> None:
    backend = Renewals()

    @Once(backend).once(key="check", ttl=30, hold_at_most=0.2)
    def check() -> str:
        lease = current_lease()
        assert lease is not None
        until(lambda: lease.lost)
        return "ran"

    assert "ran" == check()
    assert [0.2] == backend.spans


def test_after_hold_at_most_another_process_may_run_and_this_one_still_skips(both: Both, stage: Stage) -> None:
    ran = []

    async def body() -> None:
        ran.append(1)
        until(lambda: stage.holder("check") is None)
        assert "skipped" == await both.inner(check)
        stage.hold("check")

    check = stage.once.once(key="check", return_on_locked="skipped", hold_at_most=0.2)(both.function(body))
    both.call(check)

    assert [1] == ran
    assert stage.holder("check") is not None
