"""Fences that do not grow."""

from __future__ import annotations

import time
from itertools import count
from typing import ClassVar

from once_core.backend import Grant

from .bases import Broken


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


class FenceIsForgottenByRestart(Broken):
    caught_by: ClassVar = {"test_the_fence_grows_over_a_restart_of_the_store": 6}

    def after_restart(self) -> FenceIsForgottenByRestart:
        restarted = FenceIsForgottenByRestart()
        restarted._fences = count(1)
        return restarted

    knobs: ClassVar = {**Broken.knobs, "restart": lambda self, backend: backend.after_restart()}
