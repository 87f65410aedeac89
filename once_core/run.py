"""One run: ask the store for the lease, and give it back. Each step stands twice, for `def` and for `async def`.

The twins differ in who waits for the store and in nothing else: what an answer means is the lease's to decide.
"""

from __future__ import annotations

import logging
from _thread import allocate_lock
from contextlib import suppress
from functools import partial

from .backend import AsyncBackend, Holder
from .blame import check_answer
from .errors import BackendUnavailable, ConfigurationError, OnceError
from .lease import ASKING, ENDED, ENDING, HELD, Lease
from .process import clock, do_elsewhere, is_a_signals

ATTEMPTS = 3
"""How often to ask because the grant arrived after its own ttl."""

IN_VAIN = 0.5
"""Seconds: a question that failed after more has not been answered at all, as far as can be told."""

MOMENT = 0.05
"""Seconds that the collector, or who closes a coroutine, waits for the giving back."""

_log = logging.getLogger("once_core")


def begin(lease: Lease) -> bool:
    """Take the lease; return whether the body may run. Raises what `on_unavailable` asks for."""
    return lease.claim() and _acquire(lease) and lease.enter()


async def abegin(lease: Lease) -> bool:
    """Take the lease from a coroutine."""
    if not lease.claim():
        return False
    store = lease.store
    if store.never_blocks:
        acquired = _acquire(lease)
    elif backend := store.open_aio:
        acquired = await _aacquire(lease, backend)
    else:
        acquired = await store.in_thread(partial(_acquire_in_turn, lease, clock()))
    return acquired and lease.enter()


def end(lease: Lease) -> None:
    """Give the lease back, if there is one. The store's failure is logged, not raised."""
    left = lease.leave()
    if left == HELD:
        _finish(lease)
    elif left != ENDED:
        _end_elsewhere(lease, left)


async def aend(lease: Lease, error: BaseException | None = None) -> None:
    """Give the lease back from a coroutine that goes on, or ends with *error*."""
    if isinstance(error, GeneratorExit):  # the coroutine is being closed: it must not await any more
        settle_elsewhere(lease)
        return
    left = lease.leave()
    if left == HELD:
        store = lease.store
        if store.never_blocks:
            _finish(lease)
        elif store.aio is None:
            await store.in_thread(partial(_finish, lease))
        else:
            await _afinish(lease)
    elif left != ENDED:
        _end_elsewhere(lease, left)


def settle(lease: Lease) -> None:
    """Give back in the background what `end` could not: a signal interrupted it, or no await is allowed."""
    if lease.leave() in (ASKING, HELD, ENDING):
        _finish_elsewhere(lease)


def settle_elsewhere(lease: Lease) -> None:
    """Do that in another thread, for the collector.

    It is waited for a moment, so that who closes a coroutine by hand finds the key free.
    """
    lease.leave_context()
    done = allocate_lock()
    done.acquire()

    def work() -> None:
        try:
            settle(lease)
        finally:
            done.release()

    do_elsewhere(work)
    with suppress(AssertionError):  # gevent's hub can't wait
        done.acquire(timeout=MOMENT)


def _end_elsewhere(lease: Lease, left: str) -> None:
    if left == ASKING:  # interrupted: it may have been granted
        _finish_elsewhere(lease)
    else:
        # It is lost. A store that was only late still has the lease; one that is away must not keep LeaseLost waiting.
        lease.store.in_background(partial(_give_back_quietly, lease))


def _finish_elsewhere(lease: Lease) -> None:
    if not lease.handed_over:
        lease.handed_over = True
        lease.store.in_background(partial(_finish, lease))


def rival(lease: Lease) -> Holder | None:
    """Return who holds the key of a lease that was refused, where that can be known."""
    runner = lease.store.running.get(lease.full_key)
    if runner is not None:
        return runner.as_holder()
    if lease.unavailable is None:
        with suppress(OnceError):
            return lease.store.holder(lease.full_key)
    return None


async def arival(lease: Lease) -> Holder | None:
    """Return it to a coroutine."""
    runner = lease.store.running.get(lease.full_key)
    if runner is not None:
        return runner.as_holder()
    if lease.unavailable is None:
        with suppress(OnceError):
            return await lease.store.aholder(lease.full_key)
    return None


def _acquire(lease: Lease) -> bool:
    try:
        backend = lease.store.backend or lease.store.open()
        for _ in range(ATTEMPTS):
            sent = clock()
            if lease.decide(backend.acquire(lease.full_key, lease.token, lease.span), sent):
                return lease.state == HELD
            backend.release(lease.full_key, lease.token)
            if lease.state != ASKING:
                return False
    except ConfigurationError:
        lease.refuse()
        raise
    except Exception as error:  # noqa: BLE001  # a backend's own errors are the store's failure too
        return _unavailable(lease, error)
    return _unavailable(lease, _too_slow(lease))


def _acquire_in_turn(lease: Lease, came: float) -> bool:
    """Acquire when a thread has come to it, for a caller who *came* at that moment.

    If another question was sent since, and waited in vain, it speaks for all who wait for a thread: else they would
    time out a few at a time, one after the other.
    """
    if lease.state != ASKING:  # the caller left meanwhile
        return False
    store = lease.store
    sent, error = store.in_vain
    if sent >= came:
        text = f"{store.name} could not be asked while this call waited for its turn: {error}"
        return _unavailable(lease, BackendUnavailable(text), asked=False)
    sent = clock()
    try:
        return _acquire(lease)
    finally:
        if lease.unavailable and clock() - sent > IN_VAIN:
            store.in_vain = sent, lease.unavailable


async def _aacquire(lease: Lease, backend: AsyncBackend) -> bool:
    try:
        for _ in range(ATTEMPTS):
            sent = clock()
            if lease.decide(await backend.acquire(lease.full_key, lease.token, lease.span), sent):
                return lease.state == HELD
            await backend.release(lease.full_key, lease.token)
            if lease.state != ASKING:
                return False
    except ConfigurationError:
        lease.refuse()
        raise
    except Exception as error:  # noqa: BLE001  # a backend's own errors are the store's failure too
        return _unavailable(lease, error)
    return _unavailable(lease, _too_slow(lease))


def _too_slow(lease: Lease) -> BackendUnavailable:
    return BackendUnavailable(
        f"{lease.store.name} took longer than the ttl of {lease.ttl} s to grant {lease.key!r}: choose a longer ttl"
    )


def _unavailable(lease: Lease, error: Exception, asked: bool = True) -> bool:
    """Do what the user chose for a store that can't be asked; return whether to run all the same."""
    if is_a_signals(error):
        raise error
    known = error if isinstance(error, BackendUnavailable) else lease.store.failure(error)
    lease.unavailable = known
    policy = lease.options.on_unavailable or lease.setting.on_unavailable
    if policy == "run":
        lease.move("refused")  # without a lease, but in this process still the only run of its key
    else:
        lease.refuse()
    if asked and lease.store.backend is not None:  # the key may have been granted, and the answer lost
        lease.store.in_background(partial(_give_back_quietly, lease))
    if policy == "raise":
        raise known
    if policy == "run":
        _log.warning("%s runs unguarded on %r: %s", lease.function, lease.key, known)
    return policy == "run"


def _finish(lease: Lease) -> None:
    answer = None
    try:
        if lease.renewals:
            lease.await_renewal()
        answer = _give_back(lease)
    except OnceError as error:  # the store's failure never costs the result
        _not_told(lease, error)
    except BaseException as error:
        if not lease.handed_over:  # not a backend's error: perhaps a signal handler's, such as a soft time limit
            _finish_elsewhere(lease)
            if not isinstance(error, Exception) or is_a_signals(error):
                raise
            return
        _not_told(lease, error)
    lease.told(answer)


async def _afinish(lease: Lease) -> None:
    answer = None
    try:
        if lease.renewals:
            await lease.store.in_thread(lease.await_renewal)
        answer = await _agive_back(lease)
    except Exception as error:  # noqa: BLE001  # the store's failure never costs the result
        _not_told(lease, error)
    except BaseException:  # cancelled or closed: a thread does it again, as the loop may be closing
        _finish_elsewhere(lease)
        raise
    lease.told(answer)


def _give_back(lease: Lease) -> bool:
    backend = lease.store.backend or lease.store.open()
    verb = "release"
    if lease.keep_until and (rest := lease.keep_until - clock()) > 0:
        verb, answer = "renew", backend.renew(lease.full_key, lease.token, rest)
    else:
        answer = backend.release(lease.full_key, lease.token)
    if type(answer) is not bool:
        check_answer(backend, verb, answer)
    return answer


async def _agive_back(lease: Lease) -> bool:
    backend = lease.store.aio
    assert backend is not None
    verb = "release"
    if lease.keep_until and (rest := lease.keep_until - clock()) > 0:
        verb, answer = "renew", await backend.renew(lease.full_key, lease.token, rest)
    else:
        answer = await backend.release(lease.full_key, lease.token)
    if type(answer) is not bool:
        check_answer(backend, verb, answer)
    return answer


def _give_back_quietly(lease: Lease) -> None:
    try:
        _give_back(lease)
    except Exception as error:  # noqa: BLE001  # nobody is there to be told
        _log.debug("the lease on %r could not be given back: %s", lease.key, error)


def _not_told(lease: Lease, error: BaseException) -> None:
    _log.warning("the lease on %r could not be given back and ends within its ttl: %s", lease.key, error)
