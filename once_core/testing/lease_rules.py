"""Rules 1 to 5: who holds a key, for how long, and who may change that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import get_ident
from typing import Any

import pytest

from ..errors import BackendUnavailable
from .asking import Ask
from .basis import LONG, Basis, Taken, new_token
from .rules import RULES


class LeaseRules(Basis):
    """A lease in one thread."""

    def test_every_verb_answers_with_its_own_type(self, ask: Ask, key: str) -> None:
        token = new_token()

        def once_through() -> None:
            ask.holder(key)
            ask.renew(key, token, LONG)
            ask.release(key, token)

        once_through()
        RULES[1].granted(ask.acquire(key, token, LONG), "acquire of a free key")
        ask.acquire(key, new_token(), LONG)
        once_through()

    def test_a_held_key_is_refused_without_waiting(self, ask: Ask, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.take(ask, key)
        asking, slept = ask.watched("the clock", get_ident), list[float]()

        def told_sleep(seconds: float, sleep: Any = time.sleep) -> None:
            if get_ident() == asking:
                slept.append(seconds)
            sleep(seconds)

        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", told_sleep)
            self.refused(ask, key)

        if slept:
            RULES[1].broken(
                f"acquire of a held key called time.sleep({slept[0]:g})", "a skip that waits holds up its worker"
            )

    def test_a_key_is_refused_to_all_but_its_holder(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        self.refused(ask, key)
        self.refused(ask, key, "a second acquire of a held key by a stranger")
        self.still_holds(ask, lease, 1, "refusing strangers")

    def test_a_free_key_has_no_holder_and_nothing_to_renew(self, ask: Ask, key: str) -> None:
        RULES[3].expect(None, ask.holder(key), "holder of a key that nobody took")
        RULES[3].expect(False, ask.renew(key, new_token(), LONG), "renew of a key that nobody took")
        RULES[3].expect(False, ask.release(key, new_token()), "release of a key that nobody took")
        self.take(ask, key)

    def test_a_released_key_is_free_at_once(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        RULES[3].expect(True, ask.release(key, lease.token), "release by the holder")
        RULES[3].expect(None, ask.holder(key), "holder of a released key")
        RULES[3].expect(False, ask.renew(key, lease.token, LONG), "renew of a released lease")
        RULES[3].expect(False, ask.release(key, lease.token), "a second release")
        self.take(ask, key)

    def test_the_holder_is_told_with_its_token_and_time_remaining(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key, 30.0)

        for ttl in (30.0, LONG):
            if ttl == LONG:
                RULES[2].expect(True, ask.renew(key, lease.token, LONG), "renew by the holder")
            holder = ask.holder(key)
            if holder is None or holder.token != lease.token:
                RULES[1].broken(f"holder() told {holder} where {lease.token!r} holds", "operators look for the culprit")
            low, high = ttl / 2, ttl + self.expiry_slack + 0.01
            if holder.remaining is not None and not low < holder.remaining <= high:
                RULES[2].broken(f"right after a grant for {ttl:g} s, holder() told {holder.remaining} s remaining")

    def test_a_grant_is_held_for_at_least_its_ttl(self, ask: Ask) -> None:
        self.held_to_the_end(lambda key, ttl: self.take(ask, key, ttl), ask, "a lease granted")

    def test_a_renewed_lease_is_held_for_at_least_its_ttl(self, ask: Ask) -> None:
        def renewed(key: str, ttl: float) -> Taken | None:
            lease = self.take(ask, key, self.min_ttl)
            asked = time.monotonic()
            if not ask.renew(key, lease.token, ttl):
                if (took := time.monotonic() - lease.asked) < self.min_ttl:
                    RULES[2].broken(f"renew by the holder answered False {took:.2f} s into {self.min_ttl:g} s")
                return None
            return replace(lease, asked=asked)

        self.held_to_the_end(renewed, ask, "a lease renewed")

    def test_a_lease_ends_after_its_ttl(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key, self.min_ttl)

        self.wait_for_the_end(
            lease.answered + self.min_ttl,
            lambda: ask.acquire(key, new_token(), LONG) is not None,
            "acquire by the next token was refused",
        )

    def test_a_renewal_may_end_the_lease_earlier(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        RULES[2].expect(True, ask.renew(key, lease.token, self.min_ttl), "renew by the holder")
        self.wait_for_the_end(
            time.monotonic() + self.min_ttl,
            lambda: ask.acquire(key, new_token(), LONG) is not None,
            f"a lease of {LONG:g} s was renewed for {self.min_ttl:g} s, and acquire by the next token was refused",
        )

    def test_a_refused_acquire_changes_nothing(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        RULES[3].refused(ask.acquire(key, new_token(), self.min_ttl), "acquire of a held key by a stranger")
        self.pass_time()
        self.still_holds(ask, lease, 3, f"a stranger's acquire for {self.min_ttl:g} s")

    def test_a_stranger_can_not_release(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        RULES[3].expect(False, ask.release(key, new_token()), "release by a stranger")
        self.still_holds(ask, lease, 3, "a stranger's release")

    def test_a_stranger_can_not_renew(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        RULES[3].expect(False, ask.renew(key, new_token(), self.min_ttl), "renew by a stranger")
        self.pass_time()
        self.still_holds(ask, lease, 3, f"a stranger's renew for {self.min_ttl:g} s")

    def test_a_token_is_compared_to_its_last_character(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key, token=new_token() + "A")

        for stranger in (lease.token[:-1] + "a", lease.token[:-1], lease.token + "A", lease.token + " "):
            RULES[3].expect(False, ask.release(key, stranger), f"release of {lease.token!r} by {stranger!r}")
            RULES[3].expect(False, ask.renew(key, stranger, LONG), f"renew of {lease.token!r} by {stranger!r}")
            RULES[3].refused(ask.acquire(key, stranger, LONG), f"acquire beside {lease.token!r} by {stranger!r}")
        self.still_holds(ask, lease, 3, "calls by strangers with similar tokens")

    def test_the_token_holds_and_not_the_thread(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        [[[again]], [[renewed, released]]] = ask.at_once(
            [
                [[("acquire", key, lease.token, LONG)]],
                [[("renew", key, lease.token, LONG), ("release", key, lease.token)]],
            ]
        )
        RULES[5].granted(again, "acquire by the token that holds, from another thread")
        RULES[3].expect([True, True], [renewed, released], "renew and release by the holder, from another thread")

    def test_renew_does_not_revive_an_expired_lease(self, ask: Ask, key: str) -> None:
        lease = self.expired(ask, key)

        RULES[4].expect(False, ask.renew(key, lease.token, LONG), "renew of an expired lease")
        RULES[4].expect(None, ask.holder(key), "holder, after renew of an expired lease,")
        RULES[4].granted(ask.acquire(key, new_token(), LONG), "acquire after renew of an expired lease")

    def test_release_of_an_expired_lease_frees_nothing(self, ask: Ask, key: str) -> None:
        lease = self.expired(ask, key)

        RULES[4].expect(False, ask.release(key, lease.token), "release of an expired lease")

    def test_a_late_call_does_not_touch_the_next_holder(self, ask: Ask, key: str) -> None:
        late = self.expired(ask, key)
        lease = self.take(ask, key)

        RULES[4].expect(False, ask.release(key, late.token), "release by an earlier holder")
        RULES[4].expect(False, ask.renew(key, late.token, LONG), "renew by an earlier holder")
        self.still_holds(ask, lease, 4, "an earlier holder's release and renew")

    def test_the_same_token_is_granted_again_with_the_same_fence(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        again = RULES[5].granted(ask.acquire(key, lease.token, LONG), "acquire by the token that holds")
        RULES[5].expect(lease.fence, again.fence, "the fence asked for again")
        RULES[5].expect(True, ask.renew(key, lease.token, LONG), "renew by the holder")
        again = RULES[5].granted(ask.acquire(key, lease.token, LONG), "acquire by the token that renewed")
        RULES[5].expect(lease.fence, again.fence, "the fence asked for again after a renewal")
        self.still_holds(ask, lease, 5, "asking again")

    def test_asking_again_starts_the_ttl_again(self, ask: Ask) -> None:
        def asked_again(key: str, ttl: float) -> Taken | None:
            lease = self.take(ask, key, self.min_ttl)
            asked = time.monotonic()
            RULES[5].granted(ask.acquire(key, lease.token, ttl), "acquire by the token that holds")
            return replace(lease, asked=asked)

        self.held_to_the_end(asked_again, ask, "a lease granted again")

    def test_a_lost_reply_leaves_the_key_to_its_token(self, ask: Ask, key: str) -> None:
        token = new_token()

        with pytest.raises(BackendUnavailable):
            ask.losing_replies().acquire(key, token, LONG)
        RULES[5].refused(ask.acquire(key, new_token(), LONG), "acquire by a stranger after a lost reply")
        RULES[5].granted(ask.acquire(key, token, LONG), "acquire asked again after a lost reply")
        with pytest.raises(BackendUnavailable):
            ask.losing_replies().renew(key, token, LONG)
        RULES[5].expect(True, ask.renew(key, token, LONG), "renew asked again after a lost reply")
        with pytest.raises(BackendUnavailable):
            ask.losing_replies().release(key, token)
        RULES[5].expect(False, ask.release(key, token), "release asked again after a lost reply")
        self.take(ask, key)

    def test_a_store_that_can_not_be_asked_is_never_a_no(self, ask: Ask, key: str) -> None:
        away = ask.of(self.unreachable())

        calls: dict[str, Callable[[], object]] = {
            "acquire": lambda: away.acquire(key, new_token(), LONG),
            "renew": lambda: away.renew(key, new_token(), LONG),
            "release": lambda: away.release(key, new_token()),
            "holder": lambda: away.holder(key),
        }
        for verb, call in calls.items():
            try:
                answer = call()
            except BackendUnavailable:
                continue
            RULES[9].broken(f"{verb} answered {answer} though its store can't be reached")
