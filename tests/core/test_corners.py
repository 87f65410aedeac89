"""What happens seldom: native stores that fail, renewals that meet an end, stores that cannot be opened."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from once_core import BackendUnavailable, ConfigurationError, Holder, LeaseLost, Once, plugins
from once_core.bridge import Canceller
from once_core.keeper import Renewer
from once_core.lease import ENDED, HELD, LOST
from once_core.process import clock, identity
from once_core.run import abegin, aend, begin, end

from .scripted import Script, lease_on, until
from .test_state_machine import Native


def test_a_native_store_keeps_a_key_for_its_least_time() -> None:
    script = Native()
    lease = lease_on(script, hold_at_least=60.0)
    lease.store.open()

    async def run() -> None:
        assert await abegin(lease)
        await aend(lease)

    asyncio.run(run())

    assert ["acquire", "renew"] == script.asked


@pytest.mark.parametrize("error", [BackendUnavailable("away"), OSError("gone")])
@pytest.mark.parametrize("backend", [Script, Native])
def test_a_question_that_fails_is_an_unavailable_store(backend: type[Script], error: Exception) -> None:
    once = Once(backend(holder=error))
    once.open().store.open()

    with pytest.raises(BackendUnavailable, match=str(error)):
        once.lock("key").is_locked()
    with pytest.raises(BackendUnavailable, match=str(error)):
        asyncio.run(once.lock("key").ais_locked())
    once.close()


def test_a_native_store_answers_coroutines_about_a_key() -> None:
    once = Once(Native(holder=Holder("rival", 5.0)))
    once.open().store.open()

    assert Holder("rival", 5.0) == asyncio.run(once.lock("key").aholder())
    assert asyncio.run(once.lock("key").arelease())
    once.close()


@pytest.mark.parametrize("backend", [Script, Native])
def test_a_store_that_is_wrongly_configured_is_no_store_that_is_away(backend: type[Script]) -> None:
    lease = lease_on(backend(acquire=ConfigurationError("ttl too long")), on_unavailable="run")
    lease.store.open()

    with pytest.raises(ConfigurationError, match="ttl too long"):
        asyncio.run(abegin(lease))

    assert (lease.state, lease.store.running) == (ENDED, {})


def test_a_coroutine_that_ends_while_its_renewal_is_under_way_waits_for_the_answer() -> None:
    script = Native()
    lease = lease_on(script)
    lease.store.open()

    async def run() -> list[str]:
        await abegin(lease)
        lease.begin_renewal(due=clock())
        ending = asyncio.create_task(aend(lease))
        while lease.state != "ending":  # nobody signals it
            await asyncio.sleep(0)
        for _ in range(10):  # it would have asked by now
            await asyncio.sleep(0)
        early = list(script.asked)
        lease.end_renewal(0.0, 30.0, True)
        await ending
        return early

    assert ["acquire"] == asyncio.run(run())
    assert ["acquire", "release"] == script.asked


def test_a_lease_that_was_lost_before_its_body_cancels_it_all_the_same() -> None:
    lease = lease_on(Script(), raise_on_lost=True)

    async def run() -> None:
        begin(lease)
        lease.lose("denied")
        with Canceller(lease):
            await asyncio.sleep(60)

    with pytest.raises(LeaseLost):
        asyncio.run(run())
    end(lease)

    assert LOST == lease.state


def test_a_store_that_cannot_be_opened_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> Any:
        raise BackendUnavailable(f"{url} does not answer")

    monkeypatch.setattr(plugins, "maker", refuse)
    once = Once("memory://closed", on_unavailable="run")

    assert "ran" == once.once(key="key")(lambda: "ran")()
    once.close()


def test_a_scheme_of_once_itself_comes_with_its_line_to_type() -> None:
    assert "Type: pip install once-sql" == plugins.install_hint("sqlite")
    assert "Write postgresql://" in plugins.install_hint("postgres")


def test_a_lock_that_is_forgotten_while_it_is_held_gives_its_key_back() -> None:
    script = Script()
    once = Once(script)
    lock: Any = once.lock("key")
    lock.__enter__()

    del lock

    until(lambda: "release" in script.asked)
    once.close()


def test_a_renewing_thread_may_close_its_own_store() -> None:
    renewer = Renewer(lease_on(Script()).store)
    stopped: list[threading.Thread] = []

    def stop() -> None:
        renewer.stop()
        stopped.append(threading.current_thread())

    renewer.purge(stop, 20.0)

    until(lambda: stopped and not stopped[0].is_alive())


def test_a_run_that_ends_in_a_forked_child_leaves_the_lease_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    lease = lease_on(script)
    assert begin(lease)

    with monkeypatch.context() as in_child:
        in_child.setattr(identity, "pid", identity.pid + 1)
        end(lease)

    assert HELD == lease.state
    assert "release" not in script.asked
    end(lease)
    assert ENDED == lease.state
