"""Tasks of arq, and its worker's settings."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from arq import Retry, func
from arq.connections import RedisSettings

from once_core import SKIPPED, AlreadyLocked, once
from queues.programs.bodies import TTL, TryAgain, acheck, refund


@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order(ctx: dict[str, Any], order_id: int) -> str:
    return await acheck(order_id)


@once(key="check_order-{order_id}", raise_on_locked=True)
async def cancel_order(ctx: dict[str, Any], order_id: int) -> str:
    return "cancelled"


@once(key="charge_order-{order_id}", raise_on_locked=True)
async def charge(order_id: int) -> str:
    return await acheck(order_id)


async def charge_order(ctx: dict[str, Any], order_id: int) -> str:
    try:
        return await charge(order_id)
    except AlreadyLocked:
        raise Retry(defer=0.2) from None


@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
async def refund_order(ctx: dict[str, Any], order_id: int) -> str:
    try:
        return refund(order_id)
    except TryAgain:
        raise Retry from None


@once(key="by_uuid-{order_id}", return_on_locked=SKIPPED)
async def by_uuid(ctx: dict[str, Any], order_id: UUID) -> str:
    return check_order.__name__


class WorkerSettings:
    functions = (check_order, cancel_order, func(charge_order, max_tries=1000), refund_order, by_uuid)
    redis_settings = RedisSettings.from_dsn(os.environ["ONCE_URL"])
    poll_delay = 0.1
