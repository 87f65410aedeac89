"""Time limits for calls that may never return: in a thread, in many threads, in a forked child."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Container, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing import Pipe
from queue import SimpleQueue
from random import Random
from time import monotonic, sleep
from types import FrameType
from typing import Any, NoReturn, TypeAlias, TypeVar

import pytest

from .rules import RULES

T = TypeVar("T")
TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]


class Watch:
    """Makes calls in one thread of its own, so that one which hangs fails its test instead of the whole run.

    It is always the same thread, as a backend may keep a connection for each.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] | None = None
        self._thread: threading.Thread | None = None

    def run(self, what: str, call: Callable[[], T], timeout: float | None = None) -> T:
        """Return what *call* returns, or raise what it raises."""
        __tracebackhide__ = True
        if self._jobs is None:
            self._jobs = SimpleQueue()
            self._thread = threading.Thread(target=_work, args=(self._jobs,), daemon=True, name="conformance kit")
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((future, call))
        timeout = timeout or self.timeout
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise
        self._jobs = self._thread = None
        hung(what, timeout)

    def close(self) -> None:
        if self._jobs is not None and self._thread is not None:
            self._jobs.put(None)
            self._thread.join(self.timeout)


def hung(what: str, timeout: float) -> NoReturn:
    """Fail the test, as *what* has not answered in time."""
    __tracebackhide__ = True
    RULES[1].broken(
        f"{what} gave no answer within {timeout:g} s",
        "a call that never returns holds up its worker for ever (slow store? raise `verb_timeout` on the test class)",
    )


def _work(jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
    while job := jobs.get():
        future, call = job
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            future.set_exception(error)
        del job, future, call


def in_threads(what: str, bodies: Sequence[Callable[[], None]], steps: Callable[[], int], timeout: float) -> None:
    """Run *bodies* at once, each in a thread; fail when `steps()` has not grown for *timeout* seconds."""
    __tracebackhide__ = True
    errors: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    with switching_often():
        for thread in threads:
            thread.start()
        done, since = -1, monotonic()
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.02)
            if (now_done := steps()) != done:
                done, since = now_done, monotonic()
            elif monotonic() - since > timeout:
                hung(what, timeout)
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error


@contextmanager
def switching_often() -> Generator[None]:
    """Let threads interrupt one another nearly everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def stumble_in(packages: Container[str]) -> None:
    """Let this thread, from now on, pause now and then between two lines of the code of *packages*.

    Threads of Python seldom switch within the few instructions between a check and what is then set; so a missing
    lock shows once in thousands of races, and in production. With these pauses it shows in every few.
    """
    chance = Random()

    def pause(frame: FrameType, event: str, argument: Any) -> TraceFunction:
        if chance.random() < 0.1:
            sleep(1e-5)
        return pause

    def enter(frame: FrameType, event: str, argument: Any) -> TraceFunction | None:
        return pause if package_of(frame.f_globals.get("__name__", "")) in packages else None

    sys.settrace(enter)


def package_of(module: str) -> str:
    return module.partition(".")[0]


def packages_of(backend: object) -> set[str]:
    """Return the packages that *backend* and its `aio` are written in."""
    owners = [backend, getattr(backend, "aio", None)]
    packages = {package_of(cls.__module__) for owner in owners for cls in type(owner).__mro__}
    return packages - {"builtins", "typing", "once_core"}


class Child:
    """A forked copy of this process that runs *body* and sends back what it returned."""

    def __init__(self, body: Callable[[], Any]) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("this system has no os.fork")
        self._answers, theirs = Pipe(duplex=False)
        with warnings.catch_warnings():
            # From Python 3.12 on, forking a process that has threads warns. That is what is tested here.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            try:
                try:
                    outcome: tuple[Any, str] = body(), ""
                except BaseException as error:  # noqa: BLE001  # told to the parent
                    outcome = None, str(error) if isinstance(error, pytest.fail.Exception) else repr(error)
                theirs.send(outcome)
            finally:
                os._exit(0)
        theirs.close()

    def result(self, what: str, timeout: float) -> Any:
        """Return the answer; fail the test with the child's own failure, or when there is none in time."""
        __tracebackhide__ = True
        try:
            answered = self._answers.poll(timeout)
            value, failure = self._answers.recv() if answered else (None, "")
        except EOFError:
            answered, value, failure = True, None, "the child died"
        finally:
            self.kill()
        if not answered:
            RULES[8].broken(
                f"{what}: no answer within {timeout:g} s",
                "pre-forking workers (Celery, gunicorn) inherit the object: a lock or socket of the parent hangs them",
            )
        if failure.startswith("rule "):
            pytest.fail(f"{what}:\n{failure}")
        if failure:
            RULES[8].broken(f"{what}: {failure}")
        return value

    def kill(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
            self._answers.close()
