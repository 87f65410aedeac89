"""An `aio` that breaks a rule."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop, sleep
from typing import Any, ClassVar, TypeVar

from once_core.backend import Backend, Grant, Holder
from once_memory import MemoryBackend

from ..right import Coroutines
from .bases import Able

T = TypeVar("T")


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
