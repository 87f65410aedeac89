"""`on_unavailable` says what a call does when the store can't be asked; after the body it costs no result (G9)."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from typing import Any

import pytest

from once_core import AlreadyLocked, BackendUnavailable, Once, current_lease, once
from once_core.options import OnUnavailable
from once_core.run import IN_VAIN

from .both import Both
from .stores import FailingBackend, away, until


def body() -> Any:
    return current_lease()


@pytest.mark.parametrize("policy", [None, "raise"])
def test_by_default_a_store_that_is_away_raises(both: Both, policy: OnUnavailable | None) -> None:
    check = Once(away()).once(key="check", on_unavailable=policy)(both.function(body))

    with pytest.raises(BackendUnavailable, match="the store is away"):
        both.call(check)


@pytest.mark.parametrize("by", ["function", "once"])
def test_a_store_that_is_away_skips_if_that_was_chosen(both: Both, by: str) -> None:
    guard = Once(away(), on_unavailable="raise" if by == "function" else "skip")
    policy: OnUnavailable | None = "skip" if by == "function" else None
    check = guard.once(key="check", return_on_locked="skipped", on_unavailable=policy)(both.function(body))

    assert "skipped" == both.call(check)


def test_such_a_skip_is_already_locked_with_no_holder_where_skips_raise(both: Both) -> None:
    check = Once(away()).once(key="check", raise_on_locked=True, on_unavailable="skip")(both.function(body))

    with pytest.raises(AlreadyLocked) as caught:
        both.call(check)

    assert ("check", None) == (caught.value.key, caught.value.holder)


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_lock_raises_whether_a_function_would_raise_or_skip(both: Both, policy: OnUnavailable) -> None:
    async def hold(wait: float) -> None:
        async with both.entered(Once(away()).lock("check", on_unavailable=policy, wait=wait)):
            raise AssertionError("entered")

    for wait in (0.0, 50.0):
        with pytest.raises(BackendUnavailable, match="the store is away"):
            both.run(hold(wait))


def test_a_run_without_a_store_is_unguarded_if_that_was_chosen(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    def body() -> str:
        lease = current_lease()
        assert lease is not None
        assert ("check", None, 0.0, False) == (lease.key, lease.fence, lease.remaining, lease.lost)
        lease.raise_if_lost()
        return "ran"

    check = Once(away()).once(key="check", on_unavailable="run", raise_on_lost=True)(both.function(body))
    with caplog.at_level(logging.WARNING, "once_core"):
        assert "ran" == both.call(check)

    warning = caplog.records[0].getMessage()

    assert "unguarded" in warning
    assert "'check'" in warning
    assert "the store is away" in warning
    assert current_lease() is None


def test_a_lock_without_a_store_is_entered_unguarded_if_that_was_chosen(both: Both) -> None:
    async def hold() -> None:
        async with both.entered(Once(away(), on_unavailable="run").lock("check")) as lease:
            assert id(lease) == id(current_lease())
            assert (None, 0.0, False) == (lease.fence, lease.remaining, lease.lost)

    both.run(hold())

    assert current_lease() is None


def test_an_unguarded_run_still_excludes_a_second_one_in_this_process(both: Both) -> None:
    ran = []

    async def body() -> None:
        ran.append(1)
        assert "skipped" == await both.inner(check)

    guard = Once(away(), on_unavailable="run")
    check = guard.once(key="check", return_on_locked="skipped")(both.function(body))
    both.call(check)
    both.call(check)

    assert [1, 1] == ran


@pytest.mark.parametrize("error", [OSError("gone"), ZeroDivisionError("bug"), AttributeError("bug"), TimeoutError()])
def test_what_a_verb_should_not_raise_is_unavailable_by_its_name(both: Both, error: Exception) -> None:
    guard = Once(FailingBackend(acquire=error, holder=error))
    check = guard.once(key="check")(both.function(body))

    with pytest.raises(BackendUnavailable, match=type(error).__name__) as caught:
        both.call(check)
    assert error is caught.value.__cause__
    for attribute in (check.holder, check.is_locked, check.release):
        with pytest.raises(BackendUnavailable, match=type(error).__name__):
            both.call(attribute)


def test_what_a_verb_should_not_raise_falls_under_the_policy(both: Both) -> None:
    guard = Once(FailingBackend(acquire=OSError("gone")), on_unavailable="skip")

    assert "skipped" == both.call(guard.once(key="check", return_on_locked="skipped")(both.function(body)))


class SoftTimeLimit(Exception):
    """What Celery's handler of a signal raises in the middle of anything."""


@pytest.mark.parametrize("policy", ["raise", "skip", "run"])
def test_what_a_signal_s_handler_raises_amid_a_question_is_no_failure_of_the_store(
    policy: OnUnavailable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(number: int, frame: object) -> None:
        raise SoftTimeLimit

    def interrupted(self: FailingBackend, verb: str) -> None:
        if threading.current_thread() is threading.main_thread():  # not what is given back in the background
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, out_of_time)
    monkeypatch.setattr(FailingBackend, "note", interrupted)
    guard = Once(FailingBackend(), on_unavailable=policy)
    ran: list[bool] = []
    check = guard.once(key="check")(lambda: ran.append(True))
    try:
        with pytest.raises(SoftTimeLimit):
            check()
        with pytest.raises(SoftTimeLimit):
            check.is_locked()
    finally:
        signal.signal(signal.SIGUSR1, before)
    monkeypatch.undo()

    assert [] == ran
    until(lambda: check() or ran)


@pytest.mark.parametrize("answer", [True, 7, "yes", object()])
def test_an_answer_that_is_no_grant_is_unavailable(both: Both, answer: Any) -> None:
    backend = FailingBackend()
    backend.acquire = lambda key, token, ttl: answer  # type: ignore[method-assign]  # a wrong backend
    check = Once(backend).once(key="check")(both.function(body))

    with pytest.raises(BackendUnavailable, match="Grant"):
        both.call(check)


@pytest.mark.parametrize("error", [BackendUnavailable("away"), OSError("gone")])
def test_a_release_that_fails_never_costs_the_result(
    both: Both, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    backend = FailingBackend(release=error)
    check = Once(backend).once(key="check")(both.function(lambda: "ran"))

    assert "ran" == both.call(check)
    until(lambda: any("could not be given back" in record.getMessage() for record in caplog.records))


def test_a_release_that_fails_never_hides_the_body_s_error(both: Both) -> None:
    def body() -> None:
        raise ZeroDivisionError

    check = Once(away()).once(key="check", on_unavailable="run")(both.function(body))
    other = Once(FailingBackend(release=OSError("gone"))).once(key="check")(both.function(body))

    for function in (check, other):
        with pytest.raises(ZeroDivisionError):
            both.call(function)


def test_a_failed_hold_at_least_never_costs_the_result(both: Both) -> None:
    backend = FailingBackend(renew=OSError("gone"))

    assert "ran" == both.call(Once(backend).once(key="check", hold_at_least=9)(both.function(lambda: "ran")))


def test_one_failed_release_leaves_the_key_for_no_longer_than_the_ttl(both: Both) -> None:
    backend = FailingBackend(release=OSError("gone"))
    check = Once(backend).once(key="check", ttl=0.4, return_on_locked="skipped")(both.function(lambda: "ran"))

    assert "ran" == both.call(check)
    assert until(lambda: both.call(check) == "ran")


class LosingReplies(FailingBackend):
    """Grants, but its reply is lost."""

    def acquire(self, key: str, token: str, ttl: float) -> Any:
        super().acquire(key, token, ttl)
        raise BackendUnavailable("the reply was lost")


def test_a_lost_reply_is_not_taken_for_a_held_key_and_leaves_none(both: Both) -> None:
    backend = LosingReplies()
    check = Once(backend).once(key="check", return_on_locked="skipped")(both.function(body))

    with pytest.raises(BackendUnavailable, match="the reply was lost"):
        both.call(check)

    assert until(lambda: backend.store.holder("once:check") is None)


def test_the_policy_is_not_asked_for_errors_of_the_body(both: Both) -> None:
    def body() -> None:
        raise BackendUnavailable("another store")

    guard = Once(FailingBackend(), on_unavailable="skip")

    with pytest.raises(BackendUnavailable, match="another store"):
        both.call(guard.once(key="check")(both.function(body)))


def test_decorating_asks_nothing() -> None:
    backend = away()

    Once(backend).once(key="check")(body)
    once(key="check")(body)

    assert [] == backend.asked


class TimingOut(FailingBackend):
    """Lets every question wait in vain."""

    def acquire(self, key: str, token: str, ttl: float) -> Any:
        self.note("acquire")
        time.sleep(1.2 * IN_VAIN)
        raise BackendUnavailable("timed out")


@pytest.mark.parametrize("policy", ["raise", "run"])
def test_coroutines_that_wait_for_a_thread_do_not_time_out_one_after_the_other(policy: OnUnavailable) -> None:
    backend = TimingOut()
    check = Once(backend).once(key="check-{number}", on_unavailable=policy)(acheck)

    async def main() -> list[int | BaseException | None]:
        return await asyncio.gather(*map(check, range(200)), return_exceptions=True)

    answers = asyncio.run(main())
    if policy == "raise":
        assert {BackendUnavailable} == {type(answer) for answer in answers}
        assert any("while this call waited for its turn: timed out" in str(answer) for answer in answers)
    else:
        assert [*range(200)] == answers
    assert backend.asked.count("acquire") < 50
    # Those that were asked for may have been granted.
    assert until(lambda: backend.asked.count("release") == backend.asked.count("acquire"))


async def acheck(number: int) -> int:
    return number


def test_a_store_that_answers_again_is_asked_again() -> None:
    backend = TimingOut()
    check = Once(backend).once(key="check-{number}")(acheck)

    async def main() -> list[int | None]:
        with pytest.raises(BackendUnavailable, match="timed out"):
            await check(0)
        backend.acquire = backend.store.acquire  # type: ignore[method-assign]  # it is back
        return await asyncio.gather(*map(check, range(20)))

    assert [*range(20)] == asyncio.run(main())


def test_coroutines_that_are_cancelled_before_their_turn_ask_for_nothing() -> None:
    backend, busy = FailingBackend(), threading.Event()
    answer = backend.store.acquire
    backend.store.acquire = lambda *asked: busy.wait(20) and answer(*asked)  # type: ignore[assignment, method-assign]  # slow
    once = Once(backend)
    check = once.once(key="check-{number}")(acheck)

    async def main() -> None:
        tasks = [asyncio.create_task(check(number)) for number in range(100)]
        await asyncio.to_thread(until, lambda: once.open().store.pool.pending == 100)
        asked = backend.asked.count("acquire")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        busy.set()
        await asyncio.to_thread(until, lambda: once.open().store.pool.pending == 0)

        assert asked == backend.asked.count("acquire")

    asyncio.run(main())
    assert [] == [number for number in range(100) if backend.store.holder(f"once:check-{number}")]
