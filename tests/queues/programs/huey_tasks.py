"""Tasks of huey."""

from __future__ import annotations

import os

from huey import RedisHuey

from once_core import SKIPPED, once
from queues.programs.bodies import TTL, check, refund

huey = RedisHuey(url=os.environ["ONCE_URL"], store_intermediate_errors=False)


@huey.task()
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
def check_order(order_id: int) -> str:
    return check(order_id)


@huey.task()
@once(key="check_order-{order_id}", raise_on_locked=True)
def cancel_order(order_id: int) -> str:
    return "cancelled"


@huey.task(retries=1000, retry_delay=0.2)
@once(key="charge_order-{order_id}", raise_on_locked=True)
def charge_order(order_id: int) -> str:
    return check(order_id)


@huey.task(retries=1)
@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
def refund_order(order_id: int) -> str:
    return refund(order_id)
