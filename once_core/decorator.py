"""The door: `Once`, which knows its store, and the functions `once`, `lock` and `configure` of the default one."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar, Unpack, overload

from . import plugins
from .blame import check_verbs
from .errors import ConfigurationError, NotConfigured
from .key import Key
from .locking import Lock
from .options import Choices, OnUnavailable, Options, Setting, check_bool, check_policy, check_seconds
from .store import opening, store_for
from .wrapper import no_function, wrap

if TYPE_CHECKING:
    from typing import Self

    from .backend import Backend
    from .typed import Decorator

D = TypeVar("D")


class Once:
    """A store and the defaults of what runs on it: what `configure` makes, or one of several in a program.

    *backend* is a URL or a Backend object; None stands for the environment's ONCE_URL. *prefix* stands before each key
    in the store; *ttl* is the length of a lease in seconds, and what a dead worker costs; *on_unavailable* says what a
    call does when the store can't be asked: "raise" BackendUnavailable, "skip", or "run" unguarded.
    """

    def __init__(
        self,
        backend: str | Backend | None = None,
        *,
        prefix: str = "once:",
        ttl: float = 30.0,
        on_unavailable: OnUnavailable = "raise",
    ) -> None:
        self.setting: Setting | None = None
        self._defaults: tuple[str, float, OnUnavailable]
        self._let_go: weakref.finalize[..., Any] | None = None
        self.configure(backend, prefix=prefix, ttl=ttl, on_unavailable=on_unavailable)
        every.add(self)

    def configure(
        self,
        backend: str | Backend | None,
        *,
        prefix: str = "once:",
        ttl: float = 30.0,
        on_unavailable: OnUnavailable = "raise",
    ) -> Self:
        """Choose the store. Names are checked now; the plugin is imported and the store asked at the first call.

        Runs that are under way end on the store they began with. Raises ConfigurationError, and changes nothing, if
        the choice can't work.
        """
        if isinstance(backend, str):
            plugins.find(backend)
        elif backend is not None:
            check_verbs(backend, f"{type(backend).__name__}, given as backend,")
        if not isinstance(prefix, str):
            raise ConfigurationError(f"configure: prefix={prefix!r} must be a text")
        check_seconds("ttl", ttl, "configure")
        check_policy(on_unavailable, "configure")
        with opening():
            self._source = backend
            self._defaults = prefix, ttl, on_unavailable
        self.close()
        return self

    def open(self) -> Setting:
        """Return the setting in force, with its store. Raises NotConfigured if none was chosen."""
        with opening():
            if self.setting is None:
                store = store_for(self._source if self._source is not None else _url_of_environment())
                self._let_go = weakref.finalize(self, store.let_go_elsewhere)
                self._let_go.atexit = False
                self.setting = Setting(store, *self._defaults)
            return self.setting

    def close(self) -> None:
        """Let go of the store once the runs under way are over; another call opens it again."""
        with opening():
            let_go, setting = self._let_go, self.setting
            self._let_go = self.setting = None
        if let_go is not None and let_go.detach() and setting is not None:
            setting.store.let_go()  # outside the lock: it may wait for the store

    @overload
    def once(
        self, key: Key, raise_on_locked: Literal[True], return_on_locked: Any = None, **choices: Unpack[Choices]
    ) -> Decorator[Never]: ...

    @overload
    def once(
        self,
        key: Key,
        raise_on_locked: bool = False,
        return_on_locked: None = None,
        **choices: Unpack[Choices],
    ) -> Decorator[None]: ...

    @overload
    def once(
        self, key: Key, raise_on_locked: bool = False, *, return_on_locked: D, **choices: Unpack[Choices]
    ) -> Decorator[D]: ...

    @overload
    def once(
        self, key: Key, raise_on_locked: bool, return_on_locked: D, **choices: Unpack[Choices]
    ) -> Decorator[D]: ...

    def once(
        self,
        key: Key,
        raise_on_locked: bool = False,
        return_on_locked: Any = None,
        *,
        ttl: float | None = None,
        hold_at_least: float = 0.0,
        hold_at_most: float | None = None,
        raise_on_lost: bool = False,
        on_unavailable: OnUnavailable | None = None,
    ) -> Any:
        """Let only one run of the function per key be active at a time; a later call exits early.

        *key* is a `str.format` template over the function's parameters, or a function of the call's arguments. A call
        that finds its key held raises AlreadyLocked if *raise_on_locked*, else it returns *return_on_locked*.

        Seconds: *ttl* is the length of the lease, renewed while the run lives; *hold_at_least* keeps the key taken
        that long after the start, however short the run; *hold_at_most* ends the renewing, so that a hung run can't
        hold others up for ever. With *raise_on_lost* a run whose lease was lost raises LeaseLost instead of returning
        its result, and a coroutine is cancelled as soon as that is known. *on_unavailable* overrides the `Once`'s.

        Raises ConfigurationError, when it decorates, for a key or a choice that can't work, and TypeError for a
        generator function.
        """
        check_bool("raise_on_locked", raise_on_locked, "once")
        choices = Choices(
            ttl=ttl,
            hold_at_least=hold_at_least,
            hold_at_most=hold_at_most,
            raise_on_lost=raise_on_lost,
            on_unavailable=on_unavailable,
        )
        Options("once", "", **choices)

        return _Decorate(lambda function: wrap(function, self, key, raise_on_locked, return_on_locked, choices))

    def lock(
        self,
        key: str,
        *,
        ttl: float | None = None,
        wait: float = 0.0,
        hold_at_least: float = 0.0,
        hold_at_most: float | None = None,
        raise_on_lost: bool = False,
        on_unavailable: OnUnavailable | None = None,
    ) -> Lock:
        """Return the same lease as a context manager, for `with` and `async with`; *key* is literal.

        Entering gives a Lease. It raises AlreadyLocked if the key is still held after *wait* seconds, and
        BackendUnavailable if the store can't be asked, unless *on_unavailable* is "run".
        """
        options = Options(
            function="lock",
            template=key,
            ttl=ttl,
            hold_at_least=hold_at_least,
            hold_at_most=hold_at_most,
            raise_on_lost=raise_on_lost,
            on_unavailable=on_unavailable,
        )
        return Lock(self, key, wait, options)


class _Decorate:
    """What `once(key=...)` returns. What `@once` without parentheses makes of a function is this, too.

    It has no `__name__`, so that a task queue refuses to take that for a function when it is decorated.
    """

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self._wrapped = wrapped

    def __call__(self, *function: Any, **named: Any) -> Any:
        if len(function) != 1 or named:  # a call of what should have been a function
            raise no_function((*function, *named))
        return self._wrapped(function[0])

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(f"there is no function yet that has a {name}: write @once(key=...) above a def")


def _url_of_environment() -> str:
    url = os.environ.get("ONCE_URL")
    if not url:
        raise NotConfigured(
            "once has no store yet. Set the environment's ONCE_URL, or call once_core.configure(url) at start, such as "
            f'once_core.configure("sqlite:///once.db"). Installed: {plugins.installed()}'
        )
    try:
        plugins.find(url)
    except ConfigurationError as error:
        raise type(error)(f"the environment's ONCE_URL: {error}") from None
    return url


every: weakref.WeakSet[Once] = weakref.WeakSet()
"""All there are: once_core.testing lets them ask another store for a while."""


@atexit.register
def _close_all() -> None:
    for once in list(every):
        once.close()


default = Once()
once = default.once
lock = default.lock
configure = default.configure
