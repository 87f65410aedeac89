"""What once asks of a store: four verbs, nine rules, and a few optional abilities.

The rules, each of which the kit in `once_core.testing` turns into tests:

1. Every call is one question with one linearizable answer, in bounded time well under the ttl. A backend never
   sleeps, loops over retries, logs, or knows about functions. The core never renews and releases one lease at once.
2. A `Grant`, or True from `renew`, means *held for at least ttl from now*: round up, never down. Unless renewed it
   ends then. `renew` sets the end, also to an earlier one.
3. Only the token that holds may renew or release. A stranger gets False and changes nothing.
4. After expiry nobody holds: `renew` does not revive, `release` does not touch the next holder.
5. Asking again with the token that already holds is granted again with the same fence: it is the same attempt, and
   the reply to it was lost.
6. `Grant.fence` is greater than in every earlier grant of that key - after release, expiry and a restart of the
   store - or None where the store can't promise it. What a released key leaves behind is bounded in time.
7. Any non-empty text is a key. What a store can't take is encoded injectively: a readable head, then a digest.
8. Time is the store's: clocks of different machines are never compared. Objects are shared by threads and survive
   a fork.
9. "I don't know" is `BackendUnavailable`, never False. An exhausted connection pool is not "held".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias, runtime_checkable


@dataclass(slots=True)  # not frozen: that would double what a grant costs
class Grant:
    """The store's yes. *fence* grows with each grant of a key; None where the store can't promise that."""

    fence: int | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a key: its *token*, and for how many seconds still (*remaining*; None where unknown).

    `host`, `pid` and `since` are read from the token and are for display only. They are None when the token has not
    the core's form `host:pid:started:random`.
    """

    token: str
    remaining: float | None = None

    @property
    def host(self) -> str | None:
        parts = self._parts()
        return parts[0] if parts else None

    @property
    def pid(self) -> int | None:
        parts = self._parts()
        return parts[1] if parts else None

    @property
    def since(self) -> datetime | None:
        """When the attempt was made, by the clock of the machine that made it, in UTC."""
        parts = self._parts()
        return datetime.fromtimestamp(parts[2] / 1000, UTC) if parts else None

    def _parts(self) -> tuple[str, int, int] | None:
        match self.token.split(":"):
            case [host, pid, started, _] if pid.isdecimal() and started.isdecimal() and len(started) < 15:
                return host, int(pid), int(started)
        return None


@runtime_checkable
class Backend(Protocol):
    """The object that asks one store. All four verbs may be called by many threads at once.

    Every verb raises `BackendUnavailable` when the store can't be asked or its answer was lost.
    """

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        """Give *key* to *token* for *ttl* seconds from now. Return None if another token holds it."""
        ...

    def renew(self, key: str, token: str, ttl: float) -> bool:
        """Let the lease end *ttl* seconds from now. Return False, changing nothing, unless *token* still holds it."""
        ...

    def release(self, key: str, token: str) -> bool:
        """Free *key* if *token* still holds it; return whether it did."""
        ...

    def holder(self, key: str) -> Holder | None:
        """Tell who holds *key*; None if nobody does."""
        ...


@runtime_checkable
class AsyncBackend(Protocol):
    """The four verbs as coroutines: what a backend's optional attribute `aio` must have.

    It has to work when every task runs in an event loop of its own (`asyncio.run` per task). A backend without `aio`
    is asked from a small pool of threads when a coroutine needs it.
    """

    async def acquire(self, key: str, token: str, ttl: float) -> Grant | None: ...

    async def renew(self, key: str, token: str, ttl: float) -> bool: ...

    async def release(self, key: str, token: str) -> bool: ...

    async def holder(self, key: str) -> Holder | None: ...


@runtime_checkable
class SupportsRenewMany(Protocol):
    """A backend that can renew many leases by one question."""

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> Sequence[bool | None]:
        """Renew each (key, token, ttl). Return an answer for each, in order; None stands for "don't know"."""
        ...


@runtime_checkable
class SupportsHolders(Protocol):
    """A backend that can list what is held."""

    def holders(self, prefix: str) -> Iterable[tuple[str, Holder]]:
        """Yield every held key that starts with *prefix*, with its holder."""
        ...


@runtime_checkable
class SupportsPurge(Protocol):
    """A backend whose released and expired keys leave something behind."""

    def purge(self) -> None:
        """Remove a bounded part of what is no longer needed. Called by the renewing thread, once a minute at most."""
        ...


# More that a backend may have, found by looking: `close() -> None`, called when once is done with a store that it
# opened from a URL; and `never_blocks = True`, for one that answers from memory and is called straight from coroutines.

BackendFactory: TypeAlias = Callable[[str], Backend]
"""Turns a URL into a Backend. It reads the URL and raises ConfigurationError; it does not connect."""
