"""Tasks of darq, which sets `delay` and `apply_async` on the decorated function itself."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from darq import Darq, RedisSettings
from darq.worker import Retry

from once_core import SKIPPED, AlreadyLocked, once
from queues.programs.bodies import TTL, TryAgain, acheck, refund

redis = urlsplit(os.environ["ONCE_URL"])
app = Darq(redis_settings=RedisSettings(host=redis.hostname, port=redis.port), poll_delay=0.1)


@app.task
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order(order_id: int) -> str:
    return await acheck(order_id)


@app.task
@once(key="check_order-{order_id}", raise_on_locked=True)
async def cancel_order(order_id: int) -> str:
    return "cancelled"


@once(key="charge_order-{order_id}", raise_on_locked=True)
async def charge(order_id: int) -> str:
    return await acheck(order_id)


@app.task(max_tries=1000)
async def charge_order(order_id: int) -> str:
    try:
        return await charge(order_id)
    except AlreadyLocked:
        raise Retry(defer=0.2) from None


@app.task
@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
async def refund_order(order_id: int) -> str:
    try:
        return refund(order_id)
    except TryAgain:
        raise Retry from None
