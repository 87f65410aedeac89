"""The spawner: asks for a check of each order in progress, again and again, whether or not it is being checked."""

import asyncio

from arq import create_pool
from tasks import WorkerSettings

ORDERS_IN_PROGRESS = (41, 42, 43)


async def main() -> None:
    queue = await create_pool(WorkerSettings.redis_settings)
    asked = []
    for _ in range(6):
        asked += [(order_id, await queue.enqueue_job("check_order", order_id)) for order_id in ORDERS_IN_PROGRESS]
        await asyncio.sleep(0.2)
    for order_id, job in asked:
        print(f"order {order_id}: {await job.result(timeout=60)}")
    await queue.aclose()


asyncio.run(main())
