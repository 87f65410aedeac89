"""A store whose answers a test decides, and the leases on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from once_core import Grant, Holder, Once
from once_core.lease import Lease
from once_core.options import Options


class Script:
    """Answers each verb with what stands under its name: a value, an error to raise, or a function to call."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"acquire": Grant(7), "renew": True, "release": True, "holder": None} | answers
        self.asked: list[str] = []

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        grant: Grant | None = self.answer("acquire", key, token, ttl)
        return grant

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self.answer("renew", key, token, ttl))

    def release(self, key: str, token: str) -> bool:
        return bool(self.answer("release", key, token))

    def holder(self, key: str) -> Holder | None:
        holder: Holder | None = self.answer("holder", key)
        return holder

    def answer(self, verb: str, *args: Any) -> Any:
        self.asked.append(verb)
        answer = self.answers[verb]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*args) if callable(answer) else answer


class BatchScript(Script):
    """Renews many by one question."""

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> Sequence[bool | None]:
        answers: Sequence[bool | None] = self.answer("renew_many", leases)
        return answers


def lease_on(backend: Any, ttl: float = 30.0, **choices: Any) -> Lease:
    """Return a lease that nobody has asked for yet."""
    once = Once(backend, ttl=ttl)
    lease = Lease("key", "once:key", Options("function", "key", **choices), once.open())
    _kept.append(once)
    return lease


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until *condition* is true and return what it said; fail after that many seconds."""
    give_up = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < give_up, "the condition did not come true"
        time.sleep(0.005)
    return answer


def threads(name: str) -> list[threading.Thread]:
    """Return the living threads whose name starts like this."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


_kept: list[Once] = []  # a `Once` that is forgotten lets go of its store
