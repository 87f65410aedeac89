"""Connections that the threads of a process use in turn, and that a fork leaves to the parent."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from itertools import count
from threading import RLock, get_ident, local
from typing import Any, Protocol, TypeAlias
from weakref import ref

from sqlalchemy import URL, Engine
from sqlalchemy.pool import PoolProxiedConnection

from once_core.errors import BackendUnavailable, ConfigurationError

Parameters: TypeAlias = Mapping[str, object] | Sequence[object]


WRONG_OPTION = (TypeError, ValueError, AttributeError, FileNotFoundError)
"""What drivers raise, in place of an error of theirs, for an option that they do not know or can't use."""


class Database(Protocol):
    """What a dialect knows about connections. *Error* is the base of what its driver raises.

    Is it *embedded*, then the database is in this process: a statement is one call of C, which no signal interrupts
    and a fork has to wait for.
    """

    name: str
    timeout: float
    embedded: bool
    Error: type[Exception]

    def open(self) -> Any: ...
    def is_current(self, connection: Any, /) -> bool: ...
    def ask(self, connection: Any, statement: Any, parameters: Parameters, /) -> list[tuple[Any, ...]]: ...
    def close(self, connection: Any, /) -> None: ...


class Busy(BackendUnavailable):
    """Others are using the connection."""


class SharedConnection:
    """Asks *database* over a single connection, opened by the first question and again after a failure."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = RLock()
        self._connection: Any = None
        self._has_worked = False
        self.is_asking = False
        self.number = number = next(_numbers)
        _living[number] = ref(self, lambda _: _living.pop(number, None))

    def ask(self, statement: Any, parameters: Parameters, patience: float | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raise BackendUnavailable when there is no answer in time.

        Another thread's statement is waited for up to *patience* seconds, the database's timeout unless given.
        """
        database, lock = self._database, self._lock
        locked = None
        try:
            locked = lock.acquire(True, database.timeout if patience is None else patience)
            # A signal handler may ask in the middle of its own thread's statement, which goes on afterwards.
            if not locked or (self.is_asking and not database.embedded):
                raise Busy(f"{database.name}: still busy with this process's other questions")
            connection = self._connection
            self.is_asking = True
            if connection is None or not database.is_current(connection):
                connection = self._open()
            answer = database.ask(connection, statement, parameters)
            self.is_asking = False
            return answer
        except Busy:
            raise
        except BaseException as error:
            self.is_asking = False
            known = isinstance(error, database.Error)
            if known or not database.embedded:  # what is left of an interrupted answer would be taken for the next one
                self._drop()
            if known:
                reason, *_ = str(error).split("\n")  # what follows may quote the row, and the token in it
                raise BackendUnavailable(f"{database.name}: {reason}") from error
            raise
        finally:
            # None: a signal handler raised as soon as the lock was ours, before its answer could be noted. A wait
            # that was interrupted leaves None, too; then there is nothing to release.
            if locked:
                lock.release()
            elif locked is None:
                with suppress(RuntimeError):
                    lock.release()

    def close(self) -> None:
        # A thread that was stopped by the end of the interpreter never lets go of its lock.
        if self._lock.acquire(True, 0 if sys.is_finalizing() else self._database.timeout):
            try:
                self._drop()
            finally:
                self._lock.release()

    def __del__(self) -> None:
        with suppress(Exception):  # whatever is left of it when the interpreter ends
            self._drop()

    def _open(self) -> Any:
        self._drop()
        try:
            with _gate if self._database.embedded else nullcontext():
                self._connection = self._database.open()
        except ConfigurationError as error:
            # What has worked was configured well; it is the store that has changed since.
            if self._has_worked:
                raise BackendUnavailable(str(error)) from error
            raise
        self._has_worked = True
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with _gate if self._database.embedded else nullcontext(), suppress(self._database.Error):
                self._database.close(connection)

    def pause(self) -> Callable[[], None] | None:
        """Wait until no statement is under way and let none begin; return what lets them."""
        lock = self._lock
        if self._database.embedded and lock.acquire(timeout=3 * self._database.timeout):
            return lock.release
        return None

    @property
    def is_open(self) -> bool:
        return self._connection is not None and self._database.embedded

    def leave_to_parent(self) -> None:
        """Forget the connection without closing it, as the parent works on with it."""
        if self._connection is not None:
            _inherited.append(self._connection)
        self._connection = None
        self.is_asking = False
        self._lock = RLock()


class Connections:
    """Several connections: a statement is run by the first that is idle."""

    def __init__(self, database: Database, number: int = 8) -> None:
        self._shared = [SharedConnection(database) for _ in range(number)]

    def ask(self, statement: Any, parameters: Parameters) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raise BackendUnavailable when there is no answer in time."""
        for shared in self._shared:
            if not shared.is_asking:
                with suppress(Busy):
                    return shared.ask(statement, parameters, patience=0)
        return self._shared[get_ident() // 4096 % len(self._shared)].ask(statement, parameters)

    def close(self) -> None:
        for shared in self._shared:
            shared.close()


class _Paused(local):
    """What the forking thread has to let go on."""

    def __init__(self) -> None:
        self.go_on: list[Callable[[], None]] = []


def shown(url: URL) -> str:
    """Return *url* without its password, wherever it stands."""
    secret = {name: "***" for name in url.query if "pass" in name.lower()}
    return repr(url.update_query_dict(secret)).replace("%2A%2A%2A", "***")


def wrong_options(url: URL, error: Exception) -> ConfigurationError:
    """Return what is said of a driver's *error* about the options that it got."""
    driver = url.get_driver_name()
    return ConfigurationError(f"{shown(url)}: {driver} can't use these options ({error}): check the options of the URL")


def connect_apart(engine: Engine) -> PoolProxiedConnection:
    """Return a connection made as *engine* makes them, with its listeners and arguments, that no pool knows of."""
    # Not one of its pool's own: that may have lent out all it has, or have but one, for all.
    try:
        pooled = engine.pool.recreate().connect()
    except WRONG_OPTION as error:
        raise wrong_options(engine.url, error) from error
    pooled.detach()
    return pooled


def ready(fileno: int, wanted: int, seconds: float) -> int:
    """Wait until a socket can be read (1), written to (2) or either (3); return which, or 0 when the time is over."""
    if not hasattr(select, "poll"):  # on Windows
        read, write = [fileno] if wanted & 1 else [], [fileno] if wanted & 2 else []
        can_read, can_write, _ = select.select(read, write, [], seconds)
        return len(can_read) + 2 * len(can_write)
    poll = select.poll()
    poll.register(fileno, (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0))
    events = poll.poll(max(seconds, 0) * 1000)
    return (
        0 if not events else (1 if events[0][1] & ~select.POLLOUT else 0) + (2 if events[0][1] & select.POLLOUT else 0)
    )


_numbers = count()
_living: dict[int, ref[SharedConnection]] = {}
_inherited: list[Any] = []
_paused = _Paused()
_gate = RLock()  # of whoever opens or closes a connection


def _pause() -> None:
    # A child that is forked in the middle of a statement would find the database locked for ever, by nobody. So the
    # fork waits for the locks: in the order of creation, lest two forks wait for each other. The thread that forks
    # may hold one itself (in a signal handler); as a statement is one call of C, none is half done then. Should such
    # a thread and another fork still meet crosswise, the wait is bounded.
    #
    # SQLite has locks of its own for opening and closing: nobody does that behind the gate. The gate comes after the
    # locks, as it does for all others; so whoever has opened a connection meanwhile is waited for in another round.
    paused: set[SharedConnection] = set()
    late = _all_living()
    while True:
        for shared in sorted(late, key=lambda shared: shared.number):
            if go_on := shared.pause():
                _paused.go_on.append(go_on)
        paused |= late
        if not _gate.acquire(timeout=15):
            return
        late = {shared for shared in _all_living() - paused if shared.is_open}
        if not late:
            _paused.go_on.append(_gate.release)
            return
        _gate.release()


def _all_living() -> set[SharedConnection]:
    return {shared for reference in list(_living.values()) if (shared := reference())}


def _go_on() -> None:
    while _paused.go_on:
        _paused.go_on.pop()()


def _begin_anew() -> None:
    global _gate
    _gate = RLock()
    _paused.go_on.clear()
    for reference in list(_living.values()):
        if (shared := reference()) is not None:
            shared.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_begin_anew)
