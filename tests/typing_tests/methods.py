"""What type checkers see of decorated methods: through an object without `self`, through the class with it."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from once_core import Holder, once


class Shop:
    @once(key="{self}-{order}")
    def method(self, order: int, *, late: bool = False) -> str:
        return ""

    @once(key="{self}-{order}", raise_on_locked=True)
    async def amethod(self, order: int) -> str:
        return ""

    @classmethod
    @once(key="{cls}-{order}")
    def class_outside(cls, order: int) -> str:
        return ""

    @classmethod
    @once(key="{cls}-{order}", raise_on_locked=True)
    async def aclass_outside(cls, order: int) -> str:
        return ""

    @staticmethod
    @once(key="{order}")
    def static_outside(order: int) -> str:
        return ""

    @staticmethod
    @once(key="{order}", raise_on_locked=True)
    async def astatic_outside(order: int) -> str:
        return ""


def methods(shop: Shop) -> None:
    assert_type(shop.method(7), str | None)
    assert_type(shop.method(order=7, late=True), str | None)
    assert_type(Shop.method(shop, 7), str | None)
    shop.method()  # type: ignore[call-arg]
    shop.method("7")  # type: ignore[arg-type]
    shop.method(7, other=1)  # type: ignore[call-arg]
    Shop.method(7)  # type: ignore[call-arg, arg-type]


def attributes(shop: Shop) -> None:
    assert_type(Shop.method.key_for(shop, 7), str)
    assert_type(Shop.method.is_locked(shop, 7, late=True), bool)
    assert_type(Shop.method.release(shop, 7), bool)
    assert_type(Shop.method.holder(shop, 7), Holder | None)
    Shop.method.is_locked(7)  # type: ignore[call-arg, arg-type]
    Shop.method.is_locked(shop, "7")  # type: ignore[arg-type]


async def coroutine_methods(shop: Shop) -> None:
    assert_type(await shop.amethod(7), str)
    assert_type(await Shop.amethod(shop, order=7), str)
    assert_type(await Shop.amethod.is_locked(shop, 7), bool)
    await shop.amethod()  # type: ignore[call-arg]
    await shop.amethod("7")  # type: ignore[arg-type]


def class_methods(shop: Shop) -> None:
    # Through the class both checkers forget that `classmethod` stands outside; through an instance they need not know.
    assert_type(shop.class_outside(order=7), str | None)


async def static_methods() -> None:
    assert_type(Shop.static_outside(7), str | None)
    assert_type(await Shop.astatic_outside(7), str)
    assert_type(Shop.static_outside.is_locked(7), bool)
    assert_type(Shop.static_outside.key_for(7), str)
    Shop.static_outside("7")  # type: ignore[arg-type]
    await Shop.astatic_outside()  # type: ignore[call-arg]


class Branch(Shop): ...


def inherited(branch: Branch) -> None:
    assert_type(branch.class_outside(7), str | None)
    assert_type(branch.method(7), str | None)
