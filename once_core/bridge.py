"""Between threads and event loops: a blocking call from a coroutine, and news of a loss for a task."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from .errors import LeaseLost
from .process import Pool

if TYPE_CHECKING:
    from .lease import Lease

T = TypeVar("T")
sleep = asyncio.sleep


async def in_thread(pool: Pool, call: Callable[[], T]) -> T:
    """Return what *call* returns in a thread of *pool*, or raise what it raises."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if waiter.done():  # cancelled meanwhile
            return
        if error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def job() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001  # it is raised again, where it is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, result, error)

    pool.submit(job)
    return await waiter


class Canceller:
    """Cancels the task that made it when its lease is lost, and turns that cancellation into LeaseLost.

    As `asyncio.timeout` does, it tells its own cancellation from anybody else's by the task's count of them.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("raise_on_lost cancels a task, and this is none: run it by asyncio.run or create_task")
        self._loop = asyncio.get_running_loop()
        # Weak: the keeper knows the lease, and must not keep alive a task that its loop has forgotten.
        self._task = weakref.ref(task)
        self._cancelled_before = task.cancelling()
        self._sent = False
        self._closed = False
        self._lease.canceller = self
        if self._lease.lost:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the task soon. May be called by any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the task will never go on
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        task = self._task()
        if task is not None and not self._closed and not self._sent:  # it may be told twice
            self._sent = True
            task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        task = self._task()
        if not self._sent or task is None:
            return
        alone = task.uncancel() <= self._cancelled_before
        if alone and isinstance(error, asyncio.CancelledError):
            raise LeaseLost(self._lease.key) from error
