"""An open store, and what this process knows of it: which keys run here, who uses it, how it can be asked."""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from math import inf
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from . import plugins, process
from .backend import AsyncBackend, Backend, Holder
from .blame import check_answer, check_answers, failure
from .errors import BackendUnavailable, OnceError
from .keeper import keeper
from .process import Pool, do_elsewhere, is_a_signals

if TYPE_CHECKING:
    from .lease import Lease

T = TypeVar("T")

DRAIN = 2.0
"""Seconds that the end of the program may wait for leases that are being given back."""

_log = logging.getLogger("once_core")


class Store:
    """One store, shared by all that name the same URL or hand over the same object.

    The plugin is imported when the first key is asked for, not before. A store that was closed is opened again by
    whoever still asks it: a call that began before, or what a run leaves to be done.
    """

    backend: Backend | None
    aio: AsyncBackend | None
    renew_many: Callable[[Sequence[tuple[str, str, float]]], Sequence[bool | None]] | None
    purge: Callable[[], None] | None
    never_blocks: bool
    purge_at: float

    def __init__(self, source: str | Backend) -> None:
        self.source = source
        self.name = plugins.hide_password(source) if isinstance(source, str) else type(source).__name__
        self.users = 0
        self.in_vain: tuple[float, BackendUnavailable | None] = (-inf, None)  # when it was sent what it did not answer
        self._make: Callable[[], Backend] | None = None
        self._use(None)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all runs and threads: they are the parent's, after a fork."""
        self.running: dict[str, Lease] = {}  # by full key: two runs of one key never overlap in this process
        self._questions: set[object] = set()
        self.pool = Pool(f"once-pool {self.name}", on_idle=self.close_if_idle)

    def open(self) -> Backend:
        """Return the backend, imported and checked; raise ConfigurationError if it can't be had."""
        with _opening:
            if self.backend is not None:
                return self.backend
            if self._make is None:  # it stays: while the interpreter finalizes nothing can be looked for any more
                importlib.import_module("encodings.idna")  # else a first connection does: a child forked amid it hangs
                plugins.load_observers()
                source = self.source
                self._make = plugins.maker(source) if isinstance(source, str) else lambda: source
            opened = self._make()
            self._use(opened)
            self.purge_at = 0.0
        while _forking - {threading.get_ident()}:  # that fork knows nothing yet of the hooks that the plugin has for it
            time.sleep(0.001)
        return opened

    @property
    def open_aio(self) -> AsyncBackend | None:
        """The native side for coroutines; None if there is none, or the store has to be opened first."""
        return None if self.backend is None else self.aio

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
        with self._asked():
            backend = self.open()
            answer = getattr(backend, verb)(*args)
            check_answer(backend, verb, answer)
            return answer

    async def _aask(self, verb: str, *args: str) -> Any:
        if self.never_blocks:
            return self._ask(verb, *args)
        with self._asked():
            backend = self.open_aio
            if backend is None:
                return await self.in_thread(lambda: self._ask(verb, *args))
            answer = await getattr(backend, verb)(*args)
            check_answer(backend, verb, answer)
            return answer

    @contextmanager
    def _asked(self) -> Generator[None]:
        """Keep the store open during a question that is no run's, and say what is the store's failure."""
        question = object()
        self._questions.add(question)
        try:
            yield
        except OnceError:
            raise
        except Exception as error:
            if is_a_signals(error):
                raise
            raise self.failure(error) from error
        finally:
            self._questions.discard(question)
            if not self.users:
                self.close_if_idle()

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

    def let_go_elsewhere(self) -> None:
        """Do that in another thread, for the collector."""
        do_elsewhere(self.let_go)

    def close_if_idle(self) -> None:
        """Close the store if nobody uses it any more and all its runs are over."""
        if self.users:
            return
        with _opening:
            # Take the backend away first, then look who is there: whoever comes after that look finds none, and opens
            # the store again, which takes this lock.
            backend, self.backend = self.backend, None
            if self.users or self.running or self._questions or self.pool.pending or keeper.knows(self):
                self.backend = backend
                return
            self._use(None)
        keeper.stop(self)
        self.pool.close()
        close = getattr(backend, "close", None)
        if close is not None and isinstance(self.source, str):  # an object is closed by whoever made it
            try:
                close()
            except Exception as error:  # noqa: BLE001  # it costs no run its result
                _log.warning("%s could not be closed: %s", self.name, error)

    def _use(self, backend: Backend | None) -> None:
        self.aio = getattr(backend, "aio", None)
        self.renew_many = getattr(backend, "renew_many", None)
        self.purge = getattr(backend, "purge", None)
        self.never_blocks = bool(getattr(backend, "never_blocks", False))
        self.backend = backend


def store_for(source: str | Backend) -> Store:
    """Return the process's store for a URL or a backend object, with one user more."""
    with _opening:
        name = source if isinstance(source, str) else id(source)
        store = _stores.setdefault(name, Store(source))
        store.users += 1
        return store


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
_stores: WeakValueDictionary[str | int, Store] = WeakValueDictionary()  # each for as long as anything belongs to it
_opening = threading.RLock()
_forking: set[int] = set()  # threads


def _before_fork() -> None:
    # A fork in the middle of an import or a first connection would leave the child with its locks held for ever.
    _forking.add(threading.get_ident())
    _opening.acquire()


def _after_fork_in_parent() -> None:
    _forking.discard(threading.get_ident())
    _opening.release()


def _after_fork_in_child() -> None:
    global _opening
    _opening = threading.RLock()
    _forking.clear()
    process.identity.__init__()  # type: ignore[misc]  # the same object, known to all rooms, for another process
    keeper.__init__()  # type: ignore[misc]  # likewise
    for store in list(_stores.values()):
        store.begin_anew()


def _drain() -> None:
    for pool in (*(store.pool for store in list(_stores.values())), keeper.news):
        pool.drain(DRAIN)


atexit.register(_drain)
if hasattr(os, "register_at_fork"):  # pragma: no branch  # where there are forks
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
