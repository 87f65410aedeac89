"""Tasks of taskiq. Annotations are texts here: taskiq needs them evaluated, to inject and to parse arguments."""

from __future__ import annotations

import os
from typing import Annotated
from uuid import UUID

from taskiq import Context, SimpleRetryMiddleware, SmartRetryMiddleware, TaskiqDepends
from taskiq_redis import ListQueueBroker, ListRedisScheduleSource, RedisAsyncResultBackend

from once_core import SKIPPED, AlreadyLocked, once
from queues.programs.bodies import TTL, TryAgain, acheck, check, first_time, refund
from queues.witness import checking

url = os.environ["ONCE_URL"]
broker = (
    ListQueueBroker(url)
    .with_result_backend(RedisAsyncResultBackend(url))
    .with_middlewares(SimpleRetryMiddleware())
)


@broker.task
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order(order_id: int) -> str:
    return await acheck(order_id)


@broker.task
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
def check_order_in_thread(order_id: int) -> str:
    return check(order_id)


@broker.task
@once(key="check_order-{order_id}", raise_on_locked=True)
async def cancel_order(order_id: int) -> str:
    return "cancelled"


@broker.task(retry_on_error=True, max_retries=100_000)
@once(key="charge_order-{order_id}", raise_on_locked=True)
async def charge_order(order_id: int) -> str:
    return await acheck(order_id)


@broker.task(retry_on_error=True)
@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
async def refund_order(order_id: int) -> str:
    return refund(order_id)
