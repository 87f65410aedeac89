"""The lease as a context manager."""

from __future__ import annotations

import random
import time
from types import TracebackType
from typing import TYPE_CHECKING

from . import plugins
from .asking import Questions
from .errors import AlreadyLocked, LeaseLost
from .key import check_key
from .lease import LOST, Lease, current_lease
from .options import Options, check_seconds
from .process import clock
from .run import abegin, aend, arival, begin, end, rival, settle, settle_elsewhere
from .store import bridge

if TYPE_CHECKING:
    from .decorator import Once

ASK_EVERY = 0.1
"""Seconds between two questions of one who waits, give or take half, so that those who wait together spread out."""


class Lock(Questions):
    """A key to be held for a while. Many threads and tasks may enter one object: each entry is a lease of its own."""

    def __init__(self, once: Once, key: str, wait: float, options: Options) -> None:
        self._entered: list[Lease] = []
        if wait != 0:
            check_seconds("wait", wait, "lock", ", or 0")
        super().__init__(once, lambda: key)  # not self.key: a cycle would put off __del__
        self.key = check_key(key, "lock")
        self._wait = wait
        self._options = options

    def __enter__(self) -> Lease:
        give_up = clock() + self._wait
        while True:
            lease = self._attempt()
            try:
                if begin(lease):
                    self._entered.append(lease)
                    return lease
            except BaseException:
                settle(lease)
                raise
            end(lease)
            if (rest := self._rest(lease, give_up)) <= 0:
                self._skip()
                raise AlreadyLocked(self.key, rival(lease))
            time.sleep(rest)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease = None
        try:
            lease = self._innermost()
            end(lease)
        except BaseException:
            settle(lease or self._innermost())
            raise
        self._entered.remove(lease)
        self._raise_if_lost(lease, error)

    def __del__(self) -> None:
        # A signal handler that raised as `__exit__` began left an entry behind; one in `__init__`, nothing at all.
        for lease in vars(self).get("_entered", ()):
            settle_elsewhere(lease)

    async def __aenter__(self) -> Lease:
        give_up = clock() + self._wait
        while True:
            lease = self._attempt()
            try:
                if await abegin(lease):
                    if self._options.raise_on_lost:
                        bridge().Canceller(lease).__enter__()
                    self._entered.append(lease)
                    return lease
            except BaseException as error:
                await aend(lease, error)
                raise
            await aend(lease)
            if (rest := self._rest(lease, give_up)) <= 0:
                self._skip()
                raise AlreadyLocked(self.key, await arival(lease))
            await bridge().sleep(rest)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease = self._innermost()
        try:
            if lease.canceller is not None:
                lease.canceller.__exit__(kind, error, traceback)
        finally:
            self._entered.remove(lease)
            await aend(lease, error)
        self._raise_if_lost(lease, error)

    def _attempt(self) -> Lease:
        setting = self.once.setting or self.once.open()
        return Lease(self.key, setting.prefix + self.key, self._options, setting)

    def _rest(self, lease: Lease, give_up: float) -> float:
        """Seconds until the key is to be asked for again; 0 if the waiting is over."""
        if lease.unavailable is not None:
            raise lease.unavailable
        return min(give_up - clock(), ASK_EVERY * random.uniform(0.5, 1.5))

    def _skip(self) -> None:
        if plugins.observed:
            plugins.tell("once_skipped", key=self.key, function=self._options.function, template=self._options.template)

    def _innermost(self) -> Lease:
        # Two entries at once there are only on two stores, after a new configuration.
        if not self._entered:
            raise RuntimeError(f"the lock on {self.key!r} is left without having been entered: write `with`")
        current = current_lease()
        return current if current is not None and current in self._entered else self._entered[-1]

    def _raise_if_lost(self, lease: Lease, error: BaseException | None) -> None:
        if error is None and self._options.raise_on_lost and lease.state == LOST:
            raise LeaseLost(self.key)
