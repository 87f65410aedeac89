"""G10: a lost reply is never mistaken for a held key, and leaves no key stuck for longer than ttl."""

from __future__ import annotations

from time import sleep

import pytest

from once_core import BackendUnavailable, Grant, current_lease

from .backends import Relay, awaited, away, first
from .calls import wait_until
from .kinds import Kind
from .stores import Store

TTL = 1.0


def losing(store: Store, verb: str, native: bool) -> Relay:
    """Return a backend that does what it is asked, and whose first reply to *verb* is lost."""
    relay = Relay(store.backend(), native=native)
    relay.after[verb] = first(away)
    if native:
        relay.aio.after[verb] = awaited(first(away))
    return relay


@pytest.mark.parametrize("native", [False, True])
def test_a_lost_grant_is_unavailable_not_held_and_is_given_back(store: Store, form: Kind, native: bool) -> None:
    relay = losing(store, "acquire", native)
    once = store.once(relay)
    once.lock("other").is_locked()  # the first question opens the store, in a thread
    with pytest.raises(BackendUnavailable):
        form(once, "key", lambda: "ran")()
    wait_until(lambda: store.free_at_once("key"), "the key is free")

    assert "ran" == form(once, "key", lambda: "ran")()


def test_a_run_without_its_grant_leaves_the_key_free(store: Store, form: Kind) -> None:
    once = store.once(losing(store, "acquire", False), on_unavailable="run")

    assert "ran" == form(once, "key", lambda: "ran")()
    wait_until(lambda: store.free_at_once("key"), "the key is free")


def test_a_lost_grant_that_can_not_be_given_back_is_free_within_ttl(store: Store, form: Kind) -> None:
    relay = losing(store, "acquire", False)
    relay.before["release"] = away
    with pytest.raises(BackendUnavailable):
        form(store.once(relay, ttl=TTL), "key", lambda: "ran")()
    wait_until(lambda: store.free_at_once("key"), "the key is free")
    renewed_for_nobody = relay.count("renew")

    assert 0 == renewed_for_nobody


class Repeating(Relay):
    """Asks again by itself after a lost reply, as many clients do."""

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        super().acquire(key, token, ttl)
        return super().acquire(key, token, ttl)


def test_a_client_that_asks_again_is_granted(store: Store, form: Kind) -> None:
    assert "ran" == form(store.once(Repeating(store.backend())), "key", lambda: "ran")()
    assert store.free_at_once("key")


@pytest.mark.parametrize("native", [False, True])
def test_a_lost_reply_to_the_release_costs_neither_result_nor_key(store: Store, form: Kind, native: bool) -> None:
    assert "result" == form(store.once(losing(store, "release", native)), "key", lambda: "result")()
    assert store.free_at_once("key")


def test_a_release_that_never_arrives_frees_the_key_within_ttl(store: Store, form: Kind) -> None:
    relay = Relay(store.backend())

    def body() -> str:
        relay.before["release"] = away  # not before: a grant that comes late is released
        return "result"

    assert "result" == form(store.once(relay, ttl=TTL), "key", body)()
    wait_until(lambda: store.free_at_once("key"), "the key is free")


def test_a_lost_reply_to_a_renewal_is_not_a_loss(memory: Store, kind: Kind) -> None:
    relay = losing(memory, "renew", False)

    def body() -> bool:
        lease = current_lease()
        assert lease is not None
        while relay.count("renew") < 4 and not lease.lost:
            sleep(0.01)
        return lease.lost

    assert not kind(memory.once(relay, ttl=3.0), "key", body)()
