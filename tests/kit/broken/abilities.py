"""`renew_many`, `holders`, `purge` and `close` that break a rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import ClassVar

from once_core.backend import Holder

from .bases import Able, Broken


class FenceIsForgottenByPurge(Broken):
    caught_by: ClassVar = {"test_purge_leaves_live_leases_and_growing_fences": 6}

    def purge(self) -> None:
        self._fences = count(1)


class PurgesTheLiving(Broken):
    caught_by: ClassVar = {"test_purge_leaves_live_leases_and_growing_fences": 2}

    def purge(self) -> None:
        self._leases.clear()


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


class UnreachableRenewsNone(Able):
    """Tells its store's absence by four verbs, but not when it renews many leases."""

    caught_by: ClassVar = {
        "test_an_ability_of_a_store_that_can_not_be_asked_is_never_a_no[renew_many]": 9,
        "test_an_ability_of_a_store_that_can_not_be_asked_is_never_a_no[holders]": 9,
    }

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool]:
        return [False for _ in leases]

    knobs: ClassVar = {**Able.knobs, "unreachable": lambda self: UnreachableRenewsNone()}
