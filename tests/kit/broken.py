"""Backends that break one rule each, with the kit's tests that must catch them and the rule that these name."""

# Each overrides a verb by something wrong, now and then of another type.
# mypy: disable-error-code="override, assignment"

from __future__ import annotations

import fcntl
import time
import unicodedata
from asyncio import AbstractEventLoop, get_running_loop, sleep
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import count
from multiprocessing import Pipe
from os import getpid
from pathlib import Path
from threading import Event, Lock, Thread, get_ident
from typing import Any, ClassVar, TypeVar

import once_memory.backend
from once_core.backend import Backend, Grant, Holder
from once_memory import MemoryBackend

from .right import AbleBackend, Coroutines, FileBackend

T = TypeVar("T")


class Broken(MemoryBackend):
    """The memory store, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {"process_local": True}


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


class NewFenceForTheSameToken(Broken):
    caught_by: ClassVar = {"test_the_same_token_is_granted_again_with_the_same_fence": 5}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant = super().acquire(key, token, ttl)
        return grant and Grant(next(self._fences))


class FenceIsConstant(Broken):
    caught_by: ClassVar = {"test_the_fence_grows_after_a_release": 6, "test_the_fence_grows_after_expiry": 6}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return Grant(1) if super().acquire(key, token, ttl) else None


class FenceStartsAgainAfterRelease(Broken):
    caught_by: ClassVar = {
        "test_the_fence_grows_after_a_release": 6,
        "test_the_fence_grows_over_many_quick_grants": 6,
    }

    def release(self, key: str, token: str) -> bool:
        self._fences = count(1)
        return super().release(key, token)


class FenceIsATimeInMilliseconds(Broken):
    caught_by: ClassVar = {"test_the_fence_grows_over_many_quick_grants": 6}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        self._fences = count(int(time.monotonic() * 1000))
        return super().acquire(key, token, ttl)


class FenceIsTheTokens(Broken):
    """Remembers a fence with each token, so that the same token is given an old one."""

    caught_by: ClassVar = {"test_the_same_token_after_expiry_is_a_new_grant": 6}

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant = super().acquire(key, token, ttl)
        return grant and Grant(self.__dict__.setdefault(token, grant.fence))


class FenceIsNowAndThenNone(Broken):
    caught_by: ClassVar = {"test_the_fence_grows_after_a_release": 6}

    def release(self, key: str, token: str) -> bool:
        self.__dict__[key] = True
        return super().release(key, token)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant = super().acquire(key, token, ttl)
        return grant and Grant(None if key in self.__dict__ else grant.fence)


class FenceIsForgottenByPurge(Broken):
    caught_by: ClassVar = {"test_purge_leaves_live_leases_and_growing_fences": 6}

    def purge(self) -> None:
        self._fences = count(1)


class PurgesTheLiving(Broken):
    caught_by: ClassVar = {"test_purge_leaves_live_leases_and_growing_fences": 2}

    def purge(self) -> None:
        self._leases.clear()


class FenceIsForgottenByRestart(Broken):
    caught_by: ClassVar = {"test_the_fence_grows_over_a_restart_of_the_store": 6}

    def after_restart(self) -> FenceIsForgottenByRestart:
        restarted = FenceIsForgottenByRestart()
        restarted._fences = count(1)
        return restarted

    knobs: ClassVar = {**Broken.knobs, "restart": lambda self, backend: backend.after_restart()}


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


class EncodesKeys(Broken):
    """The memory store under keys that `encoded` has changed."""

    def encoded(self, key: str) -> str:
        raise NotImplementedError

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return super().acquire(self.encoded(key), token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return super().renew(self.encoded(key), token, ttl)

    def release(self, key: str, token: str) -> bool:
        return super().release(self.encoded(key), token)

    def holder(self, key: str) -> Holder | None:
        return super().holder(self.encoded(key))


_LITTLE = "test_keys_that_differ_a_little_are_two_keys"


class CutsLongKeys(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-the last byte of 300]": 7, f"{_LITTLE}[sync-the last byte of 10,000]": 7}

    def encoded(self, key: str) -> str:
        return key[:250]


class FoldsCase(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-case]": 7, f"{_LITTLE}[sync-case in Cyrillic]": 7}

    def encoded(self, key: str) -> str:
        return key.lower()


class StripsBlanks(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-a blank behind]": 7, f"{_LITTLE}[sync-a blank before]": 7}

    def encoded(self, key: str) -> str:
        return key.strip()


class EndsAtNul(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-what follows a NUL]": 7, f"{_LITTLE}[sync-a NUL behind]": 7}

    def encoded(self, key: str) -> str:
        return key.partition("\0")[0]


class IgnoresAccents(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-an accent]": 7, f"{_LITTLE}[sync-composed and decomposed]": 7}

    def encoded(self, key: str) -> str:
        return "".join(char for char in unicodedata.normalize("NFD", key) if not unicodedata.combining(char))


class ReplacesWhatIsNotAscii(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-an emoji and another]": 7}

    def encoded(self, key: str) -> str:
        return key.encode("ascii", "replace").decode()


class QuotesHalf(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-quoted and unquoted]": 7}

    def encoded(self, key: str) -> str:
        return key.replace(" ", "%20")


class RefusesOddKeys(EncodesKeys):
    caught_by: ClassVar = {
        "test_any_text_is_a_key[sync-blanks within]": 9,
        "test_any_text_is_a_key[sync-10,000 characters of Cyrillic with newlines]": 9,
    }

    def encoded(self, key: str) -> str:
        if len(key) > 250 or not key.isascii() or " " in key:
            raise ValueError("Key contains illegal characters")
        return key


class OneLeaseForAllKeys(EncodesKeys):
    caught_by: ClassVar = {"test_two_keys_do_not_know_of_each_other": 1}

    def encoded(self, key: str) -> str:
        return "the lease"


class ReleasesAllOfItsToken(Broken):
    caught_by: ClassVar = {"test_one_token_may_hold_two_keys": 7}

    def release(self, key: str, token: str) -> bool:
        released = super().release(key, token)
        for other in list(self._leases):
            super().release(other, token)
        return released


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


class HoldersKnowsWildcards(Broken):
    caught_by: ClassVar = {"test_holders_takes_a_wildcard_literally[*]": 7}

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        return ((key, holder) for key, holder in super().holders("") if fnmatchcase(key, prefix + "*"))


class HoldersFoldsCase(Broken):
    caught_by: ClassVar = {"test_holders_lists_exactly_what_starts_with_the_prefix": 7}

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        return (entry for entry in super().holders("") if entry[0].lower().startswith(prefix.lower()))


class HoldersListsTheExpired(Broken):
    caught_by: ClassVar = {"test_holders_lists_nothing_that_ended": 4}

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        return ((key, Holder(lease[0])) for key, lease in self._leases.items() if key.startswith(prefix))


class Able(AbleBackend):
    """The memory store with all abilities, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {"process_local": True, "has_aio": True}


class RenewManyAnswersInItsOwnOrder(Able):
    caught_by: ClassVar = {
        "test_renew_many_answers_each_lease_in_order": 3,
        "test_renew_many_takes_a_thousand_leases": 3,
    }

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        return super().renew_many(leases[::-1])


class RenewManyTakesOneTtlForAll(Able):
    caught_by: ClassVar = {"test_renew_many_sets_the_end_of_each_lease": 2}

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        longest = max((ttl for _, _, ttl in leases), default=0.0)
        return super().renew_many([(key, token, longest) for key, token, _ in leases])


class RenewManyNeedsALease(Able):
    caught_by: ClassVar = {"test_renew_many_of_nothing_answers_nothing": 9}

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        first, *others = leases
        return super().renew_many([first, *others])


class RenewManyTakesAHundred(Able):
    caught_by: ClassVar = {"test_renew_many_takes_a_thousand_leases": 3}

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        return super().renew_many(leases[:100])


class ClosesOnce(Able):
    caught_by: ClassVar = {"test_close_twice_is_harmless": 9}

    def close(self) -> None:
        del self.aio


class AioBoundToItsFirstLoop(Able):
    caught_by: ClassVar = {"test_a_released_key_is_free_at_once[aio]": 9}

    class Bound(Coroutines):
        loop: AbstractEventLoop | None = None

        async def holder(self, key: str) -> Holder | None:
            self.loop = self.loop or get_running_loop()
            if self.loop is not get_running_loop():
                raise RuntimeError("Event loop is closed")
            return await super().holder(key)

        async def release(self, key: str, token: str) -> bool:
            await self.holder(key)
            return await super().release(key, token)

    def __init__(self) -> None:
        super().__init__()
        self.aio = self.Bound(self)


class AioChecksThenSets(Able):
    caught_by: ClassVar = {"test_one_of_many_wins_a_new_key[aio]": 1}

    class Hasty(Coroutines):
        async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
            holder = self.backend.holder(key)
            await sleep(0)
            if holder is None:
                self.backend._leases.pop(key, None)  # type: ignore[attr-defined]  # it is the memory store
            return self.backend.acquire(key, token, ttl)

    def __init__(self) -> None:
        super().__init__()
        self.aio = self.Hasty(self)


class AioIsNotAsync(Able):
    caught_by: ClassVar = {"test_every_verb_answers_with_its_own_type[aio]": 1}

    def __init__(self) -> None:
        super().__init__()
        self.aio: Any = self


class KeepsItsLockOverAFork(Broken):
    caught_by: ClassVar = {"test_a_fork_amid_calls_leaves_a_child_that_can_ask": 8}
    knobs: ClassVar = {**Broken.knobs, "verb_timeout": 1.0}

    def __init__(self) -> None:
        super().__init__()
        once_memory.backend._backends.discard(self)


class SharesItsConnectionWithItsChild(Broken):
    """Asks a server through one connection, which a forked child goes on to use beside its parent."""

    caught_by: ClassVar = {"test_the_object_survives_a_fork": 8}
    knobs: ClassVar = {"verb_timeout": 1.0}

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = Pipe()
        self.one_at_a_time = Lock()
        Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                verb, *arguments = self.theirs.recv()
                self.theirs.send(getattr(super(), verb)(*arguments))

    def ask(self, *call: Any) -> Any:
        with self.one_at_a_time:
            self.ours.send(call)
            return self.ours.recv()

    def acquire(self, key: str, token: str, ttl: float) -> Any:
        return self.ask("acquire", key, token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> Any:
        return self.ask("renew", key, token, ttl)

    def release(self, key: str, token: str) -> Any:
        return self.ask("release", key, token)

    def holder(self, key: str) -> Any:
        return self.ask("holder", key)


class AsksByItsOwnThread(SharesItsConnectionWithItsChild):
    """The same with a connection of its own for each process, but none there to answer it."""

    def ask(self, *call: Any) -> Any:
        if getpid() != self.__dict__.setdefault("pid", getpid()):
            Event().wait()
        return super().ask(*call)


class BelongsToOneProcess(Broken):
    caught_by: ClassVar = {"test_a_child_sees_what_its_parent_holds": 8, "test_one_of_two_processes_wins": 1}
    knobs: ClassVar = {}


class BrokenFile(FileBackend):
    """The store of all processes, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {}


class TellsTimeByTheWall(BrokenFile):
    caught_by: ClassVar = {
        "test_a_step_of_the_wall_clock_ends_no_lease[sync-forward]": 8,
        "test_a_step_of_the_wall_clock_prolongs_no_lease[sync-back]": 8,
    }

    def now(self) -> float:
        return time.time()


class TellsTimeByTheCalendar(BrokenFile):
    caught_by: ClassVar = TellsTimeByTheWall.caught_by

    def now(self) -> float:
        return datetime.now(UTC).timestamp()


class CountsFencesByTheWall(BrokenFile):
    caught_by: ClassVar = {"test_the_fence_grows_though_the_wall_clock_goes_back": 6}

    def next_fence(self, leases: dict[str, Any]) -> int:
        return time.time_ns()


class CountsFencesInItsProcess(BrokenFile):
    caught_by: ClassVar = {"test_the_fence_grows_from_process_to_process": 6}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fences = count(1)

    def next_fence(self, leases: dict[str, Any]) -> int:
        return next(self.fences)


class UnlocksByClosing(BrokenFile):
    """Lets go of its lock by closing the file, which a child forked meanwhile has inherited open - and locked."""

    caught_by: ClassVar = {"test_a_fork_amid_calls_leaves_a_child_that_can_ask": 8}
    knobs: ClassVar = {"verb_timeout": 1.0}

    @contextmanager
    def opened(self) -> Generator[dict[str, Any]]:
        with self.path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield from self.read_and_write(file)


class ExcludesThreadsOnly(BrokenFile):
    caught_by: ClassVar = {"test_one_of_two_processes_wins": 1}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lock = Lock()

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        with self.lock:
            holder = self.holder(key)
            if holder is not None and holder.token != token:
                return None
            with self.opened() as leases:
                fence = self.next_fence(leases)
                leases[key] = [token, self.now() + ttl, fence]
            return Grant(fence)


class AioHasAStoreOfItsOwn(Able):
    caught_by: ClassVar = {"test_coroutines_and_plain_calls_share_their_leases": 1}

    def __init__(self) -> None:
        super().__init__()
        self.aio = Coroutines(MemoryBackend())


class AioLeavesItsReplyToTheNext(Able):
    """Reads its replies in the order of its questions; a call that was cancelled has left without its own."""

    caught_by: ClassVar = {"test_a_cancelled_coroutine_leaves_the_next_call_its_own_answer": 1}

    class Connected(Coroutines):
        def __init__(self, backend: Backend) -> None:
            super().__init__(backend)
            self.replies: list[Any] = []

        async def holder(self, key: str) -> Holder | None:
            return await self.ask(self.backend.holder(key))

        async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
            return await self.ask(self.backend.acquire(key, token, ttl))

        async def release(self, key: str, token: str) -> bool:
            return await self.ask(self.backend.release(key, token))

        async def ask(self, reply: T) -> T:
            self.replies.append(reply)
            await sleep(0)
            first: T = self.replies.pop(0)
            return first

    def __init__(self) -> None:
        super().__init__()
        self.aio = self.Connected(self)


class UnreachableRenewsNone(Able):
    """Tells its store's absence by four verbs, but not when it renews many leases."""

    caught_by: ClassVar = {
        "test_an_ability_of_a_store_that_can_not_be_asked_is_never_a_no[renew_many]": 9,
        "test_an_ability_of_a_store_that_can_not_be_asked_is_never_a_no[holders]": 9,
    }

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        return [False for _ in leases]

    knobs: ClassVar = {**Able.knobs, "unreachable": lambda self: UnreachableRenewsNone()}
