"""Tasks of rq: plain functions, which it imports by their paths, and a coroutine function."""

from __future__ import annotations

from once_core import SKIPPED, once
from queues.programs.bodies import TTL, acheck, check, refund


@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
def check_order(order_id: int) -> str:
    return check(order_id)


@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order_in_loop(order_id: int) -> str:
    return await acheck(order_id)


@once(key="check_order-{order_id}", raise_on_locked=True)
def cancel_order(order_id: int) -> str:
    return "cancelled"


@once(key="charge_order-{order_id}", raise_on_locked=True)
def charge_order(order_id: int) -> str:
    return check(order_id)


@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
def refund_order(order_id: int) -> str:
    return refund(order_id)
