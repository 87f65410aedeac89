"""Backends that stand between once and a real one, to count, to block and to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from once_core import Backend, Grant, Holder
from once_core.errors import BackendUnavailable


class Relay:
    """Passes each question on; what is in `before` and `after` under a verb's name is called around it.

    It has none of the optional abilities, so coroutines ask it over the bridge; with *native* it has `aio`.
    """

    def __init__(self, backend: Backend, native: bool = False) -> None:
        self.backend = backend
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}
        self.asked: list[str] = []
        self.answered: list[tuple[str, float, object]] = []
        """Verb, moment of the question, answer."""
        if native:
            self.aio = Native(self)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant: Grant | None = self._ask("acquire", key, token, ttl)
        return grant

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._ask("renew", key, token, ttl))

    def release(self, key: str, token: str) -> bool:
        return bool(self._ask("release", key, token))

    def holder(self, key: str) -> Holder | None:
        holder: Holder | None = self._ask("holder", key)
        return holder

    def count(self, verb: str) -> int:
        return self.asked.count(verb)

    def granted_until(self, ttl: float) -> float:
        """Return when the lease ends at the latest that this backend last confirmed."""
        return max(sent for verb, sent, answer in list(self.answered) if verb in ("acquire", "renew") and answer) + ttl

    def _ask(self, verb: str, *question: Any) -> Any:
        sent = monotonic()
        self.asked.append(verb)
        self.before.get(verb, _nothing)()
        answer = getattr(self.backend, verb)(*question)
        self.answered.append((verb, sent, answer))
        self.after.get(verb, _nothing)()
        return answer


class Native:
    """The coroutine side of a relay, with its own `before` and `after` of coroutine functions."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.after: dict[str, Callable[[], Awaitable[object]]] = {}
        self.asked: list[str] = []

    async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant: Grant | None = await self._ask("acquire", key, token, ttl)
        return grant

    async def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(await self._ask("renew", key, token, ttl))

    async def release(self, key: str, token: str) -> bool:
        return bool(await self._ask("release", key, token))

    async def holder(self, key: str) -> Holder | None:
        holder: Holder | None = await self._ask("holder", key)
        return holder

    async def _ask(self, verb: str, *question: Any) -> Any:
        self.asked.append(verb)
        await asyncio.sleep(0)
        await self.before.get(verb, _nothing_awaited)()
        answer = getattr(self.relay.backend, verb)(*question)
        await self.after.get(verb, _nothing_awaited)()
        return answer


class Swift(Relay):
    """A relay that is called straight from coroutines, as it says that it never blocks."""

    never_blocks = True


def away() -> None:
    """Fail as a store that can't be reached does."""
    raise BackendUnavailable("the store is away")


def awaited(hook: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    """Return *hook* for the coroutine side."""

    async def call() -> object:
        return hook()

    return call


def first(failure: Callable[[], object], times: int = 1) -> Callable[[], None]:
    """Return what calls *failure* only the first *times* that it is called."""
    left = [None] * times

    def hook() -> None:
        if left:
            left.pop()
            failure()

    return hook


def _nothing() -> None:
    return None


async def _nothing_awaited() -> None:
    return None
