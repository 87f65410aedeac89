"""One rule, told once, for `def` and for `async def`."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any


class Plain:
    """Makes plain functions of bodies, and calls them."""

    name = "def"

    def function(self, body: Callable[..., Any]) -> Any:
        """Return *body*, which may be a coroutine function, as a plain function with the same parameters."""
        if not inspect.iscoroutinefunction(body):
            return body

        @functools.wraps(body)
        def plain(*args: Any, **kwargs: Any) -> Any:
            return self.run(body(*args, **kwargs))

        return plain

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of a coroutine that waits for nothing but `inner`."""
        try:
            steps.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a plain function waits for nothing")

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call *function* or one of its attributes."""
        return function(*args, **kwargs)

    async def inner(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call *function* from within a body."""
        return function(*args, **kwargs)

    def entered(self, lock: Any) -> Any:
        """Return *lock* as what a body enters by `async with`."""
        return _Entered(lock)


class Coroutines:
    """Makes coroutine functions of bodies, and calls each in an event loop of its own."""

    name = "async def"

    def function(self, body: Callable[..., Any]) -> Any:
        if inspect.iscoroutinefunction(body):
            return body

        @functools.wraps(body)
        async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return coroutine_function

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(steps)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            return await function(*args, **kwargs)

        return asyncio.run(call())

    async def inner(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    def entered(self, lock: Any) -> Any:
        return lock


class _Entered:
    def __init__(self, lock: Any) -> None:
        self._lock = lock

    async def __aenter__(self) -> Any:
        return self._lock.__enter__()

    async def __aexit__(self, *about: object) -> Any:
        return self._lock.__exit__(*about)


Both = Plain | Coroutines
