"""Counts what `@once` does, by function: an observer, the second kind of plugin.

Installing it is all: its hooks are called after the fact, by the thread of the run or by one that tells losses.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from threading import Lock
from time import monotonic

from once_core import Lease, hookimpl

__all__ = ["as_text"]

_lock = Lock()  # hooks are called by many threads at once
_counts: Counter[tuple[str, str]] = Counter()
_seconds: defaultdict[str, float] = defaultdict(float)
_started: dict[str, float] = {}


def _begin_anew() -> None:
    """Count from zero in a forked child: its parent may have had the lock taken, and counts for itself."""
    global _lock
    _lock = Lock()
    for counted in (_counts, _seconds, _started):
        counted.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@hookimpl
def once_acquired(lease: Lease) -> None:
    with _lock:
        _counts["acquired", lease.function] += 1
        _started[lease.token] = monotonic()


@hookimpl
def once_skipped(function: str) -> None:  # a hook takes those of its arguments that it wants
    with _lock:
        _counts["skipped", function] += 1


@hookimpl
def once_released(lease: Lease) -> None:
    _over("released", lease)


@hookimpl
def once_lost(lease: Lease) -> None:
    _over("lost", lease)


def as_text() -> str:
    """Return all counts in the text format that Prometheus reads."""
    with _lock:
        lines = [f'once_{event}_total{{function="{name}"}} {n}' for (event, name), n in sorted(_counts.items())]
        lines += [f'once_held_seconds_total{{function="{name}"}} {s:.3f}' for name, s in sorted(_seconds.items())]
    return "\n".join([*lines, ""])


def _over(event: str, lease: Lease) -> None:
    with _lock:  # every acquired is followed by one released or one lost
        _counts[event, lease.function] += 1
        _seconds[lease.function] += monotonic() - _started.pop(lease.token)
