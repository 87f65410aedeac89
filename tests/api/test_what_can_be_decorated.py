"""`@once` guards every kind of function."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from once_core import AlreadyLocked, Once, current_lease
from once_memory import MemoryBackend

from .both import Both
from .stores import Stage

guard = Once(MemoryBackend())


class Shop:
    """Methods of every kind, plain and coroutine, with the decorators in both orders."""

    name = "shop"

    @guard.once(key="method-{self.name}-{order}", raise_on_locked=True)
    def method(self, order: int) -> str:
        return _running(f"{self.name} {order}")

    @guard.once(key="amethod-{self.name}-{order}", raise_on_locked=True)
    async def amethod(self, order: int) -> str:
        return _running(f"{self.name} {order}")

    @classmethod
    @guard.once(key="class_outside-{cls.name}-{order}", raise_on_locked=True)
    def class_outside(cls, order: int) -> str:
        return _running(f"{cls.name} {order}")

    @classmethod
    @guard.once(key="aclass_outside-{cls.name}-{order}", raise_on_locked=True)
    async def aclass_outside(cls, order: int) -> str:
        return _running(f"{cls.name} {order}")

    @guard.once(key="class_inside-{cls.name}-{order}", raise_on_locked=True)
    @classmethod
    def class_inside(cls, order: int) -> str:
        return _running(f"{cls.name} {order}")

    @guard.once(key="aclass_inside-{cls.name}-{order}", raise_on_locked=True)
    @classmethod
    async def aclass_inside(cls, order: int) -> str:
        return _running(f"{cls.name} {order}")

    @staticmethod
    @guard.once(key="static_outside-shop-{order}", raise_on_locked=True)
    def static_outside(order: int) -> str:
        return _running(f"shop {order}")

    @staticmethod
    @guard.once(key="astatic_outside-shop-{order}", raise_on_locked=True)
    async def astatic_outside(order: int) -> str:
        return _running(f"shop {order}")

    @guard.once(key="static_inside-shop-{order}", raise_on_locked=True)
    @staticmethod
    def static_inside(order: int) -> str:
        return _running(f"shop {order}")

    @guard.once(key="astatic_inside-shop-{order}", raise_on_locked=True)
    @staticmethod
    async def astatic_inside(order: int) -> str:
        return _running(f"shop {order}")


def _running(result: str) -> str:
    assert current_lease() is not None
    return result


def finish(result: Any) -> Any:
    """Return the result of a plain call, or of the coroutine that a call made."""

    async def wait() -> Any:
        return await result

    return asyncio.run(wait()) if inspect.isawaitable(result) else result


METHODS = sorted(name for name in vars(Shop) if not name.startswith("_") and name != "name")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_any_kind_runs_and_skips(name: str) -> None:
    shop = Shop()

    assert "shop 7" == finish(getattr(shop, name)(7))
    assert "shop 7" == finish(getattr(shop, name)(order=7))
    with guard.lock(f"{name}-shop-7"):
        with pytest.raises(AlreadyLocked):
            finish(getattr(shop, name)(7))
        assert "shop 8" == finish(getattr(shop, name)(8))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_any_kind_has_its_attributes_through_the_class(name: str) -> None:
    method = getattr(Shop, name)
    args: tuple[Any, ...] = (Shop(), 7) if name.endswith("method") else (7,)
    if "class" in name:  # a bound method hands its attributes on as they are
        args = (Shop, 7)

    assert f"{name}-shop-7" == method.key_for(*args)
    assert finish(method.is_locked(*args)) is False
    with guard.lock(f"{name}-shop-7") as lease:
        assert finish(method.is_locked(*args)) is True
        assert lease.token == finish(method.holder(*args)).token
        assert finish(method.release(*args)) is True
        assert finish(method.is_locked(*args)) is False


def test_a_method_of_an_object_can_be_passed_on() -> None:
    method = Shop().method

    assert "shop 7" == method(7)
    assert inspect.ismethod(method)
    assert ["order"] == list(inspect.signature(method).parameters)


def _partial(function: Callable[..., Any]) -> Any:
    return functools.partial(function, 1)


def _partial_of_partial(function: Callable[..., Any]) -> Any:
    return functools.partial(functools.partial(function, 1), line=2)


def _bound(function: Callable[..., Any]) -> Any:
    class Bound:
        method = function

    return functools.partial(function, 1) if not inspect.isfunction(function) else Bound().method


def _callable_object(function: Callable[..., Any]) -> Any:
    if inspect.iscoroutinefunction(function):

        class AsyncCheck:
            async def __call__(self, order: int, line: int = 0) -> Any:
                return await function(self, order, line)

        return AsyncCheck()

    class Check:
        def __call__(self, order: int, line: int = 0) -> Any:
            return function(self, order, line)

    return Check()


def _partial_of_callable_object(function: Callable[..., Any]) -> Any:
    return functools.partial(_callable_object(function), line=2)


SHAPES = [_partial, _partial_of_partial, _bound, _callable_object, _partial_of_callable_object]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__.strip("_"))
def test_a_function_in_any_shape_runs_and_skips(both: Both, stage: Stage, shape: Callable[..., Any]) -> None:
    def body(first: Any, order: int, line: int = 0) -> tuple[int, bool]:
        return order, current_lease() is not None

    check = stage.once.once(key="check-{order}", return_on_locked="skipped")(shape(both.function(body)))
    stage.hold("check-8")

    assert (7, True) == both.call(check, 7)
    assert (7, True) == both.call(check, order=7)
    assert "skipped" == both.call(check, 8)
    assert inspect.isfunction(check)
    assert (both.name == "async def") is inspect.iscoroutinefunction(check)


def test_a_lambda_and_a_nested_function_can_be_guarded(once: Once) -> None:
    def nested(order: int) -> int:
        return order

    assert 7 == once.once(key="{order}")(lambda order: order)(7)
    assert 7 == once.once(key="{order}")(nested)(7)


def test_a_builtin_function_can_be_guarded(once: Once) -> None:
    assert 3 == once.once(key="{obj}")(len)("abc")


def test_a_builtin_function_without_a_signature_takes_a_key_function_but_no_template(once: Once) -> None:
    assert 1 == once.once(key=lambda *values: "min")(min)(2, 1)
    with pytest.raises(ValueError, match="give a function as key"):
        once.once(key="min-{values}")(min)


def test_a_function_that_is_already_wrapped_keeps_its_parameters(both: Both, once: Once) -> None:
    def body(order: int) -> int:
        return order

    function = both.function(body)
    if both.name == "def":

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)
    else:

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

    check = once.once(key="check-{order}")(wrapper)

    assert 7 == both.call(check, order=7)
    assert "check-7" == check.key_for(7)


def test_a_guarded_function_can_be_guarded_by_another_key(both: Both, stage: Stage) -> None:
    async def body(order: int, shop: str) -> str:
        lease = current_lease()
        assert lease is not None
        return lease.key

    inner = stage.once.once(key="order-{order}", return_on_locked="order")(both.function(body))
    check = stage.once.once(key="shop-{shop}", return_on_locked="shop")(inner)
    stage.hold("order-1")
    stage.hold("shop-b")

    assert "order-2" == both.call(check, 2, "a")
    assert "order" == both.call(check, 1, "a")
    assert "shop" == both.call(check, 2, "b")
