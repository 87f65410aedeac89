"""An open store, and what this process knows of it: which keys run here, who uses it, how it can be asked."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from . import plugins, process
from .backend import AsyncBackend, Backend, Holder
from .blame import check_answer, check_answers, failure
from .errors import BackendUnavailable, OnceError
from .keeper import keeper
from .process import Pool

if TYPE_CHECKING:
    from .lease import Lease

T = TypeVar("T")

DRAIN = 2.0
"""Seconds that the end of the program may wait for leases that are being given back."""


class Store:
    """One store, shared by all that name the same URL or hand over the same object.

    The plugin is imported when the first key is asked for, not before.
    """

    backend: Backend | None
    aio: AsyncBackend | None
    renew_many: Callable[[Sequence[tuple[str, str, float]]], Sequence[bool | None]] | None
    purge: Callable[[], None] | None
    never_blocks: bool

    def __init__(self, source: str | Backend) -> None:
        self.source = source
        self.name = plugins.hide_password(source) if isinstance(source, str) else type(source).__name__
        self.users = 0
        self.purge_at = 0.0
        self._use(None)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all runs and threads: they are the parent's, after a fork."""
        self.running: dict[str, Lease] = {}  # by full key: two runs of one key never overlap in this process
        self.pool = Pool(f"once-pool {self.name}", on_idle=self.close_if_idle)

    def open(self) -> Backend:
        """Return the backend, imported and checked; raise ConfigurationError if it can't be had."""
        with _opening:
            if self.backend is None:
                plugins.load_observers()
                opened = plugins.open_backend(self.source) if isinstance(self.source, str) else self.source
                self._use(opened)
                return opened
            return self.backend

    def renew(self, asked: Sequence[tuple[str, str, float]]) -> Sequence[bool | None]:
        """Renew each (key, token, ttl), by one question where the backend can."""
        backend = self.open()
        if self.renew_many:
            check_answers(backend, len(asked), answers := self.renew_many(asked))
            return answers
        answers = [backend.renew(*one) for one in asked]
        for answer in answers:
            check_answer(backend, "renew", answer)
        return answers

    def holder(self, full_key: str) -> Holder | None:
        """Return who holds a key."""
        holder: Holder | None = self._ask("holder", full_key)
        return holder

    async def aholder(self, full_key: str) -> Holder | None:
        """Return to a coroutine who holds a key."""
        holder: Holder | None = await self._aask("holder", full_key)
        return holder

    def free(self, full_key: str) -> bool:
        """Free a key whoever holds it; return whether anybody did."""
        holder = self.holder(full_key)
        return holder is not None and bool(self._ask("release", full_key, holder.token))

    async def afree(self, full_key: str) -> bool:
        """Free a key for a coroutine."""
        holder = await self.aholder(full_key)
        return holder is not None and bool(await self._aask("release", full_key, holder.token))

    def _ask(self, verb: str, *args: str) -> Any:
        try:
            answer = getattr(self.open(), verb)(*args)
            check_answer(self.backend, verb, answer)
            return answer
        except OnceError:
            raise
        except Exception as error:
            raise self.failure(error) from error

    async def _aask(self, verb: str, *args: str) -> Any:
        if self.never_blocks:
            return self._ask(verb, *args)
        if self.aio is None:
            return await self.in_thread(lambda: self._ask(verb, *args))
        try:
            answer = await getattr(self.aio, verb)(*args)
            check_answer(self.aio, verb, answer)
            return answer
        except OnceError:
            raise
        except Exception as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> BackendUnavailable:
        """Return the error to raise for one that a backend should not have let out."""
        return failure(self.name, self.backend, error)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Return what *call* returns in a thread of this store; it goes on there if the coroutine is cancelled."""
        result: T = await bridge().in_thread(self.pool, call)
        return result

    def in_background(self, job: Callable[[], None]) -> None:
        """Do *job* in a thread of this store; at once if the store never blocks."""
        if self.never_blocks:
            job()
        else:
            self.pool.submit(job)

    def let_go(self) -> None:
        """Note that one user less is there."""
        with _opening:
            self.users -= 1
        self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close the store if nobody uses it any more and all its runs are over."""
        if self.users:
            return
        with _opening:
            if self.users or self.running or self.pool.pending or keeper.knows(self):
                return
            _stores.pop(_name_of(self.source), None)
        keeper.stop(self)
        self.pool.close()
        # The object stays: a call while the interpreter finalizes, when nothing can be imported any more, may need it.
        close = getattr(self.backend, "close", None)
        if close is not None and isinstance(self.source, str):  # an object is closed by whoever made it
            close()

    def _use(self, backend: Backend | None) -> None:
        self.aio = getattr(backend, "aio", None)
        self.renew_many = getattr(backend, "renew_many", None)
        self.purge = getattr(backend, "purge", None)
        self.never_blocks = bool(getattr(backend, "never_blocks", False))
        self.backend = backend


def store_for(source: str | Backend) -> Store:
    """Return the process's store for a URL or a backend object, with one user more."""
    with _opening:
        store = _stores.setdefault(_name_of(source), Store(source))
        store.users += 1
        return store


def _name_of(source: str | Backend) -> str | int:
    return source if isinstance(source, str) else id(source)


def opening() -> threading.RLock:
    """Return the lock under which stores are opened and closed; no fork happens while it is held."""
    return _opening


def bridge() -> ModuleType:
    """Return the room between threads and event loops: asyncio is imported for those who have a loop."""
    global _bridge
    if _bridge is None:
        with _opening:  # a child that is forked amid an import would wait for its end for ever
            from . import bridge as module
        _bridge = module
    return _bridge


_bridge: ModuleType | None = None
_stores: dict[str | int, Store] = {}
_opening = threading.RLock()


def _after_fork_in_child() -> None:
    global _opening
    _opening = threading.RLock()
    process.identity.__init__()  # type: ignore[misc]  # the same object, known to all rooms, for another process
    keeper.__init__()  # type: ignore[misc]  # likewise
    for store in _stores.values():
        store.begin_anew()


def _drain() -> None:
    for pool in (*(store.pool for store in list(_stores.values())), keeper.news):
        pool.drain(DRAIN)


atexit.register(_drain)
if hasattr(os, "register_at_fork"):  # pragma: no branch  # where there are forks
    # A fork in the middle of an import or a first connection would leave the child with its locks held for ever.
    os.register_at_fork(
        before=lambda: _opening.acquire(),
        after_in_parent=lambda: _opening.release(),
        after_in_child=_after_fork_in_child,
    )
