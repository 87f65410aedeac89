"""The worker's side: the task, and once inside it."""

import asyncio
import os

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from once_core import once

redis = os.environ["ONCE_URL"]  # keeps the leases, and is the broker too
broker = ListQueueBroker(redis).with_result_backend(RedisAsyncResultBackend(redis))


@broker.task
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
async def check_order(order_id: int) -> str:
    await asyncio.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"
