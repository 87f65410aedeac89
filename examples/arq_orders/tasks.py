"""The worker's side: the task, and once inside it."""

import asyncio
import os
from typing import Any

from arq.connections import RedisSettings

from once_core import once


@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
async def check_order(ctx: dict[str, Any], order_id: int) -> str:
    await asyncio.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"


class WorkerSettings:
    functions = (check_order,)
    redis_settings = RedisSettings.from_dsn(os.environ["ONCE_URL"])  # keeps the leases, and is the broker too
