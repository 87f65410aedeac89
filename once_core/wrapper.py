"""Wrap a function: render the key, then run or skip - and look like the function all the while.

The wrapped function is a real one with a signature of its own: Celery checks the arguments of `.delay()` by
`__signature__` and does not follow `__wrapped__`; taskiq injects by it, and needs its annotations evaluated.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, cast

from . import plugins
from .asking import Questions
from .errors import AlreadyLocked, LeaseLost
from .key import Key, key_function
from .lease import LOST, Lease
from .options import Choices, Options
from .run import abegin, aend, arival, begin, end, rival, settle
from .store import bridge

if TYPE_CHECKING:
    from .backend import Holder
    from .decorator import Once


# Results of these types can't be awaited: most runs need no closer look, which costs as much as a lease's token.
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
# Work that has not begun. A coroutine function may return another awaitable: a task works by itself.
_LAZY = (CoroutineType, GeneratorType, AsyncGeneratorType)


class Guard(Questions):
    """One decorated function: how its keys are made, and what a call does."""

    def __init__(
        self,
        function: Callable[..., Any],
        once: Once,
        key_of: Callable[..., str],
        options: Options,
        raise_on_locked: bool,
        return_on_locked: Any,
    ) -> None:
        super().__init__(once, key_of)
        self.function = function
        self.options = options
        self.raise_on_locked = raise_on_locked
        self.return_on_locked = return_on_locked

    def plain_function(self) -> Any:
        """Return what stands in for a plain function."""
        function, once, key_of, options = self.function, self.once, self.key_of, self.options

        def guarded(*args: Any, **kwargs: Any) -> Any:
            key = key_of(*args, **kwargs)
            setting = once.setting or once.open()
            full_key = setting.prefix + key
            runner = setting.store.running.get(full_key)
            if runner is not None:  # no round trip, and no lease, for a skip that is known here
                return self.skip(key, runner.as_holder() if self.raise_on_locked else None)
            lease = Lease(key, full_key, options, setting)
            try:
                try:
                    if not begin(lease):
                        return self.skip(key, rival(lease) if self.raise_on_locked else None)
                    result = function(*args, **kwargs)
                    if type(result) not in _PLAIN and (isinstance(result, _LAZY) or _is_awaitable(result)):
                        raise self._unfinished(result)
                finally:
                    end(lease)
            except BaseException:
                settle(lease)
                raise
            if options.raise_on_lost and lease.state == LOST:
                raise LeaseLost(key)
            return result

        return guarded

    def coroutine_function(self) -> Any:
        """Return what stands in for a coroutine function."""
        function, once, key_of, options = self.function, self.once, self.key_of, self.options

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            key = key_of(*args, **kwargs)
            setting = once.setting or once.open()
            full_key = setting.prefix + key
            runner = setting.store.running.get(full_key)
            if runner is not None:
                return self.skip(key, runner.as_holder() if self.raise_on_locked else None)
            lease = Lease(key, full_key, options, setting)
            try:
                if not await abegin(lease):
                    result = self.skip(key, await arival(lease) if self.raise_on_locked else None)
                elif options.raise_on_lost:
                    result = await self._until_lost(lease, function(*args, **kwargs))
                else:
                    result = await function(*args, **kwargs)
                if isinstance(result, _LAZY):
                    raise self._unfinished(result)
            except BaseException as error:
                await aend(lease, error)
                raise
            await aend(lease)
            if options.raise_on_lost and lease.state == LOST:
                raise LeaseLost(key)
            return result

        return guarded

    def skip(self, key: str, holder: Holder | None) -> Any:
        """Do what a call does that finds its key held."""
        if plugins.observed:
            plugins.tell("once_skipped", key=key, function=self.options.function, template=self.options.template)
        if self.raise_on_locked:
            raise AlreadyLocked(key, holder)
        return self.return_on_locked

    async def _until_lost(self, lease: Lease, body: Any) -> Any:
        with bridge().Canceller(lease):
            return await body

    def _unfinished(self, result: Any) -> TypeError:
        if inspect.iscoroutine(result):
            result.close()
        return TypeError(
            f"{self.options.function} returned {result!r}: its lease would end before that work began. Guard the "
            "function that runs through a generator, and let an async def await an awaitable"
        )


def wrap(function: Any, once: Once, key: Key, raise_on_locked: bool, return_on_locked: Any, choices: Choices) -> Any:
    """Return *function* guarded by a lease. Raises TypeError or ConfigurationError for what can't be guarded."""
    for kind in (staticmethod, classmethod):
        if isinstance(function, kind):
            inner: Any = cast("Any", function).__func__
            return cast("Any", kind)(wrap(inner, once, key, raise_on_locked, return_on_locked, choices))
    target = _target(function)
    name = getattr(target, "__qualname__", type(target).__qualname__)
    module = getattr(target, "__module__", None) or type(target).__module__
    signature = _signature(function, target)
    key_of = key_function(key, name, signature)
    template = key if isinstance(key, str) else getattr(key, "__qualname__", type(key).__qualname__)
    options = Options(function=f"{module}.{name}", template=template, **choices)
    guard = Guard(function, once, key_of, options, raise_on_locked, return_on_locked)
    is_coroutine_function = inspect.iscoroutinefunction(target)
    guarded = guard.coroutine_function() if is_coroutine_function else guard.plain_function()
    functools.update_wrapper(guarded, target)
    guarded.__wrapped__ = function
    guarded.__name__, guarded.__qualname__, guarded.__module__ = name.rpartition(".")[2], name, module
    if signature is not None:
        guarded.__signature__ = signature
    guarded.key_for = key_of
    if is_coroutine_function:
        guarded.is_locked, guarded.holder, guarded.release = guard.ais_locked, guard.aholder, guard.arelease
    else:
        guarded.is_locked, guarded.holder, guarded.release = guard.is_locked, guard.holder, guard.release
    return guarded


def _is_awaitable(result: object) -> bool:
    return hasattr(type(result), "__await__")


def no_function(thing: object) -> TypeError:
    """Return the error for what can't be decorated."""
    return TypeError(f"once guards functions, not {thing!r}: write @once(key=...) above a def")


def _target(function: Any) -> Any:
    """Return the function that will run: what a partial or a callable object stands for. Refuse what can't be run."""
    target = function
    while isinstance(target, functools.partial):
        target = target.func
    if not callable(target) or isinstance(target, type):
        raise no_function(target)
    if not inspect.isroutine(target):
        target = target.__call__
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise TypeError(
            f"{target.__qualname__} is a generator function: calling it only makes the generator, so its lease would "
            "end before its work began. Guard the function that runs through the generator"
        )
    return target


def _signature(function: Any, target: Any) -> inspect.Signature | None:
    """Return the signature with those annotations evaluated that can be; None where there is no signature."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    namespace = getattr(inspect.unwrap(target), "__globals__", {})

    def evaluated(annotation: Any) -> Any:
        if isinstance(annotation, str):
            try:
                return eval(annotation, namespace)
            except Exception:  # noqa: BLE001  # a name that only type checkers know stays a text
                return annotation
        return annotation

    parameters = [p.replace(annotation=evaluated(p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=evaluated(signature.return_annotation))
