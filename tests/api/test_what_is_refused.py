"""What a lease can't guard is refused, by a text that says why."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from once_core import AlreadyLocked, Once

from .both import Both
from .stores import Stage


def generator(order: int) -> Iterator[int]:
    yield order


async def async_generator(order: int) -> AsyncIterator[int]:
    yield order


class CallableGenerator:
    def __call__(self, order: int) -> Iterator[int]:
        yield order


class CallableAsyncGenerator:
    async def __call__(self, order: int) -> AsyncIterator[int]:
        yield order


class Methods:
    def method(self, order: int) -> Iterator[int]:
        yield order


GENERATORS: list[Any] = [
    generator,
    async_generator,
    CallableGenerator(),
    CallableAsyncGenerator(),
    functools.partial(generator, 1),
    functools.partial(functools.partial(async_generator), order=1),
    functools.partial(CallableGenerator()),
    Methods().method,
    staticmethod(generator),
    classmethod(async_generator),  # type: ignore[arg-type]  # whatever its parameters are
    functools.wraps(generator)(functools.partial(generator)),
]


@pytest.mark.parametrize("function", GENERATORS)
def test_a_generator_function_is_refused_at_decoration(once: Once, function: Any) -> None:
    with pytest.raises(TypeError, match=r"generator.*lease would end"):
        once.once(key="check-{order}")(function)


@pytest.mark.parametrize("thing", [Methods, functools.partial(Methods), 7, "check", None, property(generator)])
def test_what_is_no_function_is_refused_at_decoration(once: Once, thing: Any) -> None:
    with pytest.raises(TypeError, match=r"@once\(key=\.\.\.\) above a def"):
        once.once(key="check")(thing)


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((7,), {}), ((7, 8), {}), ((), {"order": 7})])
def test_once_without_parentheses_says_what_to_write(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    def check(*args: Any, **kwargs: Any) -> None: ...

    def decorate_and_call() -> None:
        bare: Any = Once().once(check)  # type: ignore[arg-type]  # it would be a key function, if it returned a text
        bare(*args, **kwargs)

    with pytest.raises(TypeError, match=r"@once\(key="):
        decorate_and_call()


def test_once_without_parentheses_gives_nothing_that_has_a_name_to_register() -> None:
    def check(*args: Any, **kwargs: Any) -> None: ...

    bare: Any = Once().once(check)  # type: ignore[arg-type]  # it would be a key function, if it returned a text
    with pytest.raises(AttributeError, match=r"has a __name__: write @once\(key="):
        bare.__name__  # noqa: B018  # as a task queue does


class Later:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Iterator[Any]:
        return iter(())


async def _work() -> None: ...


@pytest.mark.parametrize("returned", [_work, Later])
def test_a_plain_function_that_returns_an_awaitable_is_a_type_error(stage: Stage, returned: Any) -> None:
    @stage.once.once(key="check-{order}")
    def check(order: int) -> Awaitable[None]:
        work: Awaitable[None] = returned()
        return work

    with pytest.raises(TypeError, match=r"lease would end.*let an async def await"):
        check(7)

    gc.collect()  # a coroutine that was never awaited would warn here

    assert stage.holder("check-7") is None


@pytest.mark.parametrize("returned", [generator, async_generator])
def test_a_function_that_hands_a_generator_back_is_a_type_error(stage: Stage, both: Both, returned: Any) -> None:
    check = stage.once.once(key="check")(both.function(lambda: returned(7)))
    with pytest.raises(TypeError, match=r"generator object.*lease would end.*runs through a generator"):
        both.call(check)

    assert stage.holder("check") is None


def test_a_coroutine_function_that_forgets_an_await_is_a_type_error(once: Once) -> None:
    @once.once(key="check", raise_on_lost=True)
    async def check() -> Awaitable[None]:
        return _work()

    with pytest.raises(TypeError, match=r"_work.*lease would end"):
        asyncio.run(check())

    gc.collect()  # a coroutine that was never awaited would warn here


def test_a_coroutine_function_may_return_a_task(once: Once) -> None:
    @once.once(key="check")
    async def check() -> asyncio.Task[None]:
        return asyncio.create_task(_work())

    async def main() -> None:
        task = await check()
        assert task is not None
        await task

    asyncio.run(main())


def test_a_plain_function_that_returns_a_task_is_a_type_error(once: Once) -> None:
    @once.once(key="check")
    def check() -> asyncio.Task[None]:
        return asyncio.create_task(_work())

    async def main() -> None:
        with pytest.raises(TypeError, match="let an async def await"):
            check()

    asyncio.run(main())


def test_a_lambda_over_a_coroutine_function_is_a_type_error(once: Once) -> None:
    check: Callable[[], Any] = once.once(key="check")(lambda: _work())

    with pytest.raises(TypeError, match="let an async def await"):
        check()

    gc.collect()


def test_a_plain_function_may_return_a_class_whose_objects_can_be_awaited(once: Once) -> None:
    check = once.once(key="check")(lambda: Later)

    assert Later is check()


def test_a_skip_may_return_anything(stage: Stage) -> None:
    stage.hold("check")
    marker = Later()
    check = stage.once.once(key="check", return_on_locked=marker)(lambda: None)

    assert marker is check()


def test_calling_a_coroutine_function_asks_nothing_before_it_is_awaited(once: Once) -> None:
    @once.once(key="check", raise_on_locked=True)
    async def check() -> str:
        return "ran"

    async def main() -> str:
        first = check()
        async with once.lock("check"):
            second = check()
            with pytest.raises(AlreadyLocked):
                await second
        return await first

    assert "ran" == asyncio.run(main())
