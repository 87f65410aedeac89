"""G2: two runs of a key never overlap within a process, whatever happens to the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from once_core import SKIPPED, Backend, Lease, Once, current_lease

from .backends import Relay, away
from .calls import Held, wait_until
from .kinds import Kind
from .stores import Store


def test_a_forced_release_lets_no_second_run_into_the_process(store: Store, form: Kind) -> None:
    once = store.once()
    with Held(partial(form, once, "key")) as held:
        assert once.lock("key").release()
        assert not once.lock("key").is_locked()
        assert SKIPPED is form(once, "key", lambda: "ran")()
        assert "result" == held.end()

    assert "ran" == form(once, "key", lambda: "ran")()


def test_a_stranger_that_took_the_key_changes_nothing_in_the_process(store: Store, kind: Kind) -> None:
    once, backend = store.once(), store.backend()
    with Held(partial(kind, once, "key")) as held:
        once.lock("key").release()
        backend.acquire(f"{store.prefix}key", "stranger", 300.0)
        backend.release(f"{store.prefix}key", "stranger")
        assert SKIPPED is kind(once, "key", lambda: "ran")()
        held.end()

    assert "ran" == kind(once, "key", lambda: "ran")()


def forget(relay: Relay) -> None:
    relay.backend = type(relay.backend)()


def go_away(relay: Relay) -> None:
    relay.before["renew"] = away


@pytest.mark.parametrize("loss", [forget, go_away])
def test_a_lost_lease_lets_no_second_run_into_the_process(
    memory: Store, form: Kind, loss: Callable[[Relay], None]
) -> None:
    from once_memory import MemoryBackend

    relay = Relay(MemoryBackend())
    once = memory.once(relay, ttl=0.6)
    leases: list[Lease | None] = []

    def guard(body: Callable[[], object]) -> Callable[[], object]:
        def noting() -> object:
            leases.append(current_lease())
            return body()

        return form(once, "key", noting)

    with Held(guard) as held:
        (lease,) = leases
        assert lease is not None
        loss(relay)
        wait_until(lambda: lease.lost, "the lease is lost")
        wait_until(lambda: relay.backend.holder(f"{memory.prefix}key") is None, "the store's lease is over")
        assert SKIPPED is form(once, "key", lambda: "ran")()
        held.end()
    relay.before.clear()

    assert "ran" == form(once, "key", lambda: "ran")()


def test_a_skip_known_in_the_process_costs_no_round_trip(memory: Store, form: Kind) -> None:
    relay = Relay(memory.backend())
    once = memory.once(relay)
    with Held(partial(form, once, "key")):
        before = list(relay.asked)
        for _ in range(10):
            assert SKIPPED is form(once, "key", lambda: "ran")()

        assert before == relay.asked


def urls(store: Store) -> str | Backend:
    return store.url


def objects(store: Store) -> str | Backend:
    return Relay(store.backend())


@pytest.mark.parametrize("source", [urls, objects])
def test_all_settings_of_one_store_share_what_runs(
    store: Store, kind: Kind, source: Callable[[Store], str | Backend]
) -> None:
    backend = source(store)
    one, other = store.once(backend), store.once(backend)
    with Held(partial(kind, one, "key")) as held:
        one.lock("key").release()
        assert SKIPPED is kind(other, "key", lambda: "ran")()
        held.end()

    assert "ran" == kind(other, "key", lambda: "ran")()


def test_a_new_configuration_of_the_same_store_still_knows_what_runs(store: Store, kind: Kind) -> None:
    once: Once = store.once()
    with Held(partial(kind, once, "key")) as held:
        once.lock("key").release()
        once.configure(store.url, prefix=store.prefix)
        assert SKIPPED is kind(once, "key", lambda: "ran")()
        held.end()

    assert "ran" == kind(once, "key", lambda: "ran")()


def test_plain_and_coroutine_functions_share_what_runs(store: Store, form: Kind) -> None:
    from .kinds import FORMS

    once = store.once()
    with Held(partial(form, once, "key")):
        once.lock("key").release()
        assert [SKIPPED] * len(FORMS) == [other(once, "key", lambda: "ran")() for other in FORMS.values()]
