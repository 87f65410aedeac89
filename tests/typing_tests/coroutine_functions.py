"""What type checkers see of a decorated coroutine function."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal, assert_type
from uuid import UUID

from once_core import SKIPPED, Holder, once
from once_core.typed import Skipped


@once(key="check-{order_id}")
async def check(order_id: UUID, line: int = 0) -> str:
    return ""


@once(key="check-{order_id}", raise_on_locked=True)
async def check_or_raise(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", return_on_locked=7)
async def check_or_number(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", return_on_locked=SKIPPED)
async def check_or_skipped(order_id: UUID) -> None: ...


async def results(order: UUID) -> None:
    assert_type(await check(order, line=1), str | None)
    assert_type(await check_or_raise(order), str)
    assert_type(await check_or_number(order), str | int)
    await assert_type(check(order), Coroutine[Any, Any, str | None])
    result = await check_or_skipped(order)
    assert_type(result, Literal[Skipped.SKIPPED] | None)
    if result is not SKIPPED:
        assert_type(result, None)


async def wrong_arguments(order: UUID) -> None:
    await check()  # type: ignore[call-arg]
    await check("7")  # type: ignore[arg-type]
    await check(order, other=1)  # type: ignore[call-arg]


async def attributes(order: UUID) -> None:
    assert_type(check.key_for(order), str)
    assert_type(await check.is_locked(order), bool)
    assert_type(await check.release(order), bool)
    assert_type(await check.holder(order), Holder | None)
    await check.is_locked("7")  # type: ignore[arg-type]
    await check.holder()  # type: ignore[call-arg]
    await check.key_for(order)  # type: ignore[misc]


async def it_can_be_passed_on(order: UUID) -> None:
    function: Callable[[UUID], Awaitable[str | None]] = check
    assert_type(await partial(check, line=1)(order), str | None)
    tasks = [asyncio.create_task(check(order)), asyncio.ensure_future(function(order))]
    print(await asyncio.gather(*tasks))


class Check:
    async def __call__(self, order: UUID) -> str:
        return ""


async def other_shapes(order: UUID) -> None:
    assert_type(await once(key="{order}")(Check())(order), str | None)
