"""Stores to run on: with a rival in them, or failing on demand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from once_core import Backend, BackendUnavailable, Grant, Holder, Once
from once_memory import MemoryBackend

RIVAL = "elsewhere:77:1700000000000:abc"


@dataclass
class Stage:
    """A `Once`, the backend behind it, and a rival from another process."""

    once: Once
    backend: Backend
    prefix: str = "once:"

    def hold(self, key: str, ttl: float = 60.0) -> None:
        """Let the rival hold *key*."""
        assert self.backend.acquire(self.prefix + key, RIVAL, ttl)

    def free(self, key: str) -> None:
        """Let the rival give *key* back."""
        assert self.backend.release(self.prefix + key, RIVAL)

    def holder(self, key: str) -> Holder | None:
        """Return who holds *key* by the store's word."""
        return self.backend.holder(self.prefix + key)


class FailingBackend:
    """A memory store whose verbs raise `errors[verb]` where there is one. It counts what it was asked."""

    def __init__(self, **errors: Exception) -> None:
        self.store = MemoryBackend()
        self.errors = errors
        self.asked: list[str] = []

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        self.note("acquire")
        return self.store.acquire(key, token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        self.note("renew")
        return self.store.renew(key, token, ttl)

    def release(self, key: str, token: str) -> bool:
        self.note("release")
        return self.store.release(key, token)

    def holder(self, key: str) -> Holder | None:
        self.note("holder")
        return self.store.holder(key)

    def note(self, verb: str) -> None:
        self.asked.append(verb)
        if verb in self.errors:
            raise self.errors[verb]


def away(**more: Exception) -> FailingBackend:
    """Return a store that can't be asked for anything."""
    error = BackendUnavailable("the store is away")
    return FailingBackend(acquire=error, renew=error, release=error, holder=error, **more)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until *condition* is true and return what it said; fail after that many seconds."""
    give_up = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < give_up, "the condition did not come true"
        time.sleep(0.005)
    return answer
