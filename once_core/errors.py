"""What can go wrong, in the sentences that users read. Each says what to do next.

Task queues rebuild an exception as `cls(*args)` from text, and pickle it: so `args` are always plain texts.
"""

from __future__ import annotations

from .backend import Holder


class OnceError(Exception):
    """Base of everything that once raises on purpose."""


class AlreadyLocked(OnceError):
    """The call was skipped because *key* is held.

    *holder* may be given as a token's text; the attribute `holder` is a `Holder`, or None where it is not known.
    """

    def __init__(self, key: str, holder: Holder | str | None = None) -> None:
        self.key = key
        self.holder = Holder(holder) if isinstance(holder, str) else holder
        super().__init__(*((key,) if self.holder is None else (key, self.holder.token)))

    def __str__(self) -> str:
        return (
            f"{self.key!r} is {_held(self.holder)}: this call was skipped. Retry it later if it must not be missed. "
            "A function can return a value instead, with raise_on_locked=False; a lock can wait"
        )


class LeaseLost(OnceError):
    """The lease on *key* ended while its run was still going: another run may have started meanwhile."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)

    def __str__(self) -> str:
        return (
            f"the lease on {self.key!r} was lost while its run was going on, so another run may have started: do not "
            "rely on this run's result. If nobody freed the key by release(), choose a longer ttl, as the store was "
            "away or the process paused for that long, or a longer hold_at_most if there is one and it was reached"
        )


class BackendUnavailable(OnceError):
    """The store can't be asked, or its answer was lost: nobody knows whether the key is held."""


class ConfigurationError(OnceError, ValueError):
    """What was written can't work; the message names the place and what to write instead."""


class NotConfigured(ConfigurationError):
    """A call was made before any store was chosen."""


class UnknownBackend(ConfigurationError):
    """No usable plugin serves the URL's scheme."""


class BackendConflict(ConfigurationError):
    """Two plugins claim one scheme or one name."""


def _held(holder: Holder | None) -> str:
    if holder is None:
        return "held by another run, or nobody could tell"
    if holder.since is None:
        return f"held by token {holder.token!r}"
    return f"held by process {holder.pid} on {holder.host} since {holder.since:%Y-%m-%d %H:%M:%S} UTC"
