"""Renews all leases and tells the runs whose lease was lost.

One thread per process, the keeper, only looks at the clock: it hands leases that are due to the renewing thread of
their store, and tells each loss in time because it never waits for a store. A renewing thread that waits too long for
an answer is left to itself and replaced, as nobody can interrupt it.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from .process import Pool, clock, start_daemon

if TYPE_CHECKING:
    from .lease import Lease
    from .store import Store

# Parts of the ttl. Renewals are a third apart, a failed one is repeated after a twelfth, one without an answer after a
# quarter, in another thread if the first has been waiting for a fifth. So a store may be away for half the ttl. A lease
# that is due within a 24th goes along with one that is due now: within less than it takes to repeat, or that would be
# at once.
RENEW = 3
REPEAT = 12
ALONG = 24
ASK_AGAIN = 4
PATIENCE = 5

BATCH = 500
"""Leases in one question: a run that ends while it is under way waits for the answer."""

PURGE_EVERY = 60.0
PURGE_PATIENCE = 1.0
LOOK_EVERY = 1.0
"""Seconds: timers stand still while the machine is suspended, the lease's clock does not."""

_log = logging.getLogger("once_core")


class Keeper:
    """Knows all leases that are held, and when to look at them next."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._renewers: dict[Store, Renewer] = {}
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()  # not an event: see Pool
        self._is_awake = False
        self._lock = threading.RLock()  # the collector may end a run in the middle of what this guards
        self._looking = threading.RLock()  # likewise
        self._look_at = inf
        self._wanted = inf
        self.news = Pool("once-news")

    def watch(self, lease: Lease) -> None:
        """Renew *lease* from now on."""
        self._leases[lease.token] = lease
        if lease.renew_at < self._look_at:
            self.look_by(lease.renew_at)

    def look_by(self, moment: float) -> None:
        """Look at the leases at that moment at the latest; the thread begins with the first lease."""
        if sys.is_finalizing():  # no thread runs any more: one of them may have stopped with the lock
            return
        with self._lock:
            self._wanted = min(self._wanted, moment)
            if not self._is_awake:
                start_daemon(self._keep, "once-keeper")
        self._bell.put(None)

    def forget(self, lease: Lease) -> None:
        """Let *lease* be."""
        self._leases.pop(lease.token, None)

    def knows(self, store: Store) -> bool:
        """Whether a lease on *store* is still to be given back."""
        return any(lease.store is store for lease in list(self._leases.values()))

    def stop(self, store: Store) -> None:
        """End the renewing thread of *store*, which has no leases any more."""
        with self._looking:  # a look that has begun may still hand it something
            renewer = self._renewers.pop(store, None)
        if renewer is not None:
            renewer.stop()

    def _keep(self) -> None:
        with self._lock:
            if self._is_awake:
                return
            self._is_awake = True
        while True:
            while not self._bell.empty():
                self._bell.get()
            self._look_at = inf  # whoever comes while this thread looks must rouse it again
            with self._lock:
                wanted, self._wanted = self._wanted, inf
            now = clock()
            try:
                with self._looking:
                    next_look = self._look(now)
            except BaseException as error:  # noqa: BLE001  # without this thread every lease would be lost
                next_look = now + LOOK_EVERY
                self.news.submit(partial(_log.error, "the keeper stumbled, and goes on", exc_info=error))
            # Also when that lease is gone: else each of many short runs would rouse this thread.
            self._look_at = min(next_look, wanted) if wanted > now else next_look
            pause = None if self._look_at == inf else min(max(self._look_at - clock(), 0.001), LOOK_EVERY)
            with suppress(queue.Empty):
                self._bell.get(timeout=pause)

    def _look(self, now: float) -> float:
        """Tell losses, hand out what is due; return when to look again."""
        next_look = inf
        due: dict[Store, list[Lease]] = {}
        patience: dict[Store, float] = {}  # with a purge, which delays the renewals
        for lease in list(self._leases.values()):
            if lease.deadline <= now:
                lease.lose("expired")
                self.forget(lease)
                continue
            patience[lease.store] = min(patience.get(lease.store, PURGE_PATIENCE), lease.ttl / PATIENCE)
            if lease.renew_at <= now + lease.ttl / ALONG:
                due.setdefault(lease.store, []).append(lease)
                lease.renew_at = now + lease.ttl / ASK_AGAIN  # unless the answer comes first
            next_look = min(next_look, lease.renew_at, lease.deadline)
        for store, seconds in patience.items():
            if store.purge is not None and now >= store.purge_at:
                store.purge_at = now + PURGE_EVERY
                self._renewer(store).purge(store.purge, seconds)
        for store, leases in due.items():
            size = BATCH if store.renew_many is not None else 1
            for start in range(0, len(leases), size):
                self._renewer(store).renew(leases[start : start + size], now)
        for renewer in list(self._renewers.values()):
            renewer.replace_if_stuck(now)
        return next_look

    def _renewer(self, store: Store) -> Renewer:
        return self._renewers.setdefault(store, Renewer(store))


class Renewer:
    """Asks one store to renew, question after question, in a thread of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: queue.SimpleQueue[Callable[[object], None] | None] = queue.SimpleQueue()
        self._worker: object = None
        self._thread: threading.Thread | None = None
        self._patience_ends = inf
        self._complained = False

    def renew(self, leases: Sequence[Lease], due: float) -> None:
        """Renew *leases* as soon as all that came before is done, but for those renewed since they were *due*."""
        self._hand(partial(self._renew, leases, due))

    def purge(self, purge: Callable[[], None], patience: float) -> None:
        """Let the store purge what has expired; it holds renewals up for *patience* seconds at most."""
        self._hand(partial(self._purge, purge, patience))

    def _hand(self, job: Callable[[object], None]) -> None:
        self._jobs.put(job)
        if self._worker is None:
            self._start_worker()

    def replace_if_stuck(self, now: float) -> None:
        """Let a new thread go on with the jobs if the present one has waited too long for its answer."""
        if now >= self._patience_ends:
            self._patience_ends = inf
            self._start_worker()

    def stop(self) -> None:
        """End the thread, whatever it was handed; a question under way is waited for a while."""
        self._worker = None
        self._jobs.put(None)
        if self._thread not in (None, threading.current_thread()):
            with suppress(AssertionError):  # gevent's hub can't wait, and may be where a `Once` is forgotten
                self._thread.join(PURGE_PATIENCE)

    def _start_worker(self) -> None:
        worker = self._worker = object()
        self._thread = start_daemon(partial(self._work, worker), f"once-renewer {self._store.name}")
        if self._thread is None:
            self._worker = None

    def _work(self, worker: object) -> None:
        while self._worker is worker and (job := self._jobs.get()) is not None and self._worker is worker:
            try:
                job(worker)
                self._complained = False
            except BaseException as error:  # noqa: BLE001  # whatever a backend raises, the thread goes on
                self._complain(error)

    def _renew(self, leases: Sequence[Lease], due: float, worker: object) -> None:
        leases = [lease for lease in leases if lease.begin_renewal(due)]
        if not leases:
            return
        sent = clock()
        asked = [(lease.full_key, lease.token, lease.span_of_renewal()) for lease in leases]
        answers: Sequence[bool | None] = [None] * len(leases)
        self._patience_ends = sent + min(lease.ttl for lease in leases) / PATIENCE
        try:
            answers = self._store.renew(asked)
        finally:
            self._answered(worker)
            for lease, (_, _, span), answer in zip(leases, asked, answers, strict=True):
                lease.end_renewal(sent, span, answer)

    def _purge(self, purge: Callable[[], None], patience: float, worker: object) -> None:
        self._patience_ends = clock() + patience
        try:
            purge()
        finally:
            self._answered(worker)

    def _answered(self, worker: object) -> None:
        if self._worker is worker:  # and has not been replaced meanwhile
            self._patience_ends = inf

    def _complain(self, error: BaseException) -> None:
        if not self._complained:  # once per outage, not for each of ten thousand leases
            _log.warning("%s could not be asked by the renewing thread: %s", self._store.name, error)
        self._complained = True


keeper = Keeper()
