"""What type checkers see of a decorated function: its own parameters, its result or the skip's, and four attributes.

One limit: for `@classmethod` above `@once`, a call through the class is taken for one that lacks its first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from typing import Self

    from .backend import Holder

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)


class Skipped(StrEnum):
    """The type of SKIPPED: a text, so that it survives a task queue's JSON."""

    SKIPPED = "skipped"


SKIPPED: Final[Literal[Skipped.SKIPPED]] = Skipped.SKIPPED
"""A value for *return_on_locked*, to tell a skip from a None: `if check(7) is SKIPPED`."""


class OnceFunction(Protocol[P, R_co]):
    """A decorated function. The attributes ask the store, and take the function's own arguments."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...

    @overload
    def __get__(
        self: OnceFunction[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Callable[Q, R]: ...

    def is_locked(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...

    def release(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...

    def holder(self, *args: P.args, **kwargs: P.kwargs) -> Holder | None: ...

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str: ...


class OnceCoroutineFunction(Protocol[P, R_co]):
    """A decorated coroutine function; of the attributes only `key_for` is not one."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...

    @overload
    def __get__(
        self: OnceCoroutineFunction[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Callable[Q, Coroutine[Any, Any, R]]: ...

    async def is_locked(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...

    async def release(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...

    async def holder(self, *args: P.args, **kwargs: P.kwargs) -> Holder | None: ...

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str: ...


class Decorator(Protocol[D_co]):
    """What `once(...)` returns where a skip returns a `D_co`; with raise_on_locked that is Never, and adds nothing."""

    # Every coroutine function is also a function that returns something: the first that fits is meant.
    @overload
    def __call__(  # type: ignore[overload-overlap]  # see above
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> OnceCoroutineFunction[P, R | D_co]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> OnceFunction[P, R | D_co]: ...
