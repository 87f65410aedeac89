"""The keeper and the renewing threads: what is due is renewed, what hangs is replaced, nothing makes them end."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from once_core import BackendUnavailable
from once_core import keeper as keeping
from once_core.keeper import BATCH, keeper
from once_core.process import clock
from once_core.run import begin, end

from .scripted import BatchScript, Script, lease_on, until

Asked = Sequence[tuple[str, str, float]]


def test_many_leases_are_renewed_by_few_questions_of_bounded_size() -> None:
    sizes: list[int] = []

    def renew_many(asked: Asked) -> list[bool]:
        sizes.append(len(asked))
        return [True] * len(asked)

    script = BatchScript(renew_many=renew_many)
    leases = [lease_on(script, ttl=1.5) for _ in range(BATCH + 100)]
    for number, lease in enumerate(leases):
        lease.full_key += str(number)
        assert begin(lease)

    until(lambda: sum(sizes) >= 3 * len(leases))
    lost = [lease for lease in leases if lease.lost]
    for lease in leases:
        end(lease)

    assert [] == lost
    assert max(sizes) <= BATCH
    assert len(sizes) < sum(sizes) / 10
    assert "renew" not in script.asked


def test_a_renewal_that_hangs_is_left_to_itself_and_repeated_by_another_thread() -> None:
    answer = threading.Event()
    renewing: list[threading.Thread] = []

    def renew(*_: Any) -> bool:
        renewing.append(threading.current_thread())
        return len(renewing) > 1 or answer.wait(60)

    lease = lease_on(Script(renew=renew), ttl=1.5)
    begin(lease)

    until(lambda: len(renewing) > 3)
    lost = lease.lost
    answer.set()
    end(lease)

    assert not lost
    assert renewing[0] not in renewing[1:]
    until(lambda: not renewing[0].is_alive())


def test_a_purge_that_hangs_delays_no_renewal() -> None:
    answer = threading.Event()
    purging = threading.Event()

    class Purging(Script):
        def purge(self) -> None:
            purging.set()
            answer.wait(60)

    script = Purging()
    lease = lease_on(script, ttl=6)
    begin(lease)

    assert purging.wait(20)
    until(lambda: "renew" in script.asked)
    lost = lease.lost
    answer.set()
    end(lease)

    assert not lost


def test_a_purge_that_fails_is_logged_and_the_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Purging(Script):
        def purge(self) -> None:
            raise ValueError("no such table")

    script = Purging()
    lease = lease_on(script, ttl=3.0)
    begin(lease)

    until(lambda: "renew" in script.asked)
    end(lease)

    assert "no such table" in caplog.text


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit("odd"), asyncio.CancelledError("odd")])
def test_whatever_a_renewal_raises_the_next_one_is_made(error: BaseException) -> None:
    script = Script(renew=error)
    lease = lease_on(script, ttl=1.2)
    begin(lease)

    until(lambda: script.asked.count("renew") >= 2)
    script.answers["renew"] = True
    seen = script.asked.count("renew")
    until(lambda: script.asked.count("renew") >= seen + 2)
    lost = lease.lost
    end(lease)

    assert not lost


def test_a_failing_store_is_complained_of_once_per_outage(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(renew=BackendUnavailable("gone fishing"))
    lease = lease_on(script, ttl=2.4)
    begin(lease)

    until(lambda: script.asked.count("renew") >= 3)
    script.answers["renew"] = True
    asked = script.asked.count("renew")
    until(lambda: script.asked.count("renew") > asked + 1)
    lost = lease.lost
    end(lease)

    assert not lost
    assert 1 == caplog.text.count("gone fishing")


def test_answers_that_do_not_match_the_questions_are_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    script = BatchScript(renew_many=lambda asked: [True, True, True])
    lease = lease_on(script, ttl=3.0)
    begin(lease)

    until(lambda: "could not be asked" in caplog.text)
    script.answers["renew_many"] = lambda asked: [True]
    end(lease)


def test_the_keeper_survives_its_own_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    look = keeper._look
    stumbled = threading.Event()

    def stumble(now: float) -> float:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("a stone")
        return look(now)

    monkeypatch.setattr(keeper, "_look", stumble)
    caplog.set_level(logging.ERROR)
    script = Script()
    lease = lease_on(script, ttl=1.5)
    begin(lease)
    keeper.look_by(0.0)

    assert stumbled.wait(20)
    until(lambda: "renew" in script.asked)
    end(lease)

    assert "a stone" in caplog.text


def test_a_run_that_ends_while_its_renewal_is_under_way_waits_for_the_answer() -> None:
    asked, answer = threading.Event(), threading.Event()

    def renew(*_: Any) -> bool:
        asked.set()
        return answer.wait(60)

    script = Script(renew=renew)
    lease = lease_on(script, ttl=30)
    begin(lease)
    lease.renew_at = 0.0
    keeper.look_by(0.0)
    assert asked.wait(20)
    ending = threading.Thread(target=end, args=[lease])
    ending.start()

    until(lambda: lease.state == "ending")
    released_early = "release" in script.asked
    answer.set()
    ending.join()

    assert not released_early
    assert "release" in script.asked


def test_without_a_thread_to_be_had_a_run_goes_on_unrenewed(monkeypatch: pytest.MonkeyPatch) -> None:
    lonely = keeping.Keeper()
    monkeypatch.setattr(keeping, "start_daemon", lambda *_: None)
    lease = lease_on(Script())

    lonely.watch(lease)
    lonely.look_by(0.0)
    renewer = keeping.Renewer(lease.store)
    renewer.renew([lease], due=0.0)

    assert not lonely._is_awake
    assert renewer._worker is None


def test_a_lease_that_ends_slowly_is_forgotten_when_its_time_is_over() -> None:
    answer = threading.Event()
    lease = lease_on(Script(release=lambda *_: answer.wait(60)), ttl=0.6)
    begin(lease)
    ending = threading.Thread(target=end, args=[lease])
    ending.start()

    until(lambda: lease.token not in keeper._leases)
    answer.set()
    ending.join()

    assert "ended" == lease.state


def test_a_renewal_that_fails_is_repeated_after_a_twelfth_of_the_ttl_and_not_at_once() -> None:
    script = Script(renew=BackendUnavailable("away"))
    lease = lease_on(script, ttl=2.4)
    begin(lease)

    until(lambda: lease.lost)
    end(lease)

    assert 2 <= script.asked.count("renew") <= 12


def test_a_renewal_that_waited_for_its_turn_is_not_made_if_another_came_first() -> None:
    lease = lease_on(Script())
    begin(lease)
    due = clock()

    assert lease.begin_renewal(due)
    lease.end_renewal(clock(), 30.0, True)

    assert not lease.begin_renewal(due)
    assert lease.begin_renewal(clock())
    lease.end_renewal(clock(), 30.0, True)
    end(lease)


def test_a_purge_that_hangs_costs_no_lease_however_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PURGE_PATIENCE", 60.0)
    over = threading.Event()

    class Purging(Script):
        def purge(self) -> None:
            over.wait(60)

    script = Purging()
    lease = lease_on(script, ttl=3.0)
    begin(lease)

    until(lambda: script.asked.count("renew") > 1 or lease.lost)
    lost = lease.lost
    over.set()
    end(lease)

    assert not lost


def test_nobody_is_roused_while_the_interpreter_finalizes(monkeypatch: pytest.MonkeyPatch) -> None:
    lonely = keeping.Keeper()
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)

    lonely.look_by(0.0)  # a thread that has stopped may have the lock

    assert lonely._bell.empty()
