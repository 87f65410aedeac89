"""The lease of one attempt to run: a state machine, and `MOVES` is all of it.

The run, the keeper, a renewing thread and a cancellation race for the next move. Under the lease's lock one of them
makes it; the others see what has become of it. Nothing in here waits for a store.
"""

from __future__ import annotations

import logging
import threading
import time
from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING

from . import plugins
from .backend import Grant, Holder
from .blame import check_answer
from .errors import BackendUnavailable, LeaseLost
from .keeper import ASK_AGAIN, RENEW, REPEAT, keeper
from .process import clock, identity

if TYPE_CHECKING:
    from .bridge import Canceller
    from .options import Options, Setting

ASKING = "asking"
HELD = "held"
ENDING = "ending"
ENDED = "ended"
LOST = "lost"

MOVES = {
    (ASKING, "granted"): HELD,
    (ASKING, "refused"): ENDED,  # another holds the key, or the store can't be asked
    (ASKING, "left"): ENDING,  # interrupted: it may have been granted, so it is given back
    (HELD, "left"): ENDING,
    (HELD, "expired"): LOST,
    (HELD, "denied"): LOST,  # a renewal was answered with no
    (ENDING, "told"): ENDED,  # the store knows, or can't be told
    (ENDING, "denied"): LOST,  # the store had given the key away already
}

_log = logging.getLogger("once_core")
_current: ContextVar[Lease | None] = ContextVar("once_core.current_lease", default=None)


def current_lease() -> Lease | None:
    """Return the lease of the run that this code is part of; None outside a run."""
    lease = _current.get()
    while lease is not None and lease.is_over:  # as where a task outlives the body that made it
        lease = lease.previous
    return lease


class Lease:
    """The store's promise to one run: *key* is *token*'s for *ttl* seconds from the last renewal.

    *fence* is an integer that grows with each grant of the key, or None where the store has none. *function* and
    *template* name what runs.
    """

    # Defaults live here: most runs never change them, and each assignment costs every run.
    fence: int | None = None
    state = ASKING
    deadline = 0.0
    renew_at = inf
    keep_until = 0.0
    ends_by = inf
    renewals = 0
    renewed_at = 0.0
    handed_over = False  # to a thread that gives it back
    unavailable: BackendUnavailable | None = None
    canceller: Canceller | None = None
    is_over = False
    previous: Lease | None = None
    _announced = False

    def __init__(self, key: str, full_key: str, options: Options, setting: Setting) -> None:
        self.key = key
        self.full_key = full_key
        self.token = identity.new_token()
        self.ttl = options.ttl or setting.ttl
        self.span = self.ttl if options.hold_at_most is None else min(self.ttl, options.hold_at_most)
        self.options = options
        self.setting = setting
        self.store = setting.store
        self._pid = identity.pid
        self._lock = threading.Lock()

    @property
    def function(self) -> str:
        return self.options.function

    @property
    def template(self) -> str:
        return self.options.template

    @property
    def remaining(self) -> float:
        """Seconds for which the lease is still sure; 0 when it is over."""
        return max(0.0, self.deadline - clock()) if self.state == HELD else 0.0

    @property
    def lost(self) -> bool:
        """Whether the lease ended while its run was still going."""
        return self.state == LOST or (self.state == HELD and self.deadline <= clock())

    def raise_if_lost(self) -> None:
        """Raise LeaseLost if the lease was lost: a good thing to call before writing something."""
        if self.lost:
            raise LeaseLost(self.key)

    def __repr__(self) -> str:
        return f"<Lease {self.key!r} {self.state} token={self.token} fence={self.fence}>"

    # For the run.

    def claim(self) -> bool:
        """Enter the key in the register of this process; return False if it runs here already."""
        if self.store.running.setdefault(self.full_key, self) is self:
            return True
        self.move("refused")
        return False

    def refuse(self) -> None:
        """Note that there is no lease, and nothing to run."""
        self.move("refused")
        self._unclaim()
        self._close_store_if_idle()

    def _unclaim(self) -> None:
        if self.store.running.get(self.full_key) is self:
            del self.store.running[self.full_key]

    def decide(self, grant: Grant | None, sent: float) -> bool:
        """Take the answer to a question sent at *sent*; return False if it is a grant that has to be given back."""
        if grant is None:
            self.refuse()
            return True
        if not isinstance(grant, Grant):
            check_answer(self.store.backend, "acquire", grant)
        deadline = sent + self.span
        if deadline <= clock():  # the process was paused, or the store slow: it is over already
            return False
        options = self.options
        with self._lock:
            if self.state != ASKING:  # the caller left meanwhile
                return False
            self.state = MOVES[ASKING, "granted"]
            self.fence = grant.fence
            self.deadline = deadline
            self.renew_at = sent + self.ttl / RENEW
            if options.hold_at_most is not None:
                self.ends_by = sent + options.hold_at_most
        keeper.watch(self)
        return True

    def enter(self) -> bool:
        """Become the current lease of this context, and let the observers know."""
        self.previous = current_lease()
        _current.set(self)
        if self.options.hold_at_least and self.state == HELD:
            self.keep_until = clock() + self.options.hold_at_least
        if plugins.observed:
            with self._lock:
                self._announced = self.state == HELD
            if self._announced:
                plugins.tell("once_acquired", lease=self)
        return True

    def leave(self) -> str:
        """Note that the body is over; return the state it was left in: a held lease is the caller's to give back."""
        self.leave_context()
        if self._pid != identity.pid:  # forked inside the body: the lease is the parent's
            return ENDED
        self._unclaim()
        if self.state == ENDED:  # refused, or unguarded: no move leads out of it
            self._close_store_if_idle()
            return ENDED
        if self.deadline <= clock():
            self.lose("expired")
        with self._lock:
            left = self.state
            self.state = MOVES.get((left, "left"), left)
            return left

    def leave_context(self) -> None:
        """Be the current lease no more."""
        self.is_over = True
        if _current.get() is self:
            _current.set(self.previous)

    def told(self, answer: bool | None) -> None:
        """Take the store's answer to the giving back; None if there was none."""
        keeper.forget(self)
        # It was granted once. Whoever asks a second time may have been told yes by the first answer, which was lost.
        if answer is False and self.deadline and not self.handed_over:
            self.lose("denied")
        elif self.move("told") and self._announced:
            plugins.tell("once_released", lease=self)
        self._close_store_if_idle()

    def _close_store_if_idle(self) -> None:
        if not self.store.users:
            self.store.close_if_idle()

    def await_renewal(self) -> None:
        """Wait until no renewal is under way.

        One that reached the store after the end would bring the lease back, or lengthen one that was just shortened.
        One that hangs is not waited for: should it arrive after all, it costs the ttl.
        """
        give_up = clock() + self.ttl / ASK_AGAIN
        while self.renewals and clock() < give_up:
            time.sleep(0.001)

    # For the keeper.

    def span_of_renewal(self) -> float:
        """Seconds to ask for now: the ttl, or what `hold_at_most` leaves of it."""
        return min(self.ttl, self.ends_by - clock())

    def begin_renewal(self, due: float) -> bool:
        """Note that a renewal is under way; return False if that was not needed or was done since it was *due*."""
        with self._lock:
            if self.state != HELD or self.ends_by <= clock() or self.renewed_at > due:
                return False
            self.renewals += 1
            return True

    def end_renewal(self, sent: float, span: float, answer: bool | None) -> None:
        """Take the answer to a renewal: yes, no, or None for "don't know"."""
        with self._lock:
            self.renewals -= 1
            if answer:
                self.renewed_at = sent
                self.deadline = max(self.deadline, sent + span)
                self.renew_at = inf if span < self.ttl else sent + self.ttl / RENEW
            elif answer is None:
                self.renew_at = clock() + self.ttl / REPEAT
        if answer is False:
            self.lose("denied")
        elif answer is None:
            keeper.look_by(self.renew_at)

    def lose(self, event: str) -> None:
        """Let the run know that its lease is over. What may take long is done elsewhere."""
        if not self.move(event):
            return
        keeper.forget(self)
        if self.canceller is not None:
            self.canceller.cancel()
        keeper.news.submit(self._tell_loss)

    def _tell_loss(self) -> None:
        _log.warning("the lease of %s on %r was lost while it was running", self.function, self.key)
        if self._announced:
            plugins.tell("once_lost", lease=self)

    def move(self, event: str) -> bool:
        """Make the move that the table allows; return False where it allows none, as somebody else was first."""
        with self._lock:
            state = MOVES.get((self.state, event))
            if state is None:
                return False
            self.state = state
            return True

    def as_holder(self) -> Holder:
        """Return what a store would tell of this lease."""
        return Holder(self.token, self.remaining)
