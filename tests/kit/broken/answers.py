"""Answers of the wrong kind, too late, or for want of knowledge."""

# Each overrides a verb by something wrong, now and then of another type.
# mypy: disable-error-code="override, assignment"

from __future__ import annotations

import time
from threading import Event, Lock
from typing import ClassVar

from once_core.backend import Grant, Holder

from .bases import Broken


class UnreachableIsHeld(Broken):
    caught_by: ClassVar = {"test_a_store_that_can_not_be_asked_is_never_a_no": 9}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return None

    knobs: ClassVar = {**Broken.knobs, "unreachable": lambda self: UnreachableIsHeld()}


class AnExhaustedPoolIsHeld(Broken):
    caught_by: ClassVar = {"test_a_crowd_on_different_keys_is_never_told_held": 9}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        pool: Lock = self.__dict__.setdefault("pool", Lock())
        if not pool.acquire(blocking=False):
            return None
        with self._lock:
            time.sleep(0.001)
        pool.release()
        return super().acquire(key, token, ttl)


class TellsExpiredHolders(Broken):
    caught_by: ClassVar = {"test_renew_does_not_revive_an_expired_lease": 2}

    def holder(self, key: str) -> Holder | None:
        lease = self._leases.get(key)
        return lease and Holder(lease[0], lease[1] - time.monotonic())


class TellsTheWrongRemainder(Broken):
    caught_by: ClassVar = {"test_the_holder_is_told_with_its_token_and_time_remaining": 2}

    def holder(self, key: str) -> Holder | None:
        holder = super().holder(key)
        return holder and Holder(holder.token, 1000 * (holder.remaining or 0.0))


class BlocksForEver(Broken):
    caught_by: ClassVar = {"test_a_held_key_is_refused_without_waiting": 1}
    knobs: ClassVar = {**Broken.knobs, "verb_timeout": 0.5}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        if self.holder(key):
            Event().wait()
        return super().acquire(key, token, ttl)


class HangsInARace(BlocksForEver):
    caught_by: ClassVar = {"test_one_of_many_wins_a_new_key": 1}


class WaitsForTheHolder(Broken):
    caught_by: ClassVar = {"test_a_held_key_is_refused_without_waiting": 1}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        if self.holder(key):
            time.sleep(0.01)
        return super().acquire(key, token, ttl)


class RenewAnswersNone(Broken):
    caught_by: ClassVar = {"test_every_verb_answers_with_its_own_type": 1}

    def renew(self, key: str, token: str, ttl: float) -> None:
        super().renew(key, token, ttl)


class AcquireAnswersTrue(Broken):
    caught_by: ClassVar = {"test_every_verb_answers_with_its_own_type": 1}

    def acquire(self, key: str, token: str, ttl: float) -> bool:
        return super().acquire(key, token, ttl) is not None


class ReleaseIsACoroutine(Broken):
    caught_by: ClassVar = {"test_every_verb_answers_with_its_own_type": 1}

    async def release(self, key: str, token: str) -> bool:
        return super().release(key, token)


class HasNoHolder(Broken):
    caught_by: ClassVar = {"test_every_verb_answers_with_its_own_type": 1}
    holder: ClassVar = None
