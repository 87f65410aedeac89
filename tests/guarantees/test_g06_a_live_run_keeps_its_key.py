"""G6: a live run keeps its key however long it takes; one hung store delays nothing of another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic, sleep

import pytest

from once_core import SKIPPED, Once, current_lease

from .backends import Relay, away
from .calls import DEADLINE, Beside, Held, wait_until
from .kinds import KINDS, Kind
from .stores import Store

TTL = 1.5


def kept() -> bool:
    """Whether the run that asks still has its lease."""
    lease = current_lease()
    return lease is not None and not lease.lost


def test_a_run_of_several_ttl_keeps_its_key(store: Store, kind: Kind) -> None:
    begun, ending = threading.Event(), threading.Event()

    def body() -> bool:
        begun.set()
        sleep(1.2 * TTL)  # also in a coroutine: its loop is blocked
        pass_without_rest(1.2 * TTL)
        ending.set()
        return kept()

    running = Beside(kind(store.once(ttl=TTL), "key", body))
    wait_until(begun.is_set, "the body begins")
    rival = kind(store.once(Relay(store.backend())), "key", lambda: "ran")  # another program, as far as once knows
    while not ending.is_set():
        answer = rival()
        assert SKIPPED is answer or ending.is_set()
        sleep(0.02)

    assert running.result()


def pass_without_rest(seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        pass


@contextmanager
def busy_threads(number: int) -> Iterator[None]:
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE)


def test_a_run_amid_threads_that_never_wait_keeps_its_key(store: Store) -> None:
    with busy_threads(3), Held(partial(KINDS["def"], store.once(ttl=2.4), "key")) as held:
        pass_without_rest(3.2)
        assert not store.free_at_once("key")
        held.end()


def test_a_coroutine_that_waits_for_several_ttl_keeps_its_key(store: Store) -> None:
    once = store.once(ttl=TTL)

    @once.once(key="{name}")
    async def run(name: str) -> bool:
        await asyncio.sleep(2 * TTL)
        return kept()

    async def main() -> list[bool | None]:
        return await asyncio.gather(*(run(f"key-{number}") for number in range(10)))

    assert [True] * 10 == asyncio.run(main())


@pytest.mark.parametrize("failure", ["raises", "hangs"])
def test_a_store_that_is_away_for_less_than_half_the_ttl_costs_no_lease(
    memory: Store, kind: Kind, failure: str
) -> None:
    ttl, outage = 3.0, 1.2
    relay = Relay(memory.backend())
    back: list[float] = []

    def fail() -> None:
        if not back:
            back.append(monotonic() + outage)
        if monotonic() < back[0]:
            if failure == "hangs":
                sleep(max(0.0, back[0] - monotonic()))
            else:
                away()

    def body() -> bool:
        relay.before["renew"] = fail
        # Past the moment when the lease would have ended without a renewal after the outage.
        wait_until(
            lambda: back and relay.granted_until(ttl) > back[0] + ttl and monotonic() > back[0] - outage + ttl,
            "the store is back",
        )
        return kept()

    assert kind(memory.once(relay, ttl=ttl), "key", body)()


def test_a_paused_store_that_goes_on_in_time_costs_no_lease(store: Store, kind: Kind) -> None:
    ttl = 3.0

    def body() -> bool:
        with store.paused():
            sleep(0.4 * ttl)
        sleep(0.8 * ttl)
        return kept()

    assert kind(store.once(ttl=ttl), "key", body)()


@contextmanager
def hung(memory: Store) -> Iterator[tuple[Once, Relay]]:
    """Yield a Once on a store that answers no renewal, and goes on to do so until the end."""
    from once_memory import MemoryBackend

    relay, over = Relay(MemoryBackend()), threading.Event()
    relay.before["renew"] = lambda: over.wait(DEADLINE)
    try:
        yield memory.once(relay, ttl=TTL), relay
    finally:
        over.set()


def test_a_hung_store_delays_no_other_stores_renewals(memory: Store, kind: Kind) -> None:
    with hung(memory) as (stuck, relay):
        lost: list[Callable[[], bool]] = []

        def stuck_run(body: Callable[[], object]) -> Callable[[], object]:
            def noting() -> object:
                lease = current_lease()
                assert lease is not None
                lost.append(lambda: lease.lost)
                return body()

            return kind(stuck, "stuck", noting)

        with Held(stuck_run) as held:

            def body() -> bool:
                sleep(2 * TTL)
                return kept()

            assert kind(memory.once(ttl=TTL), "key", body)()
            assert relay.count("renew") >= 1
            assert lost[0]()
            held.end()


def test_each_run_on_a_hung_store_is_told_of_its_loss(memory: Store) -> None:
    with hung(memory) as (stuck, relay):

        @stuck.once(key="{number}", raise_on_lost=True)
        async def run(number: int) -> None:
            await asyncio.sleep(3600)

        async def main() -> list[str]:
            results = await asyncio.gather(*(run(number) for number in range(20)), return_exceptions=True)
            return [type(result).__name__ for result in results]

        assert ["LeaseLost"] * 20 == asyncio.run(main())
