"""Jobs of APScheduler, which keeps a job's function by its path."""

from __future__ import annotations

from once_core import SKIPPED, once
from queues.programs.bodies import TTL, acheck, check


@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
def check_order(order_id: int) -> str:
    return check(order_id)


@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order_in_loop(order_id: int) -> str:
    return await acheck(order_id)


@once(key="cancel_order-{order_id}", raise_on_locked=True)
def cancel_order(order_id: int) -> str:
    return "cancelled"
