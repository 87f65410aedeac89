"""Leases that end at the wrong time or for the wrong token."""

from __future__ import annotations

import time
from os import getpid
from threading import get_ident
from typing import ClassVar

from once_core.backend import Grant

from .bases import Broken


class ReleaseIgnoresTheToken(Broken):
    caught_by: ClassVar = {
        "test_a_stranger_can_not_release": 3,
        "test_a_late_call_does_not_touch_the_next_holder": 4,
        "test_a_late_release_never_frees_the_winner": 4,
    }

    def release(self, key: str, token: str) -> bool:
        holder = self.holder(key)
        return holder is not None and super().release(key, holder.token)


class RenewIgnoresTheToken(Broken):
    caught_by: ClassVar = {"test_a_stranger_can_not_renew": 3, "test_a_late_call_does_not_touch_the_next_holder": 4}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        holder = self.holder(key)
        return holder is not None and super().renew(key, holder.token, ttl)


class RenewsStrangersSilently(Broken):
    """Answers False to a stranger, but has set the end all the same."""

    caught_by: ClassVar = {"test_a_stranger_can_not_renew": 3}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        holder = self.holder(key)
        return holder is not None and super().renew(key, holder.token, ttl) and holder.token == token


class RenewRevives(Broken):
    caught_by: ClassVar = {
        "test_renew_does_not_revive_an_expired_lease": 4,
        "test_a_free_key_has_no_holder_and_nothing_to_renew": 3,
        "test_a_released_key_is_free_at_once": 3,
    }

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return self.acquire(key, token, ttl) is not None


class RenewSetsWithoutLooking(Broken):
    caught_by: ClassVar = {"test_a_late_renewal_never_ousts_the_winner": 4}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        self._leases[key] = (token, time.monotonic() + ttl, next(self._fences))
        return True


class ReleaseOfAnExpiredLeaseIsTrue(Broken):
    caught_by: ClassVar = {"test_release_of_an_expired_lease_frees_nothing": 4}

    def release(self, key: str, token: str) -> bool:
        return super().release(key, token) or self.holder(key) is None


class ChecksThenSets(Broken):
    caught_by: ClassVar = {
        "test_one_of_many_wins_a_new_key": 1,
        "test_one_of_many_wins_a_released_key": 1,
        "test_one_of_many_wins_an_expired_key": 1,
    }

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        holder = self.holder(key)
        if holder is not None and holder.token != token:
            return None
        fence = self._leases[key][2] if holder else next(self._fences)
        self._leases[key] = (token, time.monotonic() + ttl, fence)
        return Grant(fence)


class ReleaseChecksThenDeletes(Broken):
    caught_by: ClassVar = {"test_many_releases_at_once_never_free_the_winner": 3}

    def release(self, key: str, token: str) -> bool:
        holder = self.holder(key)
        if holder is None or holder.token != token:
            return False
        return self._leases.pop(key, None) is not None


class RenewChecksThenSets(Broken):
    caught_by: ClassVar = {"test_a_renewal_during_a_release_never_ousts_the_winner": 3}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        lease = self._leases.get(key)
        if lease is None or lease[0] != token or lease[1] < time.monotonic():
            return False
        self._leases[key] = (token, time.monotonic() + ttl, lease[2])
        return True


class NeverExpires(Broken):
    caught_by: ClassVar = {"test_a_lease_ends_after_its_ttl": 2}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return super().acquire(key, token, 100 * ttl)


class ExpiresEarly(Broken):
    caught_by: ClassVar = {"test_a_grant_is_held_for_at_least_its_ttl": 2}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return super().acquire(key, token, 0.7 * ttl)


class CountsWholeSeconds(Broken):
    caught_by: ClassVar = {"test_a_grant_is_held_for_at_least_its_ttl": 2}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return super().acquire(key, token, int(ttl))


class RenewsForTooShort(Broken):
    caught_by: ClassVar = {"test_a_renewed_lease_is_held_for_at_least_its_ttl": 2}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return super().renew(key, token, 0.7 * ttl)


class RenewNeverShortens(Broken):
    caught_by: ClassVar = {"test_a_renewal_may_end_the_lease_earlier": 2}

    def renew(self, key: str, token: str, ttl: float) -> bool:
        holder = self.holder(key)
        return super().renew(key, token, max(ttl, (holder and holder.remaining) or 0.0))


class RefusalStartsTheTtlAgain(Broken):
    caught_by: ClassVar = {"test_a_refused_acquire_changes_nothing": 3}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant = super().acquire(key, token, ttl)
        if grant is None and (holder := self.holder(key)):
            self.renew(key, holder.token, ttl)
        return grant


class AskingAgainKeepsTheEnd(Broken):
    caught_by: ClassVar = {"test_asking_again_starts_the_ttl_again": 2}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        holder = self.holder(key)
        mine = holder is not None and holder.token == token
        return Grant(self._leases[key][2]) if mine else super().acquire(key, token, ttl)


class ReentrantForItsProcess(Broken):
    caught_by: ClassVar = {"test_a_key_is_refused_to_all_but_its_holder": 1}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        if (holder := self.holder(key)) and holder.pid == getpid():
            super().release(key, holder.token)
        return super().acquire(key, token, ttl)


class HoldsByThread(Broken):
    caught_by: ClassVar = {"test_the_token_holds_and_not_the_thread": 3}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        self.__dict__.setdefault(token, get_ident())
        return super().acquire(key, token, ttl)

    def release(self, key: str, token: str) -> bool:
        return self.__dict__.get(token) == get_ident() and super().release(key, token)


class ComparesPartOfTheToken(Broken):
    caught_by: ClassVar = {"test_a_token_is_compared_to_its_last_character": 3}

    def release(self, key: str, token: str) -> bool:
        holder = self.holder(key)
        return holder is not None and holder.token[:30] == token[:30] and super().release(key, holder.token)


class RefusesItsOwnToken(Broken):
    caught_by: ClassVar = {
        "test_the_same_token_is_granted_again_with_the_same_fence": 5,
        "test_a_lost_reply_leaves_the_key_to_its_token": 5,
    }

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return None if self.holder(key) else super().acquire(key, token, ttl)
