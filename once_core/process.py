"""What belongs to one process: its clock, its tokens, its background threads - and what a fork makes anew."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Any

# Seconds that only this process may compare: monotonic, and counting suspend where the system has such a clock.
clock: Callable[[], float] = time.monotonic
if hasattr(time, "CLOCK_BOOTTIME"):  # pragma: no branch  # Linux has it
    clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


_log = logging.getLogger("once_core")


class Identity:
    """Makes the tokens of this process: `host:pid:started:random`, each of them once."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._head = f"{socket.gethostname().replace(':', '-')}:{self.pid}:"
        self._tail = f":{token_hex(6)}-"
        self._count = count()

    def new_token(self) -> str:
        """Return a new token; the wall clock in it is for display only."""
        return f"{self._head}{time.time_ns() // 1_000_000}{self._tail}{next(self._count)}"


identity = Identity()


def start_daemon(target: Callable[[], None], name: str) -> threading.Thread | None:
    """Start a daemon thread and return it; None where none can be started any more.

    While the interpreter finalizes, `Thread.start()` waits for ever (3.11) or raises RuntimeError (3.12).
    """
    if sys.is_finalizing():
        return None
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def do_elsewhere(job: Callable[[], None]) -> None:
    """Do *job* in a thread of its own; at once where none can be started any more.

    It is for the collector, which comes in the middle of anything, with any lock taken: this takes none, as `threading`
    does.
    """
    if not sys.is_finalizing():
        with suppress(RuntimeError):
            start_new_thread(job, ())
            return
    job()


def is_a_signals(error: BaseException) -> bool:
    """Whether a signal's handler raised *error*: soft time limits do that, whatever is being done at the moment."""
    handlers: list[Any] = [one for one in map(signal.getsignal, signal.valid_signals()) if callable(one)]
    targets = map(_target, handlers)
    codes = {getattr(code, "__code__", None) for one in targets for code in (one, one.__call__)}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def _target(handler: Any) -> Any:
    while isinstance(handler, partial):
        handler = handler.func
    return handler


class Pool:
    """A few daemon threads, started on demand, for what must not wait and must not be dropped.

    `concurrent.futures` is of no use here: a cancelled waiter takes its queued job away with it, and its threads end
    before the program's own exit handlers run. Nor are conditions and events: a signal handler that raises in the
    middle of one leaves it locked for ever. Locks and queues are safe, being one call of C.
    """

    def __init__(self, name: str, size: int = 8, on_idle: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._size = size
        self._on_idle = on_idle
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.RLock()  # the collector may submit a job in the middle of a submission
        self._threads = 0
        self.pending = 0

    def submit(self, job: Callable[[], None]) -> None:
        """Run *job* in one of the threads; at once where no thread can be had. What it raises is logged."""
        with self._lock:
            self.pending += 1
            if self._threads < min(self.pending, self._size) and start_daemon(self._work, self._name):
                self._threads += 1
            served = self._threads > 0
        if served:
            self._jobs.put(job)
        else:
            self._run(job)

    def drain(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds until nothing is pending; return whether that came."""
        give_up = clock() + timeout
        while self.pending and clock() < give_up:
            time.sleep(0.005)
        return not self.pending

    def close(self) -> None:
        """Let the threads end once the queue is empty; a later job starts new ones."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(job)

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001  # whatever it was, the thread goes on
            _log.error("a job of %s failed", self._name, exc_info=error)
        finally:
            with self._lock:
                self.pending -= 1
            if not self.pending:
                self._on_idle()
