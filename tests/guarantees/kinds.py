"""Each rule is told once: a kind turns a body into a guarded call, plain or coroutine, decorated or in a `with`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from once_core import SKIPPED, AlreadyLocked, Once

Call = Callable[[], Any]


def decorated(once: Once, key: str, body: Call, **options: Any) -> Call:
    @once.once(key=key, return_on_locked=SKIPPED, **options)
    def run() -> Any:
        return body()

    call: Call = run
    return call


def decorated_coroutine(once: Once, key: str, body: Call, **options: Any) -> Call:
    @once.once(key=key, return_on_locked=SKIPPED, **options)
    async def run() -> Any:
        await asyncio.sleep(0)
        return body()

    return lambda: asyncio.run(run())


def locked(once: Once, key: str, body: Call, **options: Any) -> Call:
    def run() -> Any:
        try:
            with once.lock(key, **options):
                return body()
        except AlreadyLocked:
            return SKIPPED

    return run


def locked_coroutine(once: Once, key: str, body: Call, **options: Any) -> Call:
    async def run() -> Any:
        try:
            async with once.lock(key, **options):
                await asyncio.sleep(0)
                return body()
        except AlreadyLocked:
            return SKIPPED

    return lambda: asyncio.run(run())


KINDS = {"def": decorated, "async def": decorated_coroutine}
FORMS = KINDS | {"with": locked, "async with": locked_coroutine}

Kind = Callable[..., Call]
"""`kind(once, key, body, **options)` returns a call without arguments: the body's result, or SKIPPED."""
