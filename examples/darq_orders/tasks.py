"""The worker's side: the task, and once inside it."""

import asyncio
import os
from urllib.parse import urlsplit

from darq import Darq, RedisSettings

from once_core import once

redis = urlsplit(os.environ["ONCE_URL"])  # keeps the leases, and is the broker too
app = Darq(redis_settings=RedisSettings(host=redis.hostname, port=redis.port, database=int(redis.path[1:] or 0)))


@app.task
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
async def check_order(order_id: int) -> str:
    await asyncio.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"
